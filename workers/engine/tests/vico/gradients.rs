//! The gradient of ViCo's whole loss: agrees with finite differences, reaches everything trained and nothing frozen.

use std::collections::HashSet;

use crate::tiny::{Concept, alone, base, batch, concept, values};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use vico_engine::methods::vico::pass::Pass;
use vico_engine::methods::vico::regulariser::regulariser;

fn pass(concept: &Concept) -> Pass {
    alone(&batch(), 0)
        .run(base(), &base().unet, &concept.learned)
        .unwrap()
}

fn masks(pass: &Pass) -> Vec<Vec<Vec<u32>>> {
    pass.sites.iter().map(|site| site.masks.kept.clone()).collect()
}

/// The slope of the loss along a tensor's own gradient, by central differences in which no mask changed, over the
/// gradient's norm: 1 if the gradient is right. The step is long enough for the loss to change by far more than f32
/// rounding.
fn slope_over_norm(concept: &Concept, variable: &Var, gradient: &Tensor) -> f64 {
    let norm = f64::from(
        gradient
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap(),
    )
    .sqrt();
    let start = variable.as_detached_tensor().copy().unwrap();
    let reference = masks(&pass(concept));
    let step = (1e-3 / norm).min(0.5);
    let loss = |sign: f64| {
        let direction = (gradient * (sign * step / norm)).unwrap();
        variable.set(&(&start + direction).unwrap()).unwrap();
        let pass = pass(concept);
        assert!(
            !concept.learned.use_mask || masks(&pass) == reference,
            "the step is too long: a mask changed"
        );
        f64::from(pass.mse.sum_all().unwrap().to_scalar::<f32>().unwrap())
    };
    let slope = (loss(1.0) - loss(-1.0)) / (2.0 * step);
    variable.set(&start).unwrap();
    slope / norm
}

fn gradient<'a>(store: &'a GradStore, variable: &Var) -> &'a Tensor {
    store.get(variable.as_tensor()).unwrap()
}

/// Without the mask, which S* moves in jumps that no gradient is meant to see. Catches any operator that cuts gradients:
/// the residual connections would still let a wrong one through.
#[test]
fn trap_21_the_embedding_agrees_with_finite_differences() {
    let mut concept = concept();
    concept.learned.use_mask = false;
    let store = pass(&concept).mse.sum_all().unwrap().backward().unwrap();
    let ratio = slope_over_norm(&concept, &concept.embedding, gradient(&store, &concept.embedding));
    assert!((ratio - 1.0).abs() < 5e-3, "{ratio}");
}

/// One tensor of each of the 20 kinds, taken from the sites in turn.
#[test]
fn every_kind_of_block_tensor_agrees_with_finite_differences() {
    let concept = concept();
    let store = pass(&concept).mse.sum_all().unwrap().backward().unwrap();
    for kind in 0..20 {
        let (name, variable) = &concept.blocks[kind + 20 * (kind % 4)];
        let ratio = slope_over_norm(&concept, variable, gradient(&store, variable));
        assert!((ratio - 1.0).abs() < 0.02, "{name}: {ratio}");
    }
}

/// A gradient for anything frozen would show up as an entry besides the variables'.
#[test]
fn trap_22_nothing_frozen_gets_a_gradient() {
    let concept = concept();
    let store = pass(&concept)
        .loss(5e-4)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let variables: HashSet<_> = concept
        .blocks
        .iter()
        .map(|(_, variable)| variable.id())
        .chain([concept.embedding.id()])
        .collect();
    assert_eq!(variables.len(), 81);
    let ids: Vec<candle_core::TensorId> = store.get_ids().copied().collect();
    let (trained, stray): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| variables.contains(id));
    assert_eq!(trained.len(), 81, "every variable has one");
    let sizes: Vec<usize> = stray
        .into_iter()
        .map(|id| store.get_id(id).unwrap().elem_count())
        .collect();
    // What stands beside a trained tensor in a sum or a concatenation: ε, the detached maps, position embeddings, the
    // first skip connection. The smallest frozen projection of the U-Net is larger than none of them.
    let all_small = sizes.iter().all(|size| *size <= 16 * 16 * 16);
    assert!(sizes.len() <= 16 && all_small, "{sizes:?}");
}

#[test]
fn a_batch_of_two_is_two_batches_of_one() {
    let concept = concept();
    let losses = |batch: &vico_engine::methods::vico::pass::Batch| {
        let pass = batch.run(base(), &base().unet, &concept.learned).unwrap();
        pass.loss(5e-4).unwrap().sum_all().unwrap()
    };
    let together = losses(&batch()).backward().unwrap();
    let apart: Vec<GradStore> = (0..2)
        .map(|row| losses(&alone(&batch(), row)).backward().unwrap())
        .collect();
    let variables = concept
        .blocks
        .iter()
        .map(|(_, variable)| variable)
        .chain([&concept.embedding]);
    for variable in variables {
        let sum = (gradient(&apart[0], variable) + gradient(&apart[1], variable)).unwrap();
        assert!(crate::tiny::relative(gradient(&together, variable), &sum) < 2e-5);
    }
}

#[test]
fn the_regulariser_agrees_with_finite_differences_also_through_the_maximum() {
    let map = [0.1f32, 0.7, 0.3, 0.2, 0.65, 0.4];
    let end_of_text = Tensor::new(&[[0.2f32, 0.1, 0.9, 0.5, 0.3, 0.3]], &Device::Cpu).unwrap();
    let loss = |map: &Tensor| regulariser(map, &end_of_text).unwrap().sum_all().unwrap();
    let variable = Var::from_tensor(&Tensor::new(&[map], &Device::Cpu).unwrap()).unwrap();
    let gradient = values(gradient(&loss(&variable).backward().unwrap(), &variable));
    for i in 0..map.len() {
        let moved = |by: f32| {
            let mut map = map;
            map[i] += by;
            loss(&Tensor::new(&[map], &Device::Cpu).unwrap())
                .to_scalar::<f32>()
                .unwrap()
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!(
            (slope - gradient[i]).abs() < 2e-3,
            "element {i}: {slope} {}",
            gradient[i]
        );
    }
}
