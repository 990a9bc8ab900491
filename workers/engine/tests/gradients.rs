//! Every operator's gradient against finite differences, and nothing left behind for frozen tensors.
#![expect(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Result, Tensor, Var};
use vico_engine::kernels::{
    Chain, Conv2dGeometry, GroupNormSpec, Mask, add, attention, attention_columns, checkpoint, conv2d, geglu,
    gelu_erf, group_norm, layer_norm, linear, quick_gelu, silu, upsample_nearest,
};

/// Repeatable normal-ish numbers.
fn random(seed: u64, shape: &[usize]) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| next() + next() + next())
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Checks the gradients of `f` at every input, along three directions each, against central differences, and that the
/// store holds the inputs' gradients only.
fn check(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked).unwrap();
    let pull = random(99, y.dims());
    // The pull enters through a frozen operator too, or candle would keep its gradient.
    let rows = y.reshape((1, y.elem_count())).unwrap();
    let loss = linear(&rows, &pull.reshape((1, y.elem_count())).unwrap(), None)
        .unwrap()
        .sum_all()
        .unwrap();
    let grads = loss.backward().unwrap();
    assert_eq!(grads.get_ids().count(), inputs.len(), "gradients in the store");
    for (i, input) in inputs.iter().enumerate() {
        let gradient = grads.get(&vars[i]).unwrap();
        for direction in 0..3 {
            let direction = random(100 + direction, input.dims());
            let at = |step: f64| {
                let mut moved = inputs.to_vec();
                moved[i] = (input + (&direction * step).unwrap()).unwrap();
                dot(&f(&moved).unwrap(), &pull)
            };
            let measured = (at(2e-3) - at(-2e-3)) / 4e-3;
            let computed = dot(gradient, &direction);
            let size = norm(gradient) * norm(&direction) / (input.elem_count() as f64).sqrt();
            assert!(
                (measured - computed).abs() < 2e-3 * size.max(0.05),
                "input {i}: {measured} {computed} ({size})"
            );
        }
    }
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let wide = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
    (wide(a) * wide(b))
        .unwrap()
        .sum_all()
        .unwrap()
        .to_scalar()
        .unwrap()
}

fn norm(a: &Tensor) -> f64 {
    dot(a, a).sqrt()
}

#[test]
fn linear_frozen_and_trainable() {
    let (x, w, b) = (random(1, &[2, 7, 5]), random(2, &[6, 5]), random(3, &[6]));
    check(|t| linear(&t[0], &w, Some(&b)), std::slice::from_ref(&x));
    check(|t| linear(&t[0], &w, None), std::slice::from_ref(&x));
    let all = [x.clone(), w.clone(), b.clone()];
    check(|t| linear(&t[0], &t[1], Some(&t[2])), &all);
    check(|t| linear(&t[0], &t[1], None), &all[..2]);
    // What is not tracked gets none.
    check(|t| linear(&x, &t[0], Some(&t[1])), &all[1..]);
    check(|t| linear(&t[0], &t[1], Some(&b)), &all[..2]);
    check(|t| linear(&x, &t[0], Some(&b)), &all[1..2]);
    check(|t| linear(&x, &w, Some(&t[0])), &all[2..]);
}

#[test]
fn conv2d_frozen_and_trainable_in_every_geometry() {
    for (kernel, stride, padding) in [
        (1, 1, 0),
        (3, 1, 1),
        (3, 2, 1),
        (3, 2, 0),
        (2, 2, 0),
        (4, 3, 2),
        (1, 2, 0),
    ] {
        let (w, b) = (random(4, &[3, 2, kernel, kernel]), random(5, &[3]));
        let geometry = Conv2dGeometry { stride, padding };
        for shape in [[2, 2, 6, 7], [1, 2, 5, 4]] {
            let x = random(6, &shape);
            check(
                |t| conv2d(&t[0], &w, Some(&b), geometry),
                std::slice::from_ref(&x),
            );
            let all = [x.clone(), w.clone(), b.clone()];
            check(|t| conv2d(&t[0], &t[1], Some(&t[2]), geometry), &all);
            check(|t| conv2d(&t[0], &t[1], None, geometry), &all[..2]);
            check(|t| conv2d(&x, &t[0], Some(&b), geometry), &all[1..2]);
            check(|t| conv2d(&x, &w, Some(&t[0]), geometry), &all[2..]);
        }
    }
}

