//! The convolution and its gradient against plain sums in f64, over odd shapes.

use proptest::prelude::*;

use super::super::both_paths::random_values;
use super::*;

/// `y[o, y, x] = bias[o] + sum over c, i, j of weight[o, c, i, j] x[c, y + i - 1, x + j - 1]` for one image, in f64.
fn plain(x: &[f32], weight: &[f32], bias: &[f32], (inputs, h, w): (usize, usize, usize)) -> Vec<f64> {
    let mut y = Vec::new();
    for (output, bias) in bias.iter().enumerate() {
        for at in 0..h * w {
            let mut sum = f64::from(*bias);
            for (k, weight) in weight[output * inputs * 9..][..inputs * 9].iter().enumerate() {
                let (row, column) = (at / w + k % 9 / 3, at % w + k % 3);
                if (1..=h).contains(&row) && (1..=w).contains(&column) {
                    sum += f64::from(*weight) * f64::from(x[(k / 9 * h + row - 1) * w + column - 1]);
                }
            }
            y.push(sum);
        }
    }
    y
}

/// `weight` (outputs, inputs, 9) as (inputs, outputs, 9) with turned kernels.
fn turned(weight: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(weight.len());
    for input in 0..inputs {
        for output in 0..outputs {
            turned.extend(weight[(output * inputs + input) * 9..][..9].iter().rev());
        }
    }
    turned
}

fn check(found: &[f32], wanted: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        // Sums of up to 1350 products of about 0.75: about 30.
        prop_assert!(
            (f64::from(*found) - wanted).abs() < 6e-4,
            "{found} instead of {wanted}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn it_is_the_convolution_and_its_gradient(
        (inputs, outputs) in (1usize..150, 1usize..40), (height, width) in (1usize..30, 1usize..30), images in 1usize..4,
    ) {
        let maps = Maps { images, height, width };
        let (weight, bias) = (random_values(1, outputs * inputs * 9), random_values(2, outputs));
        let x = random_values(3, images * inputs * maps.plane());
        let y = convolve(Weight::new(&weight, outputs, inputs, false), Some(&bias), &x, maps);
        let (from, to) = (inputs * maps.plane(), outputs * maps.plane());
        for (x, y) in x.chunks(from).zip(y.chunks(to)) {
            check(y, &plain(x, &weight, &bias, (inputs, height, width)))?;
        }
        let dx = convolve(Weight::new(&weight, outputs, inputs, true), None, &y, maps);
        let (turned, none) = (turned(&weight, outputs, inputs), vec![0.0; inputs]);
        let largest = y.iter().fold(1f32, |largest, y| largest.max(y.abs()));
        for (y, dx) in y.chunks(to).zip(dx.chunks(from)) {
            let wanted = plain(y, &turned, &none, (outputs, height, width));
            let scaled: Vec<f64> = wanted.iter().map(|v| v / f64::from(largest)).collect();
            let found: Vec<f32> = dx.iter().map(|v| v / largest).collect();
            check(&found, &scaled)?;
        }
    }
}

#[test]
fn an_image_does_not_see_its_neighbours() {
    let weight = random_values(5, 24 * 40 * 9);
    let weight = Weight::new(&weight, 24, 40, false);
    let maps = |images| Maps {
        images,
        height: 10,
        width: 14,
    };
    let x = random_values(6, 5 * 40 * 140);
    let together = convolve(weight, None, &x, maps(5));
    for (x, y) in x.chunks(40 * 140).zip(together.chunks(24 * 140)) {
        assert_eq!(convolve(weight, None, x, maps(1)), y);
    }
}
