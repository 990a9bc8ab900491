//! Every operator's value against a plain scalar computation in f64, over odd shapes.
#![expect(clippy::unwrap_used, reason = "tests")]

use candle_core::{Device, Result, Tensor};
use proptest::prelude::*;
use vico_engine::kernels::{
    Chain, Conv2dGeometry, GroupNormSpec, Mask, add, attention, attention_columns, conv2d, geglu, gelu_erf,
    group_norm, layer_norm, linear, quick_gelu, silu, upsample_nearest,
};

/// Repeatable numbers, spread over about -1.7..1.7.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(((state >> 40) as f32 / 8_388_608.0 - 1.0) * 1.7)
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn close(found: &Tensor, wanted: &[f64], tolerance: f64) -> std::result::Result<(), TestCaseError> {
    let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    prop_assert_eq!(found.len(), wanted.len());
    for (i, (f, w)) in found.iter().zip(wanted).enumerate() {
        prop_assert!(
            (f64::from(*f) - w).abs() <= tolerance * w.abs().max(1.0),
            "[{}] {} instead of {}",
            i,
            f,
            w
        );
    }
    Ok(())
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn normal_cdf(x: f64) -> f64 {
    0.5 + 0.5 * candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2)
}

fn mean_and_spread(x: &[f64], eps: f64) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
    (mean, (variance + eps).sqrt())
}

/// Whether f32 can tell a group's elements from its mean: both may lie at 50.
fn is_spread(group: &[f64]) -> bool {
    mean_and_spread(group, 0.0).1 > 0.1
}

