//! Affine maps whose matrix was put into the order of the products beforehand.

use candle_core::{D, DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::gemm::{Mat, MatMut, Write};
use super::linear::with_last;
use super::op::{Value, with_elements};
use super::product::{Panels, product};
use super::{Chain, is_trained};

/// [`super::linear`] of a frozen f32 matrix on a CPU, for networks that are only run forward: a call need not reorder the
/// matrix, which with few rows takes a good part of its time.
#[derive(Debug)]
pub struct PackedLinear {
    /// The weight's transpose (in, out).
    weight: Panels<f32>,
    /// (out)
    bias: Vec<f32>,
    inputs: usize,
}

impl PackedLinear {
    /// Whether a map of this weight and this bias can be packed.
    pub fn fits(weight: &Tensor, bias: Option<&Tensor>) -> bool {
        weight.device().is_cpu() && weight.dtype() == DType::F32 && !is_trained(weight, bias)
    }

    /// Packs a weight (out, in) with a bias (out).
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if inputs == 0 || outputs == 0 || bias.is_some_and(|bias| bias.dims() != [outputs]) {
            bail!(
                "linear: weight {:?}, bias {:?}",
                weight.dims(),
                bias.map(Tensor::dims)
            );
        }
        let bias = match bias {
            Some(bias) => bias.to_vec1()?,
            None => vec![0.0; outputs],
        };
        let packed = |weight: &[f32]| Ok(Panels::right(Mat::packed(weight, outputs, inputs).t()));
        Ok(Self {
            weight: with_elements(weight, packed)?,
            bias,
            inputs,
        })
    }

    /// The map of `x` (.., in).
    fn value(&self, x: &Tensor) -> Result<Value> {
        if x.dim(D::Minus1)? != self.inputs {
            bail!(
                "packed linear map: input {:?} for {} inputs",
                x.dims(),
                self.inputs
            );
        }
        let outputs = self.bias.len();
        let rows = x.elem_count() / self.inputs;
        let mut y = vec![0.0; rows * outputs];
        let lines = y.par_chunks_mut(outputs);
        lines.for_each(|line| line.copy_from_slice(&self.bias));
        with_elements(x, |x| {
            let x = Panels::left(Mat::packed(x, rows, self.inputs));
            product(
                &x,
                &self.weight,
                MatMut::packed(&mut y, rows, outputs),
                Write::Add,
            );
            Ok(())
        })?;
        Ok(Value::Elements(y, with_last(x.dims(), outputs).into()))
    }
}

impl Chain {
    /// Through a packed map: (.., in) -> (.., out). Nothing leads back, so the chain must begin at a constant.
    ///
    /// # Errors
    /// It begins at what leads to a variable, or the sizes do not fit.
    pub fn packed(self, map: &PackedLinear) -> Result<Self> {
        self.forward_only("packed linear map", |x| map.value(x))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use candle_core::Var;
    use proptest::prelude::*;

    use super::super::both_paths::{assert_close, random};
    use super::super::linear;
    use super::*;

    fn forward(map: &PackedLinear, x: &Tensor) -> Result<Tensor> {
        Chain::on(x)?.packed(map)?.end()
    }

    proptest! {
        #[test]
        fn it_is_the_same_map(rows in 1usize..70, inputs in 1usize..90, outputs in 1usize..120, biased: bool) {
            let (x, weight) = (random(1, &[2, rows, inputs]), random(2, &[outputs, inputs]));
            let bias = biased.then(|| random(3, &[outputs]));
            let packed = PackedLinear::new(&weight, bias.as_ref()).unwrap();
            let wanted = linear(&x, &weight, bias.as_ref()).unwrap();
            assert_close(&forward(&packed, &x).unwrap(), &wanted, "packed linear");
        }
    }

    #[test]
    fn a_row_does_not_see_its_neighbours() {
        let (x, weight) = (random(1, &[40, 1100]), random(2, &[100, 1100]));
        let packed = PackedLinear::new(&weight, None).unwrap();
        let all = forward(&packed, &x).unwrap().to_vec2::<f32>().unwrap();
        for (row, wanted) in all.iter().enumerate() {
            let alone = forward(&packed, &x.narrow(0, row, 1).unwrap()).unwrap();
            assert_eq!(&alone.to_vec2::<f32>().unwrap()[0], wanted);
        }
    }

    /// Nothing leads back to what is packed.
    #[test]
    fn trained_parameters_do_not_fit() {
        let (weight, bias) = (random(1, &[3, 5]), random(2, &[3]));
        let trained = |t: &Tensor| Var::from_tensor(t).unwrap().into_inner();
        assert!(PackedLinear::fits(&weight, None));
        assert!(PackedLinear::fits(&weight, Some(&bias)));
        assert!(!PackedLinear::fits(&trained(&weight), Some(&bias)));
        assert!(!PackedLinear::fits(&weight, Some(&trained(&bias))));
    }

    #[test]
    fn what_wants_a_gradient_or_has_another_width_is_refused() {
        let packed = PackedLinear::new(&random(1, &[3, 5]), None).unwrap();
        let variable = Var::from_tensor(&random(2, &[2, 5])).unwrap();
        assert!(forward(&packed, &variable).is_err());
        assert!(forward(&packed, &random(3, &[2, 4])).is_err());
        assert_eq!(forward(&packed, &random(4, &[0, 5])).unwrap().dims(), [0, 3]);
    }
}