#[test]
fn norms_frozen_and_trainable() {
    let (x, w, b) = (random(10, &[2, 6, 3, 5]), random(11, &[6]), random(12, &[6]));
    let all = [x.clone(), w.clone(), b.clone()];
    for silu in [false, true] {
        let spec = GroupNormSpec {
            groups: 3,
            eps: 1e-5,
            silu,
        };
        check(|t| group_norm(&t[0], &w, &b, spec), &all[..1]);
        check(|t| group_norm(&t[0], &t[1], &t[2], spec), &all);
        check(|t| group_norm(&x, &t[0], &t[1], spec), &all[1..]);
        check(|t| group_norm(&t[0], &t[1], &b, spec), &all[..2]);
        check(|t| group_norm(&x, &w, &t[0], spec), &all[2..]);
    }
    let (x, w, b) = (random(13, &[2, 3, 20]), random(14, &[20]), random(15, &[20]));
    let all = [x.clone(), w.clone(), b.clone()];
    check(|t| layer_norm(&t[0], &w, &b, 1e-5), &all[..1]);
    check(|t| layer_norm(&t[0], &t[1], &t[2], 1e-5), &all);
    check(|t| layer_norm(&x, &t[0], &t[1], 1e-5), &all[1..]);
    check(|t| layer_norm(&t[0], &t[1], &b, 1e-5), &all[..2]);
    check(|t| layer_norm(&x, &w, &t[0], 1e-5), &all[2..]);
}

#[test]
fn a_trained_operator_amid_frozen_ones() {
    let (scale, shift, last) = (random(45, &[6]), random(46, &[6]), random(47, &[5, 4]));
    let block = |t: &[Tensor]| {
        let x = Chain::on(&t[0])?.layer_norm(&scale, &shift, 1e-5)?;
        x.linear(&t[1], t.get(2))?.geglu()?.linear(&last, None)?.end()
    };
    let all = [random(48, &[2, 3, 6]), random(49, &[8, 6]), random(50, &[8])];
    check(block, &all);
    check(block, &all[..2]);
}

#[test]
fn attention_under_every_mask() {
    // 150 queries: more than one tile.
    for (queries, keys) in [(5, 7), (150, 9), (3, 130)] {
        let inputs = [
            random(19, &[2, queries, 6]),
            random(20, &[2, keys, 6]),
            random(21, &[2, keys, 6]),
        ];
        check(|t| attention(&t[0], &t[1], &t[2], 2, Mask::None), &inputs);
        let marks: Vec<u8> = (0..2 * keys).map(|i| u8::from(i % 3 != 1)).collect();
        let mask = Tensor::from_vec(marks, (2, keys), &Device::Cpu).unwrap();
        check(|t| attention(&t[0], &t[1], &t[2], 2, Mask::Keys(&mask)), &inputs);
    }
    let inputs = [
        random(22, &[2, 140, 6]),
        random(23, &[2, 140, 6]),
        random(24, &[2, 140, 6]),
    ];
    check(|t| attention(&t[0], &t[1], &t[2], 3, Mask::Causal), &inputs);
}

#[test]
fn a_masked_key_has_no_gradient() {
    let k = Var::from_tensor(&random(25, &[1, 4, 6])).unwrap();
    let mask = Tensor::new(&[[1u8, 0, 1, 0]], &Device::Cpu).unwrap();
    let y = attention(
        &random(26, &[1, 5, 6]),
        &k,
        &random(27, &[1, 4, 6]),
        2,
        Mask::Keys(&mask),
    )
    .unwrap();
    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let rows = grads
        .get(&k)
        .unwrap()
        .sqr()
        .unwrap()
        .sum(2)
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    assert!(rows[0][0] > 0.0 && rows[0][2] > 0.0);
    assert_eq!((rows[0][1], rows[0][3]), (0.0, 0.0));
}

