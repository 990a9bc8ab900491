//! Trained operators give the frozen operator's value, the gradients of candle's own operations, and the same bits for any
//! number of threads.
#![expect(clippy::unwrap_used, reason = "tests")]

use candle_core::{Result, Tensor, Var};
use proptest::prelude::*;

use super::super::both_paths::{assert_threads_change_nothing, bits, largest, random};
use super::super::{Chain, Conv2dGeometry, GroupNormSpec, by_candle, conv2d, group_norm, layer_norm, linear};

/// The value of `f` at variables, and the gradient of each under a pull.
fn pass(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Vec<Tensor> {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = f(&tracked).unwrap();
    let pull = random(99, y.dims());
    let grads = (&y * &pull).unwrap().sum_all().unwrap().backward().unwrap();
    let gradients = vars.iter().map(|var| grads.get(var).unwrap().clone());
    std::iter::once(y).chain(gradients).collect()
}

fn check(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    by_candle: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
) {
    let found = pass(&f, inputs);
    assert_eq!(bits(&found[0]), bits(&f(inputs).unwrap()), "the frozen value");
    for (i, (found, wanted)) in found.iter().zip(&pass(by_candle, inputs)).enumerate() {
        assert_eq!(found.dims(), wanted.dims(), "result {i}");
        let error = largest(&(found - wanted).unwrap()) / largest(wanted).max(1.0);
        assert!(error < 5e-5, "result {i} is off by {error}");
    }
}

fn check_conv2d(x: &[usize], weight: &[usize], biased: bool, geometry: Conv2dGeometry) {
    let inputs = [random(1, x), random(2, weight), random(3, &weight[..1])];
    check(
        |t| conv2d(&t[0], &t[1], t.get(2), geometry),
        |t| by_candle::conv2d(&t[0], &t[1], t.get(2), geometry),
        &inputs[..2 + usize::from(biased)],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn linear_maps(rows in 1usize..80, inputs in 1usize..50, outputs in 1usize..50, biased: bool) {
        let all = [random(1, &[2, rows, inputs]), random(2, &[outputs, inputs]), random(3, &[outputs])];
        check(
            |t| linear(&t[0], &t[1], t.get(2)),
            |t| by_candle::linear(&t[0], &t[1], t.get(2)),
            &all[..2 + usize::from(biased)],
        );
    }

    #[test]
    fn convolutions(
        (images, inputs, outputs) in (1usize..4, 1usize..6, 1usize..7), (height, width) in (2usize..26, 2usize..26),
        kernel in 1usize..5, padding in 0usize..3, biased: bool,
    ) {
        prop_assume!(height.min(width) + 2 * padding >= kernel);
        let geometry = Conv2dGeometry { stride: 1, padding };
        check_conv2d(&[images, inputs, height, width], &[outputs, inputs, kernel, kernel], biased, geometry);
    }

    /// Of square maps: candle pads both sides of the input's gradient as much as the height wants.
    #[test]
    fn convolutions_with_strides(
        (images, inputs, outputs) in (1usize..4, 1usize..6, 1usize..7), edge in 3usize..26, biased: bool,
        (kernel, stride, padding) in prop::sample::select(vec![(3, 2, 1), (2, 2, 0), (1, 2, 0), (3, 2, 0), (4, 3, 2)]),
    ) {
        let geometry = Conv2dGeometry { stride, padding };
        check_conv2d(&[images, inputs, edge, edge], &[outputs, inputs, kernel, kernel], biased, geometry);
    }

    #[test]
    fn group_norms(
        images in 1usize..4, (groups, per_group) in (1usize..5, 1usize..4), (height, width) in (2usize..30, 2usize..30),
        silu: bool,
    ) {
        let c = groups * per_group;
        let spec = GroupNormSpec { groups, eps: 1e-5, silu };
        check(
            |t| group_norm(&t[0], &t[1], &t[2], spec),
            |t| by_candle::group_norm(Chain::on(&t[0])?, &t[1], &t[2], spec),
            &[random(1, &[images, c, height, width]), random(2, &[c]), random(3, &[c])],
        );
    }

    #[test]
    fn layer_norms(rows in 1usize..90, width in 3usize..70) {
        check(
            |t| layer_norm(&t[0], &t[1], &t[2], 1e-5),
            |t| by_candle::layer_norm(Chain::on(&t[0])?, &t[1], &t[2], 1e-5),
            &[random(1, &[2, rows, width]), random(2, &[width]), random(3, &[width])],
        );
    }
}

#[test]
fn convolutions_by_winograds_way_and_in_several_tiles() {
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    check_conv2d(&[2, 17, 9, 8], &[19, 17, 3, 3], true, geometry);
    // 33300 rows of columns: a tile has 64 of the 110 pixels.
    check_conv2d(&[1, 3700, 10, 11], &[1, 3700, 3, 3], true, geometry);
}

#[test]
fn transposed_operands() {
    check(
        |t| linear(&t[0].t()?, &t[1].t()?, None),
        |t| by_candle::linear(&t[0].t()?, &t[1].t()?, None),
        &[random(1, &[7, 40]), random(2, &[7, 5])],
    );
}

/// A frozen operator's graph goes back once, a trained one's as often as is wanted.
#[test]
fn a_graph_goes_back_twice() {
    let weight = Var::from_tensor(&random(1, &[3, 5])).unwrap();
    let loss = linear(&random(2, &[4, 5]), &weight, None)
        .unwrap()
        .sum_all()
        .unwrap();
    let gradient = || bits(loss.backward().unwrap().get(&weight).unwrap());
    assert_eq!(gradient(), gradient());
}

/// The bits of the value and all gradients of every operator but convolutions, at sizes that are shared among threads.
fn everything() -> Vec<Vec<u32>> {
    let (scale, shift) = (random(1, &[48]), random(2, &[48]));
    let tokens = [random(3, &[2, 350, 48]), scale.clone(), shift.clone()];
    let map = [random(4, &[2, 48, 40, 40]), scale, shift];
    let spec = GroupNormSpec {
        groups: 4,
        eps: 1e-5,
        silu: true,
    };
    let matrix = [tokens[0].clone(), random(5, &[56, 48]), random(6, &[56])];
    let passes = [
        pass(|t| linear(&t[0], &t[1], t.get(2)), &matrix),
        pass(|t| layer_norm(&t[0], &t[1], &t[2], 1e-5), &tokens),
        pass(|t| group_norm(&t[0], &t[1], &t[2], spec), &map),
    ];
    passes.iter().flatten().map(bits).collect()
}

/// The same of all ways to convolve. Winograd's has one task for 24 channels out and three for 72, and cuts 136 in into blocks.
fn all_convolutions() -> Vec<Vec<u32>> {
    let convolved = |x: &[usize], weight: &[usize], (stride, padding): (usize, usize)| {
        let inputs = [random(4, x), random(7, weight), random(8, &weight[..1])];
        let geometry = Conv2dGeometry { stride, padding };
        pass(|t| conv2d(&t[0], &t[1], t.get(2), geometry), &inputs)
    };
    let passes = [
        convolved(&[2, 48, 40, 40], &[24, 48, 3, 3], (1, 1)),
        convolved(&[2, 136, 12, 12], &[72, 136, 3, 3], (1, 1)),
        convolved(&[2, 48, 40, 40], &[24, 48, 3, 3], (2, 1)),
        convolved(&[2, 48, 40, 40], &[24, 48, 1, 1], (1, 0)),
    ];
    passes.iter().flatten().map(bits).collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    assert_threads_change_nothing(everything);
    assert_threads_change_nothing(all_convolutions);
}
