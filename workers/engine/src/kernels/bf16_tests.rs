//! An operator whose weight is bfloat16 computes what the one in f32 does, where no operand loses anything by rounding.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::any::type_name;

use candle_core::{DType, Result, Tensor, Var};

use super::Chain;
use super::both_paths::{assert_close, assert_threads_change_nothing, bits, random};
use super::conv2d::FrozenConv2d;
use super::linear::FrozenLinear;
use super::op::FrozenOp;
use super::{Conv2dGeometry, Mask, attention_bf16, conv2d, linear};

fn rounded(seed: u32, shape: &[usize]) -> Tensor {
    let values = random(seed, shape).to_dtype(DType::BF16).unwrap();
    values.to_dtype(DType::F32).unwrap()
}

fn check<F: FrozenOp>(shape: &[usize], weight: &Tensor, op: impl Fn(Tensor) -> F) {
    let x = rounded(1, shape);
    let half = || op(weight.to_dtype(DType::BF16).unwrap());
    let wide = || op(weight.clone());
    let value = |op: F| Chain::on(&x)?.then(op)?.end();
    let y = value(wide()).unwrap();
    assert_close(&value(half()).unwrap(), &y, type_name::<F>());
    let dy = rounded(2, y.dims());
    let wanted = wide().cpu_gradient(&x, &dy).unwrap();
    assert_close(&half().cpu_gradient(&x, &dy).unwrap(), &wanted, type_name::<F>());
}

#[test]
fn linear_maps() {
    for (rows, inputs, outputs) in [(1, 1, 1), (5, 7, 3), (50, 33, 20), (200, 8, 9)] {
        let (weight, bias) = (rounded(3, &[outputs, inputs]), random(4, &[outputs]));
        for bias in [None, Some(bias)] {
            check(&[rows, inputs], &weight, |weight| FrozenLinear {
                weight,
                bias: bias.clone(),
            });
        }
    }
}

#[test]
fn convolutions() {
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 1), (3, 2, 0), (2, 2, 0)] {
        let (weight, bias) = (rounded(5, &[19, 17, kernel, kernel]), random(6, &[19]));
        let geometry = Conv2dGeometry { stride, padding };
        // The last is large enough for Winograd's way, whose products are f32.
        for shape in [[2, 17, 6, 7], [1, 17, 5, 4], [1, 17, 9, 8]] {
            check(&shape, &weight, |weight| FrozenConv2d {
                weight,
                bias: Some(bias.clone()),
                geometry,
            });
        }
    }
}

#[test]
fn no_rows_are_no_trouble() {
    let weight = rounded(7, &[3, 5]).to_dtype(DType::BF16).unwrap();
    let y = linear(&random(8, &[0, 5]), &weight, None).unwrap();
    assert_eq!(y.dims(), [0, 3]);
}

/// What is beside an image, or a row, is not seen in its numbers.
#[test]
fn a_batch_is_its_parts() {
    let weight = rounded(9, &[24, 16, 3, 3]).to_dtype(DType::BF16).unwrap();
    let geometry = Conv2dGeometry {
        stride: 2,
        padding: 1,
    };
    let x = random(10, &[3, 16, 7, 9]);
    let together = conv2d(&x, &weight, None, geometry).unwrap();
    for image in 0..3 {
        let alone = conv2d(&x.narrow(0, image, 1).unwrap(), &weight, None, geometry).unwrap();
        let among = together.narrow(0, image, 1).unwrap();
        let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(alone), values(among), "{image}");
    }
}

/// The bits of the value, and of its square's gradient.
fn pass(f: impl Fn(&Tensor) -> Result<Tensor>, x: &Tensor) -> [Vec<u32>; 2] {
    let x = Var::from_tensor(x).unwrap();
    let y = f(x.as_tensor()).unwrap();
    let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    [bits(&y), bits(gradients.get(&x).unwrap())]
}

/// At sizes that are shared among threads.
fn everything() -> Vec<Vec<u32>> {
    let half = |seed, shape: &[usize]| random(seed, shape).to_dtype(DType::BF16).unwrap();
    let (tokens, map) = (random(11, &[2, 150, 48]), random(12, &[2, 48, 20, 20]));
    let matrix = half(13, &[120, 48]);
    let mut results = vec![
        pass(|x| linear(x, &matrix, None), &tokens),
        pass(|x| attention_bf16(x, x, x, 4, Mask::Causal), &tokens),
    ];
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 1)] {
        let weight = half(14, &[72, 48, kernel, kernel]);
        let geometry = Conv2dGeometry { stride, padding };
        results.push(pass(|x| conv2d(x, &weight, None, geometry), &map));
    }
    results.into_iter().flatten().collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    assert_threads_change_nothing(everything);
}