#[test]
fn attention_columns_including_a_column_twice() {
    let inputs = [random(28, &[2, 150, 6]), random(29, &[2, 9, 6])];
    check(
        |t| attention_columns(&t[0], &t[1], 2, &[vec![0, 8], vec![4, 4]]),
        &inputs,
    );
}

#[test]
fn element_wise_operators() {
    let x = random(30, &[3, 4, 10]);
    let activations = [silu as fn(&Tensor) -> Result<Tensor>, gelu_erf, quick_gelu, geglu];
    for f in activations {
        check(|t| f(&t[0]), std::slice::from_ref(&x));
    }
    check(|t| upsample_nearest(&t[0]), &[random(31, &[2, 3, 2, 3])]);
}

#[test]
fn sums_with_constants_keep_no_gradient_of_them() {
    let (x, y, by) = (
        random(32, &[2, 3, 2, 2]),
        random(33, &[2, 3, 2, 2]),
        random(34, &[2, 3]),
    );
    check(|t| add(&t[0], &y), std::slice::from_ref(&x));
    check(|t| add(&y, &t[0]), std::slice::from_ref(&x));
    check(|t| add(&t[0], &t[1]), &[x.clone(), y]);
    let shifted = |x: &Tensor, by: &Tensor| Chain::on(x)?.add_per_channel(by)?.end();
    check(|t| shifted(&t[0], &by), std::slice::from_ref(&x));
    check(|t| shifted(&t[0], &t[1]), &[x, by.clone()]);
}

/// A block with a residual, an attention and a norm, whose inputs are read more than once.
fn block(t: &[Tensor]) -> Result<Tensor> {
    let (w, b) = (random(35, &[6]), random(36, &[6]));
    let normal = layer_norm(&t[0], &w, &b, 1e-5)?;
    let mixed = attention(&normal, &t[1], &t[1], 2, Mask::None)?;
    add(
        &add(&t[0], &mixed)?,
        &linear(&normal, &random(37, &[6, 6]), None)?,
    )
}

#[test]
fn a_checkpoint_changes_neither_value_nor_gradient() {
    let inputs = [random(38, &[2, 5, 6]), random(39, &[2, 7, 6])];
    check(|t| checkpoint(block, t), &inputs);
    let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let vars = inputs.clone().map(|t| Var::from_tensor(&t).unwrap());
        let tracked = vars.clone().map(|v| v.as_tensor().clone());
        let y = f(&tracked).unwrap();
        let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        vars.iter().fold(vec![y], |mut all, var| {
            all.push(grads.get(var).unwrap().clone());
            all
        })
    };
    for (plain, checkpointed) in run(&block).iter().zip(run(&|t| checkpoint(block, t))) {
        let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(bits(plain), bits(&checkpointed));
    }
}

#[test]
fn a_checkpoint_takes_up_to_three_inputs_of_which_some_are_constant() {
    let inputs = [random(40, &[2, 3]), random(41, &[2, 3]), random(42, &[2, 3])];
    let product = |t: &[Tensor]| (&t[0] * &t[1])? * &t[2];
    check(|t| checkpoint(product, t), &inputs);
    let constant = inputs[1].clone();
    check(
        |t| checkpoint(product, &[t[0].clone(), constant.clone(), t[1].clone()]),
        &inputs[..2],
    );
    check(|t| checkpoint(|t| silu(&t[0]), t), &inputs[..1]);
    // An input the block ignores gets a gradient of zeros.
    let vars = [0, 1].map(|i| Var::from_tensor(&inputs[i]).unwrap());
    let tracked = [vars[0].as_tensor().clone(), (vars[1].as_tensor() * 2.0).unwrap()];
    let y = checkpoint(|t| silu(&t[0]), &tracked).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(norm(grads.get(&vars[1]).unwrap()) == 0.0);
}

#[test]
fn a_trainable_tensor_inside_a_checkpoint_is_an_error() {
    let weight = Var::from_tensor(&random(43, &[3, 3])).unwrap();
    let x = Var::from_tensor(&random(44, &[2, 3])).unwrap();
    let inside = move |t: &[Tensor]| linear(&t[0], &weight, None);
    let error = checkpoint(inside, &[x.as_tensor().clone()]).unwrap_err();
    assert!(error.to_string().contains("trainable"), "{error}");
}
