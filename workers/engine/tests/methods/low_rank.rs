//! Where LoRA's factors start.

use std::sync::OnceLock;

use vico_engine::adapter::Adapter;
use vico_engine::methods::Recipe;
use vico_engine::methods::lora::{self, LoraSpec};

use crate::rig::{Method, Recorder, base, lora_spec, photos, recipe};

/// The factors before the first train step: at a rate of zero a train step leaves every bit as it was.
fn start(rank: usize) -> Adapter {
    let spec = LoraSpec {
        lr: 0.0,
        rank,
        ..lora_spec(recipe(1))
    };
    let references = photos(0..2);
    lora::train(base(), &spec, (&references, None), None, &mut Recorder::default()).unwrap()
}

/// The factors that [`lora_spec`]'s trainings start from.
pub(crate) fn untrained() -> &'static Adapter {
    static UNTRAINED: OnceLock<Adapter> = OnceLock::new();
    UNTRAINED.get_or_init(|| start(lora_spec(recipe(1)).rank))
}

/// The factors after two train steps that only gradients moved.
pub(crate) fn without_decay() -> Adapter {
    let recipe = Recipe {
        weight_decay: 0.0,
        ..recipe(2)
    };
    Method::Lora
        .train(recipe, None, &mut Recorder::default())
        .unwrap()
}

/// All values of every layer's factor `part`.
fn values(adapter: &Adapter, part: &str) -> Vec<f32> {
    let suffix = format!(".lora_{part}.weight");
    let factors = adapter
        .tensors()
        .iter()
        .filter(|(name, _)| name.ends_with(&suffix));
    factors
        .flat_map(|(_, factor)| factor.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect()
}

/// peft's `init_lora_weights="gaussian"`, which diffusers' script asks for: of a normal distribution 4.6 % lie beyond two
/// deviations, of a uniform one none.
#[test]
fn the_first_factor_starts_normal_and_the_second_at_zero() {
    for rank in [2, 8] {
        let start = start(rank);
        assert!(values(&start, "B").iter().all(|value| *value == 0.0));
        let first: Vec<f64> = values(&start, "A").into_iter().map(f64::from).collect();
        let share = |count: usize| count as f64 / first.len() as f64;
        let deviation = (first.iter().map(|value| value * value).sum::<f64>() / first.len() as f64).sqrt();
        let wanted = 1.0 / rank as f64;
        assert!(
            (deviation / wanted - 1.0).abs() < 0.05,
            "rank {rank}: a deviation of {deviation}"
        );
        let beyond = share(first.iter().filter(|value| value.abs() > 2.0 * wanted).count());
        assert!((0.03..0.06).contains(&beyond), "rank {rank}: {beyond}");
        let positive = share(first.iter().filter(|value| **value > 0.0).count());
        assert!((positive - 0.5).abs() < 0.05, "rank {rank}: {positive}");
    }
}