/// Softmax attention of one query row over the keys that are `seen`; returns probabilities.
fn softmax_row(q: &[f64], keys: &[&[f64]], seen: &[bool]) -> Vec<f64> {
    let scale = 1.0 / (q.len() as f64).sqrt();
    let logit = |k: &[f64]| q.iter().zip(k).map(|(a, b)| a * b).sum::<f64>() * scale;
    let weights: Vec<f64> = keys
        .iter()
        .zip(seen)
        .map(|(k, s)| if *s { logit(k).exp() } else { 0.0 })
        .collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// The row of `head` in token `n` of sample `b`, of rows (b, tokens, heads·d).
fn slot(x: &[f64], (b, n, head): (usize, usize, usize), (tokens, heads, d): (usize, usize, usize)) -> &[f64] {
    &x[((b * tokens + n) * heads + head) * d..][..d]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn linear_is_a_matrix_product(rows in 1usize..40, inputs in 1usize..70, outputs in 1usize..50, bias: bool) {
        let (x, w, b) = (numbers(1, rows * inputs), numbers(2, outputs * inputs), numbers(3, outputs));
        let bias_tensor = tensor(&b, &[outputs]);
        let y = linear(&tensor(&x, &[1, rows, inputs]), &tensor(&w, &[outputs, inputs]), bias.then_some(&bias_tensor));
        let wanted: Vec<f64> = (0..rows * outputs).map(|i| {
            let (x, w) = (&x[i / outputs * inputs..][..inputs], &w[i % outputs * inputs..][..inputs]);
            x.iter().zip(w).map(|(a, b)| a * b).sum::<f64>() + if bias { b[i % outputs] } else { 0.0 }
        }).collect();
        close(&y.unwrap(), &wanted, 2e-5)?;
    }

    #[test]
    fn conv2d_is_a_cross_correlation(
        (images, cin, cout) in (1usize..3, 1usize..5, 1usize..6),
        (h, w) in (1usize..12, 1usize..12),
        kernel in 1usize..5, stride in 1usize..4, padding in 0usize..3, bias: bool,
    ) {
        prop_assume!(h.min(w) + 2 * padding >= kernel);
        let x = numbers(4, images * cin * h * w);
        let (weight, b) = (numbers(5, cout * cin * kernel * kernel), numbers(6, cout));
        let (oh, ow) = ((h + 2 * padding - kernel) / stride + 1, (w + 2 * padding - kernel) / stride + 1);
        let mut wanted = Vec::new();
        for image in 0..images { for out in 0..cout { for oy in 0..oh { for ox in 0..ow {
            let mut sum = if bias { b[out] } else { 0.0 };
            for c in 0..cin { for ky in 0..kernel { for kx in 0..kernel {
                let (y, x_) = ((oy * stride + ky).wrapping_sub(padding), (ox * stride + kx).wrapping_sub(padding));
                if y < h && x_ < w {
                    sum += x[((image * cin + c) * h + y) * w + x_] * weight[((out * cin + c) * kernel + ky) * kernel + kx];
                }
            } } }
            wanted.push(sum);
        } } } }
        let bias_tensor = tensor(&b, &[cout]);
        let y = conv2d(&tensor(&x, &[images, cin, h, w]), &tensor(&weight, &[cout, cin, kernel, kernel]),
            bias.then_some(&bias_tensor), Conv2dGeometry { stride, padding }).unwrap();
        prop_assert_eq!(y.dims(), [images, cout, oh, ow]);
        close(&y, &wanted, 2e-5)?;
    }

    #[test]
    fn group_norm_normalises_groups(
        images in 1usize..3, groups in 1usize..5, per_group in 1usize..4, (h, w) in (1usize..9, 1usize..9),
        fused: bool, offset in -50f64..50.0,
    ) {
        let (c, plane) = (groups * per_group, h * w);
        let x: Vec<f64> = numbers(7, images * c * plane).iter().map(|v| f64::from((v + offset) as f32)).collect();
        let (weight, bias) = (numbers(8, c), numbers(9, c));
        prop_assume!(x.chunks(per_group * plane).all(is_spread));
        let mut wanted = Vec::new();
        for (index, group) in x.chunks(per_group * plane).enumerate() {
            let (mean, spread) = mean_and_spread(group, 1e-5);
            for (i, v) in group.iter().enumerate() {
                let channel = index % groups * per_group + i / plane;
                let z = (v - mean) / spread * weight[channel] + bias[channel];
                wanted.push(if fused { z * sigmoid(z) } else { z });
            }
        }
        let spec = GroupNormSpec { groups, eps: 1e-5, silu: fused };
        let y = group_norm(&tensor(&x, &[images, c, h, w]), &tensor(&weight, &[c]), &tensor(&bias, &[c]), spec);
        close(&y.unwrap(), &wanted, 2e-4)?;
    }

    #[test]
    fn layer_norm_normalises_rows(rows in 1usize..20, width in 2usize..70, offset in -50f64..50.0) {
        let x: Vec<f64> = numbers(10, rows * width).iter().map(|v| f64::from((v + offset) as f32)).collect();
        let (weight, bias) = (numbers(11, width), numbers(12, width));
        prop_assume!(x.chunks(width).all(is_spread));
        let wanted: Vec<f64> = x.chunks(width).flat_map(|row| {
            let (mean, spread) = mean_and_spread(row, 1e-5);
            row.iter().enumerate().map(|(i, v)| (v - mean) / spread * weight[i] + bias[i]).collect::<Vec<_>>()
        }).collect();
        let y = layer_norm(&tensor(&x, &[rows, width]), &tensor(&weight, &[width]), &tensor(&bias, &[width]), 1e-5);
        close(&y.unwrap(), &wanted, 2e-4)?;
    }

    #[test]
    fn attention_is_a_weighted_mean(
        (batch, heads, d) in (1usize..3, 1usize..4, 1usize..12),
        queries in 1usize..70, keys in 1usize..90, masking in 0u8..3, seed: u64,
    ) {
        let keys = if masking == 1 { queries } else { keys };
        let width = heads * d;
        let (q, k, v) = (numbers(13, batch * queries * width), numbers(14, batch * keys * width), numbers(15, batch * keys * width));
        let mut marks: Vec<u8> = numbers(seed, batch * keys).iter().map(|v| u8::from(*v > 0.4)).collect();
        for row in marks.chunks_mut(keys) {
            row[(seed % keys as u64) as usize] = 1;
        }
        let mut wanted = vec![0.0; q.len()];
        for b in 0..batch { for n in 0..queries { for head in 0..heads {
            let rows: Vec<&[f64]> = (0..keys).map(|m| slot(&k, (b, m, head), (keys, heads, d))).collect();
            let seen: Vec<bool> = (0..keys).map(|m| match masking { 0 => true, 1 => m <= n, _ => marks[b * keys + m] == 1 }).collect();
            let p = softmax_row(slot(&q, (b, n, head), (queries, heads, d)), &rows, &seen);
            for (m, p) in p.iter().enumerate() {
                for (c, v) in slot(&v, (b, m, head), (keys, heads, d)).iter().enumerate() {
                    wanted[((b * queries + n) * heads + head) * d + c] += p * v;
                }
            }
        } } }
        let mask_tensor = Tensor::from_vec(marks, (batch, keys), &Device::Cpu).unwrap();
        let mask = match masking { 0 => Mask::None, 1 => Mask::Causal, _ => Mask::Keys(&mask_tensor) };
        let (q, k, v) = (tensor(&q, &[batch, queries, width]), tensor(&k, &[batch, keys, width]), tensor(&v, &[batch, keys, width]));
        close(&attention(&q, &k, &v, heads, mask).unwrap(), &wanted, 1e-5)?;
    }

    #[test]
    fn attention_columns_are_head_means(
        (batch, heads, d) in (1usize..3, 1usize..4, 1usize..12), queries in 1usize..70, keys in 2usize..90, pick: u64,
    ) {
        let width = heads * d;
        let (q, k) = (numbers(16, batch * queries * width), numbers(17, batch * keys * width));
        let columns: Vec<Vec<usize>> = (0..batch).map(|b| vec![(pick as usize).wrapping_add(b) % keys, (pick >> 8) as usize % keys]).collect();
        let mut wanted = Vec::new();
        for (b, columns) in columns.iter().enumerate() { for n in 0..queries { for column in columns {
            let mean = (0..heads).map(|head| {
                let rows: Vec<&[f64]> = (0..keys).map(|m| slot(&k, (b, m, head), (keys, heads, d))).collect();
                softmax_row(slot(&q, (b, n, head), (queries, heads, d)), &rows, &vec![true; keys])[*column]
            }).sum::<f64>() / heads as f64;
            wanted.push(mean);
        } } }
        let maps = attention_columns(&tensor(&q, &[batch, queries, width]), &tensor(&k, &[batch, keys, width]), heads, &columns);
        close(&maps.unwrap(), &wanted, 1e-6)?;
    }

    #[test]
    fn activations_follow_their_formulas(x in proptest::collection::vec(-9f32..9.0, 2..200)) {
        let x: Vec<f64> = x[..x.len() / 2 * 2].iter().map(|v| f64::from(*v)).collect();
        let t = tensor(&x, &[1, x.len()]);
        let map = |f: fn(f64) -> f64| x.iter().map(|v| f(*v)).collect::<Vec<_>>();
        close(&silu(&t).unwrap(), &map(|v| v * sigmoid(v)), 1e-6)?;
        close(&gelu_erf(&t).unwrap(), &map(|v| v * normal_cdf(v)), 1e-6)?;
        close(&quick_gelu(&t).unwrap(), &map(|v| v * sigmoid(1.702 * v)), 1e-6)?;
        let (value, gate) = x.split_at(x.len() / 2);
        let gated: Vec<f64> = value.iter().zip(gate).map(|(v, g)| v * g * normal_cdf(*g)).collect();
        // Φ is 1 minus something in the left tail, here and in PyTorch, and the value multiplies its rounding.
        close(&geglu(&t).unwrap(), &gated, 4e-6)?;
    }

    #[test]
    fn sums_and_doublings_are_exact((b, c, h, w) in (1usize..3, 1usize..5, 1usize..6, 1usize..6)) {
        let (x, y, by) = (numbers(18, b * c * h * w), numbers(19, b * c * h * w), numbers(20, b * c));
        let shape = [b, c, h, w];
        let sum: Vec<f64> = x.iter().zip(&y).map(|(a, b)| a + b).collect();
        close(&add(&tensor(&x, &shape), &tensor(&y, &shape)).unwrap(), &sum, 1e-6)?;
        let shifted: Vec<f64> = x.iter().enumerate().map(|(i, v)| v + by[i / (h * w)]).collect();
        let y = Chain::on(&tensor(&x, &shape)).unwrap().add_per_channel(&tensor(&by, &[b, c]));
        close(&y.unwrap().end().unwrap(), &shifted, 1e-6)?;
        let doubled: Vec<f64> = (0..4 * x.len()).map(|i| x[i / (4 * h * w) * h * w + i / (2 * w) % (2 * h) / 2 * w + i % (2 * w) / 2]).collect();
        close(&upsample_nearest(&tensor(&x, &shape)).unwrap(), &doubled, 0.0)?;
    }
}

/// One pass of everything with a backward pass, for comparing thread counts.
fn everything() -> Vec<Vec<f32>> {
    let var = |seed, shape: &[usize]| {
        let values = numbers(seed, shape.iter().product());
        candle_core::Var::from_tensor(&tensor(&values, shape)).unwrap()
    };
    let frozen = |seed, shape: &[usize]| var(seed, shape).as_detached_tensor();
    let (x, tokens) = (var(21, &[2, 16, 40, 40]), var(22, &[2, 300, 48]));
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    let run = || -> Result<Vec<Tensor>> {
        let y = conv2d(
            x.as_tensor(),
            &frozen(23, &[16, 16, 3, 3]),
            Some(&frozen(24, &[16])),
            geometry,
        )?;
        let y = group_norm(
            &y,
            &frozen(25, &[16]),
            &frozen(26, &[16]),
            GroupNormSpec {
                groups: 4,
                eps: 1e-5,
                silu: true,
            },
        )?;
        let t = layer_norm(tokens.as_tensor(), &frozen(27, &[48]), &frozen(28, &[48]), 1e-5)?;
        let k = linear(&t, &frozen(29, &[48, 48]), None)?;
        let t = attention(&t, &k, &t, 4, Mask::Causal)?;
        let maps = attention_columns(&t, &k, 4, &[vec![3, 9], vec![0, 299]])?;
        let loss = ((y.sqr()?.sum_all()? + t.sqr()?.sum_all()?)? + maps.sqr()?.sum_all()?)?;
        let grads = loss.backward()?;
        Ok(vec![
            y,
            t,
            maps,
            grads.get(&x).unwrap().clone(),
            grads.get(&tokens).unwrap().clone(),
        ])
    };
    run()
        .unwrap()
        .iter()
        .map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let with = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(everything)
    };
    let one = with(1);
    for threads in [2, 3, 7] {
        let many = with(threads);
        for (a, b) in one.iter().zip(&many) {
            assert!(
                a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
                "differs with {threads} threads"
            );
        }
    }
}

