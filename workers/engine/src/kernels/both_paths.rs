//! The operations written for other devices give the CPU's values and gradients. Candle runs them on a CPU as well,
//! so no such device is needed to hold them to it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::any::type_name;

use candle_core::{Device, Tensor, Var};

use super::activation::Activation;
use super::add::Shift;
use super::chain::kept;
use super::conv2d::FrozenConv2d;
use super::geglu::Geglu;
use super::group_norm::GroupNorm;
use super::layer_norm::LayerNorm;
use super::linear::FrozenLinear;
use super::op::FrozenOp;
use super::turn::Turn;
use super::upsample::Upsample;
use super::{Chain, Conv2dGeometry, GroupNormSpec};

/// Repeatable numbers in -1.5..1.5.
pub(super) fn random(seed: u32, shape: &[usize]) -> Tensor {
    let values = random_values(seed, shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The same without a shape.
pub(super) fn random_values(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / 5_592_405.3 - 1.5
    };
    (0..count).map(|_| next()).collect()
}

/// The elements, to be compared exactly.
pub(super) fn bits(t: &Tensor) -> Vec<u32> {
    let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// The largest absolute element; NaN if there is one, which candle's `max` passes over.
pub(super) fn largest(t: &Tensor) -> f32 {
    let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::abs).max_by(f32::total_cmp).unwrap()
}

pub(super) fn assert_close(a: &Tensor, b: &Tensor, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let error = largest(&(a - b).unwrap());
    assert!(error < 2e-5, "{what} off by {error}");
}

/// Whatever the number of threads, `everything` gives the same bits.
pub(super) fn assert_threads_change_nothing(everything: fn() -> Vec<Vec<u32>>) {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(everything)
    };
    let one = with(1);
    for threads in [2, 3, 7] {
        for (i, (one, many)) in one.iter().zip(with(threads)).enumerate() {
            assert!(*one == many, "result {i} differs with {threads} threads");
        }
    }
}

#[test]
fn nan_is_larger_than_anything() {
    let t = Tensor::new(&[1f32, -f32::NAN, f32::INFINITY], &Device::Cpu).unwrap();
    assert!(largest(&t).is_nan());
}

fn check<F: FrozenOp>(shape: &[usize], op: impl Fn() -> F) {
    let x = random(1, shape);
    let y = Chain::on(&x).unwrap().then(op()).unwrap().end().unwrap();
    assert_close(&op().device(&x).unwrap(), &y, type_name::<F>());
    let dy = random(2, y.dims());
    let wanted = op().cpu_gradient(&x, &dy).unwrap();
    // What an operator says it does not read is not there.
    let kept = kept(&op(), x).unwrap();
    for found in [op().cpu_gradient(&kept, &dy), op().device_gradient(&kept, &dy)] {
        assert_close(&found.unwrap(), &wanted, type_name::<F>());
    }
}

#[test]
fn affine_maps() {
    let (weight, bias) = (random(3, &[5, 7]), random(4, &[5]));
    check(&[2, 3, 7], || FrozenLinear {
        weight: weight.clone(),
        bias: Some(bias.clone()),
    });
    for (kernel, stride, padding) in [
        (1, 1, 0),
        (3, 1, 1),
        (3, 2, 1),
        (3, 2, 0),
        (2, 2, 0),
        (4, 3, 2),
        (1, 2, 0),
    ] {
        let (weight, bias) = (random(5, &[3, 4, kernel, kernel]), random(6, &[3]));
        let geometry = Conv2dGeometry { stride, padding };
        for shape in [[2, 4, 6, 7], [1, 4, 5, 4]] {
            check(&shape, || FrozenConv2d {
                weight: weight.clone(),
                bias: Some(bias.clone()),
                geometry,
            });
        }
    }
}

#[test]
fn norms() {
    let (weight, bias) = (random(7, &[6]), random(8, &[6]));
    for silu in [false, true] {
        let spec = GroupNormSpec {
            groups: 3,
            eps: 1e-5,
            silu,
        };
        check(&[2, 6, 4, 3], || GroupNorm {
            weight: weight.clone(),
            bias: bias.clone(),
            spec,
        });
    }
    for affine in [None, Some((weight.clone(), bias.clone()))] {
        check(&[2, 5, 6], || LayerNorm {
            affine: affine.clone(),
            eps: 1e-5,
        });
    }
}

#[test]
fn element_wise() {
    for activation in [Activation::Silu, Activation::GeluErf, Activation::QuickGelu] {
        check(&[3, 9], || activation);
    }
    check(&[3, 10], || Geglu);
    check(&[2, 3, 4, 5], || Upsample);
    check(&[2, 11, 9, 8], || Turn {
        to: (2, 72, 11).into(),
    });
    check(&[2, 3, 4, 5], || Shift {
        by: random(9, &[2, 3]),
    });
}

#[test]
fn attention_values_and_gradients() {
    use super::attention::{device, head::Sizes, keys::Keys};
    let marks: Vec<u8> = (0..2 * 9).map(|i| u8::from(i % 3 != 1)).collect();
    let marks = Tensor::from_vec(marks, (2, 9), &Device::Cpu).unwrap();
    for mask in [super::Mask::None, super::Mask::Causal, super::Mask::Keys(&marks)] {
        let vars = [11, 12, 13].map(|seed| Var::from_tensor(&random(seed, &[2, 9, 6])).unwrap());
        let [q, k, v] = vars.each_ref().map(|var| var.as_tensor().detach());
        let sizes = Sizes::of(&q, &k, 2).unwrap();
        let keys = Keys::new(mask, &sizes).unwrap();
        let y = super::attention(&vars[0], &vars[1], &vars[2], 2, mask).unwrap();
        assert_close(
            &device::forward(&q, &k, &v, &sizes, &keys).unwrap(),
            &y,
            "attention",
        );
        let dy = random(14, &[2, 9, 6]);
        let grads = (y * &dy).unwrap().sum_all().unwrap().backward().unwrap();
        let found = device::gradients([&q, &k, &v, &dy], &sizes, &keys).unwrap();
        for (var, found) in vars.iter().zip(&found) {
            assert_close(found, grads.get(var).unwrap(), "attention gradient");
        }
    }
}

#[test]
fn attention_columns_on_a_device() {
    use super::attention::{columns, head::Sizes};
    let (q, k) = (random(15, &[2, 5, 6]), random(16, &[2, 9, 6]));
    let picked = [vec![3, 8], vec![0, 0]];
    let sizes = Sizes::of(&q, &k, 2).unwrap();
    let wanted = super::attention_columns(&q, &k, 2, &picked).unwrap();
    assert_close(
        &columns::on_device(&q, &k, &sizes, &picked).unwrap(),
        &wanted,
        "columns",
    );
}
