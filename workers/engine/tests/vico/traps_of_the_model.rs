//! One test per trap of the specification's section 10 that concerns the forward and backward pass, by its number.
//! Traps 21 and 22 are in `gradients`; 16 to 20 concern other people's programs.

use candle_core::{Device, Tensor};
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::kernels::{self, Mask};
use vico_engine::methods::sampling::{NoisePredictor, Plain};
use vico_engine::methods::vico::otsu::Masks;
use vico_engine::methods::vico::parameters;
use vico_engine::methods::vico::pass::Pass;
use vico_engine::methods::vico::regulariser::regulariser;
use vico_engine::methods::vico::sample::TwoBranches;
use vico_engine::models::unet::{Site, UNetConfig};

use crate::tiny::{Concept, alone, base, batch, concept, fixture, normal, relative, sample_spec, values};

fn run(concept: &Concept, batch: &vico_engine::methods::vico::pass::Batch) -> Pass {
    batch.run(base(), &base().unet, &concept.learned).unwrap()
}

/// Stable Diffusion v1's own widths, in the fixture's configuration.
fn published_sites() -> Vec<Site> {
    let text = std::fs::read_to_string(fixture("tiny-sd/unet/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["block_out_channels"] = vec![320, 640, 1280, 1280].into();
    config["norm_num_groups"] = 32.into();
    config["cross_attention_dim"] = 768.into();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    UNetConfig::load(dir.path()).unwrap().sites()
}

#[test]
fn trap_01_the_module_is_a_whole_transformer_block() {
    let sites = published_sites();
    let chosen: Vec<usize> = sites
        .iter()
        .filter(|site| parameters::is_ica(site))
        .map(|site| site.index)
        .collect();
    assert_eq!(chosen, [8, 10, 12, 14]);
    let all: Vec<_> = sites
        .iter()
        .filter(|site| parameters::is_ica(site))
        .flat_map(parameters::of_site)
        .collect();
    assert_eq!(all.len(), 80);
    let count: usize = all.iter().map(|spec| spec.shape.iter().product::<usize>()).sum();
    assert_eq!(count, 51_248_960);
    for site in sites.iter().filter(|site| parameters::is_ica(site)) {
        let of_site: usize = parameters::of_site(site)
            .iter()
            .map(|spec| spec.shape.iter().product::<usize>())
            .sum();
        assert_eq!(of_site, 20 * site.width * site.width + 17 * site.width);
    }
}

/// Masked tokens have no influence at all, and the others share the whole weight between them.
#[test]
fn trap_02_logits_are_masked_before_the_softmax() {
    let concept = concept();
    let site = &base().unet.config().sites()[10];
    let block = concept.learned.image_attention.block(site).unwrap();
    let tokens = |i| {
        let key = crate::tiny::key(i);
        key.stream(Purpose::TrainNoise, 0)
            .normal((1, 8, site.width), &Device::Cpu)
            .unwrap()
    };
    let mask = Tensor::new(&[[1u8, 1, 0, 0, 0, 0, 0, 0]], &Device::Cpu).unwrap();
    let out = |reference: &Tensor| {
        let reference = block.key_values(reference).unwrap();
        values(&block.forward(&tokens(0), &reference, Mask::Keys(&mask)).unwrap())
    };
    let (kept, other) = (
        tokens(1).narrow(1, 0, 2).unwrap(),
        tokens(2).narrow(1, 2, 6).unwrap(),
    );
    assert_eq!(out(&tokens(1)), out(&Tensor::cat(&[kept, other], 1).unwrap()));
}

/// The reference never sees the noise, but the time step it does.
#[test]
fn trap_03_the_reference_is_clean_and_has_the_targets_time_step() {
    let concept = concept();
    let maps = |noise: u64, timestep| {
        let mut batch = alone(&batch(), 0);
        let key = NoiseKey {
            image: noise,
            ..crate::tiny::key(0)
        };
        batch.noise = key
            .stream(Purpose::TrainNoise, 1)
            .normal((1, 4, 16, 16), &Device::Cpu)
            .unwrap();
        batch.timesteps = vec![timestep];
        let pass = run(&concept, &batch);
        pass.sites
            .iter()
            .map(|site| values(&site.regulariser)[0].to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        maps(0, 500),
        maps(1, 500),
        "bit by bit, whatever the target's noise"
    );
    assert_ne!(maps(0, 500), maps(0, 20));
}

#[test]
fn trap_04_every_sample_has_its_own_mask() {
    let concept = concept();
    let together = run(&concept, &batch());
    for row in 0..2 {
        let apart = run(&concept, &alone(&batch(), row));
        for (both, one) in together.sites.iter().zip(&apart.sites) {
            assert_eq!(both.masks.kept[row], one.masks.kept[0]);
        }
        let part = together.predicted.narrow(0, row, 1).unwrap();
        assert!(relative(&part, &apart.predicted) < 1e-5);
    }
    assert!(
        together
            .sites
            .iter()
            .any(|site| site.masks.kept[0] != site.masks.kept[1])
    );
}

/// The regulariser is a function of the reference branch alone.
#[test]
fn trap_05_gradients_reach_the_embedding_through_the_reference() {
    let concept = concept();
    let pass = run(&concept, &alone(&batch(), 0));
    let store = pass.regulariser().unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = store.get(concept.embedding.as_tensor()).unwrap();
    assert!(values(gradient).iter().any(|value| value.abs() > 1e-4));
    for (name, variable) in &concept.blocks {
        let gradient = store.get(variable.as_tensor()).map(values).unwrap_or_default();
        assert!(gradient.iter().all(|value| *value == 0.0), "{name}");
    }
}

#[test]
fn trap_10_thresholds_are_nine_on_min_max_normalised_values() {
    let map = Tensor::new(&[[10f32, 10.3, 10.31, 10.6, 11.0]], &Device::Cpu).unwrap();
    let masks = Masks::of(&map).unwrap();
    assert_eq!(masks.thresholds, [0.4]);
    assert_eq!(masks.kept, [vec![3, 4]]);
}

/// Only the maximum normalises, only the placeholder's side has a gradient, and the sites are summed.
#[test]
fn trap_11_the_regulariser() {
    let map = |values: [f32; 2]| candle_core::Var::new(&[values], &Device::Cpu).unwrap();
    let (placeholder, end_of_text) = (map([0.4, 0.2]), map([0.1, 0.2]));
    let loss = regulariser(&placeholder, &end_of_text).unwrap();
    assert_eq!(values(&loss), [0.25], "((1 - 0.5)² + (0.5 - 1)²) / 2");
    let store = loss.sum_all().unwrap().backward().unwrap();
    assert!(store.get(placeholder.as_tensor()).is_some() && store.get(end_of_text.as_tensor()).is_none());
    let pass = run(&concept(), &batch());
    let sum = pass
        .sites
        .iter()
        .fold(0.0, |sum, site| sum + values(&site.regulariser)[1]);
    assert!((values(&pass.regulariser().unwrap())[1] - sum).abs() < 1e-6);
}

/// Guidance amplifies the text only: without it the unconditional half would not see the photo.
#[test]
fn trap_14_both_halves_look_at_the_photo() {
    let concept = concept();
    let latents = normal(Purpose::InitialLatents, 1);
    let reference = normal(Purpose::ReferencePosterior, 1);
    let mut predictor = TwoBranches::new(base(), &concept.learned, &sample_spec(1), &reference).unwrap();
    predictor.prepare(500).unwrap();
    let seen = predictor.predict(500, &latents).unwrap();
    let ids = ["", "a red *"].map(|prompt| base().tokenizer.encode(prompt).unwrap().ids);
    let context = concept.learned.context(base(), &ids).unwrap();
    let blind = Plain {
        unet: &base().unet,
        context,
    }
    .predict(500, &latents)
    .unwrap();
    assert!(relative(&seen.unconditional, &blind.unconditional) > 1e-3);
    assert!(relative(&seen.conditional, &blind.conditional) > 1e-3);
}

/// With blocks that pass everything on, nothing is left but Stable Diffusion.
#[test]
fn identity_blocks_are_plain_stable_diffusion() {
    let concept = concept();
    for (name, variable) in &concept.blocks {
        if name.contains("to_out") || name.contains("net.2") {
            variable.set(&variable.zeros_like().unwrap()).unwrap();
        }
    }
    let pass = run(&concept, &batch());
    let context = concept.learned.context(base(), &batch().ids).unwrap();
    let mut hook = vico_engine::models::unet::PlainSd;
    let plain = base()
        .unet
        .forward(&pass.noisy, &[300.0, 700.0], &context, &mut hook)
        .unwrap();
    assert!(relative(&pass.predicted, &plain) < 1e-5);
}

/// The tanh approximation gives 0.84119.
#[test]
fn trap_24_gelu_is_exact() {
    let gated = kernels::geglu(&Tensor::new(&[[1f32, 1.0]], &Device::Cpu).unwrap()).unwrap();
    assert!((values(&gated)[0] - 0.841_344_7).abs() < 1e-6);
}

/// candle's own maximum gives every tie the full gradient.
#[test]
fn trap_25_of_equal_maxima_one_gets_the_gradient() {
    let placeholder = candle_core::Var::new(&[[0.5f32, 0.5, 0.1]], &Device::Cpu).unwrap();
    let end_of_text = Tensor::new(&[[0.1f32, 0.2, 0.2]], &Device::Cpu).unwrap();
    let loss = regulariser(&placeholder, &end_of_text)
        .unwrap()
        .sum_all()
        .unwrap();
    let store = loss.backward().unwrap();
    let gradient = values(store.get(placeholder.as_tensor()).unwrap());
    // u = a / max a does not change if a is scaled, so the gradient is orthogonal to a.
    let along = 0.5 * gradient[0] + 0.5 * gradient[1] + 0.1 * gradient[2];
    assert!(along.abs() < 1e-6, "{gradient:?}");
}