#[test]
fn large_maps_are_convolved_in_tiles() {
    // 96 channels at 160x160: the whole matrix would have 22 million elements, several tiles of it are used.
    let (c, edge) = (96, 160);
    let x = tensor(&numbers(30, c * edge * edge), &[1, c, edge, edge]);
    let weight = tensor(&numbers(31, 2 * c * 9), &[2, c, 3, 3]);
    let y = conv2d(
        &x,
        &weight,
        None,
        Conv2dGeometry {
            stride: 1,
            padding: 1,
        },
    )
    .unwrap();
    let wanted = x.conv2d(&weight, 1, 1, 1, 1).unwrap();
    let errors = (y - wanted).unwrap().flatten_all().unwrap();
    let errors = errors.to_vec1::<f32>().unwrap();
    assert!(errors.into_iter().all(|error| error.abs() < 1e-3));
}

#[test]
fn what_does_not_fit_is_an_error_and_no_panic() {
    let t = |shape: &[usize]| tensor(&numbers(32, shape.iter().product()), shape);
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 0,
    };
    let none = Tensor::zeros((1, 4), candle_core::DType::U8, &Device::Cpu).unwrap();
    let spec = GroupNormSpec {
        groups: 3,
        eps: 1e-5,
        silu: false,
    };
    let (q, k) = (t(&[1, 5, 6]), t(&[1, 4, 6]));
    let failures = [
        linear(&t(&[2, 3]), &t(&[4, 5]), None),
        linear(&t(&[2, 0]), &t(&[4, 0]), None),
        linear(&t(&[2, 3]), &t(&[0, 3]), None),
        linear(&t(&[2, 3]), &t(&[4, 3]), Some(&t(&[3]))),
        conv2d(&t(&[1, 2, 2, 2]), &t(&[1, 2, 3, 3]), None, geometry),
        conv2d(&t(&[1, 2, 4, 4]), &t(&[1, 3, 3, 3]), None, geometry),
        conv2d(
            &t(&[1, 2, 4, 4]),
            &t(&[1, 2, 3, 3]),
            None,
            Conv2dGeometry {
                stride: 0,
                padding: 1,
            },
        ),
        group_norm(&t(&[1, 4, 2, 2]), &t(&[4]), &t(&[4]), spec),
        layer_norm(&t(&[2, 4]), &t(&[3]), &t(&[4]), 1e-5),
        attention(&q, &k, &k, 4, Mask::None),
        attention(&q, &k, &k, 0, Mask::None),
        attention(&q, &k, &k, 2, Mask::Causal),
        attention(&q, &k, &k, 2, Mask::Keys(&none)),
        attention(&q, &k, &q, 2, Mask::None),
        attention_columns(&q, &k, 2, &[vec![4]]),
        attention_columns(&q, &k, 2, &[vec![]]),
        geglu(&t(&[2, 3])),
        add(&t(&[2, 3]), &t(&[3, 2])),
    ];
    for (i, result) in failures.iter().enumerate() {
        assert!(result.is_err(), "case {i}");
    }
}

#[test]
fn large_logits_do_not_overflow() {
    let q = (tensor(&numbers(33, 6 * 8), &[1, 6, 8]) * 1e4).unwrap();
    let y = attention(&q, &q, &q, 2, Mask::None)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    assert!(y.iter().all(|v| v.is_finite()));
}
