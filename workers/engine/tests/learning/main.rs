//! ViCo learns: a short training on a concept that the small trained model never saw. The margins were fixed before the
//! first run that counted; `manifests/world.yaml` is the whole comparison.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fixed_noise;
mod world;

use vico_engine::methods::vico::VicoSpec;
use vico_engine::metrics::mean_cosine;

use fixed_noise::loss;
use world::{base, dino, photos, samples, trained};

/// Train steps.
const STEPS: usize = 80;

#[test]
fn eighty_train_steps_bring_a_concept_nearer() {
    let spec = world::spec(STEPS);
    let untrained = VicoSpec {
        steps: 1,
        lr_embedding: 0.0,
        lr_image_attention: 0.0,
        weight_decay: 0.0,
        ..spec.clone()
    };
    let (before, after) = (trained(&untrained), trained(&spec));

    let (loss_before, loss_after) = (loss(base(), &before), loss(base(), &after));
    assert!(
        loss_after < 0.9 * loss_before,
        "loss on fixed noise: {loss_before} before, {loss_after} after"
    );

    let references = dino(&photos());
    let nearness = |adapter| {
        mean_cosine(&dino(&samples(adapter)), &references)
            .unwrap()
            .unwrap()
    };
    let (near_before, near_after) = (nearness(&before), nearness(&after));
    assert!(
        near_after > near_before + 0.15,
        "DINO similarity to the references: {near_before} before, {near_after} after"
    );
}
