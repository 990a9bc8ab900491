//! Attention in bfloat16 beside that in f32. Rounded operands make exact products; what is left is the rounding of the
//! probabilities, a 256th of the largest value at most.
#![expect(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;

use super::super::both_paths::{largest, random};
use super::{Mask, attention, attention_bf16};

/// Compares values and gradients.
fn check((batch, heads, dim): (usize, usize, usize), queries: usize, keys: usize, mask: u8) {
    let rounded = |seed: u32, n: usize| {
        let values = random(seed, &[batch, n, heads * dim]);
        Var::from_tensor(
            &values
                .to_dtype(DType::BF16)
                .unwrap()
                .to_dtype(DType::F32)
                .unwrap(),
        )
        .unwrap()
    };
    let [q, k, v] = [rounded(1, queries), rounded(2, keys), rounded(3, keys)];
    let marks = (0..batch * keys).map(|i| u8::from(i % keys % 3 != 1)).collect();
    let marks = Tensor::from_vec::<_, u8>(marks, (batch, keys), &Device::Cpu).unwrap();
    let mask = [Mask::None, Mask::Causal, Mask::Keys(&marks)][usize::from(mask)];
    let wanted = attention(&q, &k, &v, heads, mask).unwrap();
    let found = attention_bf16(&q, &k, &v, heads, mask).unwrap();
    assert!(
        largest(&(&found - &wanted).unwrap()) < 1.5 / 256.0,
        "{queries} {keys} {mask:?}"
    );
    let dy = random(4, wanted.dims());
    let gradients = |y: &Tensor| (y * &dy).unwrap().sum_all().unwrap().backward().unwrap();
    let (wanted, found) = (gradients(&wanted), gradients(&found));
    for var in [&q, &k, &v] {
        let (wanted, found) = (wanted.get(var).unwrap(), found.get(var).unwrap());
        let error = largest(&(found - wanted).unwrap()) / largest(wanted).max(0.5);
        assert!(error < 0.02, "{queries} {keys} {mask:?}: {error}");
    }
}

/// The rounding of queries, keys and values is part of it, forwards and backwards.
#[test]
fn bf16_rounds_its_operands() {
    let operands = [
        random(5, &[1, 9, 16]),
        random(6, &[1, 11, 16]),
        random(7, &[1, 11, 16]),
    ];
    let rounded = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    let bits = |t: &Tensor| {
        let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let pass = |operands: [Tensor; 3]| {
        let [q, k, v] = operands.map(|t| Var::from_tensor(&t).unwrap());
        let y = attention_bf16(&q, &k, &v, 2, Mask::None).unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let of = |var: &Var| bits(gradients.get(var).unwrap());
        [bits(&y), of(&q), of(&k), of(&v)]
    };
    let [q, k, v] = &operands;
    let plain = attention(q, k, v, 2, Mask::None).unwrap();
    let [found, ..] = pass(operands.clone());
    assert_ne!(found, bits(&plain));
    assert_eq!(pass(operands.each_ref().map(rounded)), pass(operands));
}

proptest! {
    #[test]
    fn bf16_rounds_probabilities(
        (batch, heads, dim) in (1usize..3, 1usize..4, 1usize..50), queries in 1usize..70, keys in 1usize..90, mask in 0u8..3,
    ) {
        check((batch, heads, dim), queries, if mask == 1 { queries } else { keys }, mask);
    }
}

/// More keys than are rounded at a time, and an odd number of them.
#[test]
fn bf16_over_many_keys() {
    check((1, 2, 40), 50, 1101, 0);
}
