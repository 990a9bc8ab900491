//! One test per trap of the specification (its section 10), named by the trap's number. Traps 16 to 20 concern other
//! people's programs; 16's lesson (an adapter with wrong names) is in `training`.

use candle_core::{DType, Device, Tensor};
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::image::Rgb8;
use vico_engine::image::resample::{Filter, resize};
use vico_engine::kernels::{self, Mask};
use vico_engine::methods::sampling::{NoisePredictor, Plain};
use vico_engine::methods::training::{AdamW, AdamWSpec, Gradients, Parameter, ParameterGroup};
use vico_engine::methods::vico::branches::Columns;
use vico_engine::methods::vico::ica::ImageAttention;
use vico_engine::methods::vico::learned::columns;
use vico_engine::methods::vico::otsu::Masks;
use vico_engine::methods::vico::pass::Pass;
use vico_engine::methods::vico::regulariser::regulariser;
use vico_engine::methods::vico::sample::TwoBranches;
use vico_engine::methods::vico::{VicoSpec, parameters, sample, train};
use vico_engine::models::unet::{Part, Site, UNetConfig};

use crate::tiny::{
    Concept, Recorder, SIZE, alone, base, batch, concept, fixture, normal, photos, relative, sample_spec,
    spec, values,
};

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

/// Adam's first step moves a tensor by about its learning rate, whatever the gradient's size.
#[test]
fn trap_06_and_26_each_group_has_its_own_learning_rate() {
    let spec = VicoSpec {
        steps: 1,
        lr_embedding: 2e-2,
        lr_image_attention: 3e-5,
        weight_decay: 0.0,
        ..spec()
    };
    let adapter = train(base(), &spec, &photos(2), None, &mut Recorder::default()).unwrap();
    let start = train(
        base(),
        &VicoSpec {
            lr_embedding: 0.0,
            lr_image_attention: 0.0,
            ..spec.clone()
        },
        &photos(2),
        None,
        &mut Recorder::default(),
    )
    .unwrap();
    for (name, tensor) in adapter.tensors() {
        let lr = if name.starts_with("string") { 2e-2 } else { 3e-5 };
        let moved = values(&(tensor - &start.tensors()[name]).unwrap());
        let largest = moved
            .into_iter()
            .fold(0.0, |largest: f32, value| largest.max(value.abs()));
        assert!((largest / lr - 1.0).abs() < 0.05, "{name}: {largest}");
    }
}

#[test]
fn trap_07_weight_decay_reaches_every_tensor() {
    let parameter = |name: &str| Parameter {
        name: name.to_owned(),
        value: candle_core::Var::ones(3, DType::F32, &Device::Cpu).unwrap(),
    };
    let group = |name, lr, parameters| ParameterGroup { name, lr, parameters };
    let groups = vec![
        group("word", 1e-1, vec![parameter("s")]),
        group("block", 1e-2, vec![parameter("norm.bias")]),
    ];
    let mut optimiser = AdamW::new(AdamWSpec::default(), groups.clone()).unwrap();
    // A loss whose gradient is there and zero, so that only the decay moves anything.
    let distance = |parameter: &Parameter| {
        (parameter.value.as_tensor() - parameter.value.detach())
            .unwrap()
            .sqr()
    };
    let losses: Vec<Tensor> = optimiser
        .parameters()
        .map(|parameter| distance(parameter).unwrap())
        .collect();
    let loss = Tensor::stack(&losses, 0).unwrap();
    let mut gradients = Gradients::default();
    gradients
        .add(
            loss.sum_all().unwrap().backward().unwrap(),
            optimiser.parameters(),
            1,
        )
        .unwrap();
    optimiser.update(&gradients).unwrap();
    for (group, want) in groups.iter().zip([1.0 - 1e-3, 1.0 - 1e-4]) {
        assert_eq!(values(&group.parameters[0].value), [want as f32; 3]);
    }
}

#[test]
fn trap_08_an_adapter_says_how_many_steps_it_took() {
    let adapter = train(base(), &spec(), &photos(1), None, &mut Recorder::default()).unwrap();
    assert_eq!(adapter.metadata()["vico.steps"], "2");
}

/// A photo that has already been squashed with the right filter gives the same result as the photo itself.
#[test]
fn trap_09_training_squashes_bicubic_and_sampling_bilinear() {
    let squashed = |filter| resize(&photos(2)[1], SIZE, SIZE, filter);
    let trained = |photo: Rgb8| {
        train(base(), &spec(), &[photo], None, &mut Recorder::default())
            .unwrap()
            .to_bytes()
            .unwrap()
    };
    let from_photo = trained(photos(2).remove(1));
    assert!(
        from_photo == trained(squashed(Filter::Bicubic)) && from_photo != trained(squashed(Filter::Bilinear))
    );
    let adapter = train(base(), &spec(), &photos(1), None, &mut Recorder::default()).unwrap();
    let sampled = |photo: &Rgb8| {
        let mut images = sample(base(), &adapter, photo, &sample_spec(1), &mut Recorder::default()).unwrap();
        images.remove(0).into_data()
    };
    let from_photo = sampled(&photos(2)[1]);
    assert!(
        from_photo == sampled(&squashed(Filter::Bilinear))
            && from_photo != sampled(&squashed(Filter::Bicubic))
    );
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

#[test]
fn trap_12_and_15_placeholder_and_initializer_are_one_token_each() {
    let refusal = |spec: &VicoSpec| {
        train(base(), spec, &photos(1), None, &mut Recorder::default())
            .unwrap_err()
            .to_string()
    };
    let error = refusal(&VicoSpec {
        placeholder: "dog *".to_owned(),
        ..spec()
    });
    assert!(
        error.starts_with("the placeholder `dog *` is 2 tokens"),
        "{error}"
    );
    for word in ["teddybear", ""] {
        let error = refusal(&VicoSpec {
            initializer: word.to_owned(),
            ..spec()
        });
        assert!(
            error.starts_with(&format!("the initializer `{word}` is ")),
            "{error}"
        );
    }
}

#[test]
fn trap_13_a_placeholder_stands_once_or_not_at_all() {
    let of = |prompt: &str| columns(prompt, &base().tokenizer.encode(prompt).unwrap(), 265);
    assert_eq!(
        of("a red *").unwrap(),
        Columns {
            placeholder: 3,
            end_of_text: 4
        }
    );
    assert_eq!(
        of("a red dog").unwrap(),
        Columns {
            placeholder: 4,
            end_of_text: 4
        }
    );
    let error = of("a * beside a *").unwrap_err().to_string();
    assert_eq!(
        error,
        "the prompt `a * beside a *` contains the placeholder 2 times, at most once is possible"
    );
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

/// PyTorch's default start values; other libraries' are 2.4 times as wide and would drown the tokens (trap 23).
#[test]
fn trap_23_blocks_start_as_in_pytorch() {
    let site = Site {
        index: 14,
        part: Part::Decoder,
        width: 320,
        heads: 8,
        path: String::new(),
        compvis: "output_blocks.10.1".to_owned(),
    };
    let blocks = ImageAttention::new(std::slice::from_ref(&site), |spec| {
        let value = spec.initial(0, "dog5", &Device::Cpu)?;
        let fan_in = if spec.name.contains("net.2") {
            1280.0
        } else {
            320.0
        };
        let limit = 1.0 / f32::sqrt(fan_in);
        let largest = values(&value)
            .into_iter()
            .fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let norm = spec.name.contains("norm");
        assert!(
            norm || (largest <= limit && largest > 0.95 * limit),
            "{}: {largest}",
            spec.name
        );
        Ok(value)
    })
    .unwrap();
    let tokens = |i| {
        crate::tiny::key(i)
            .stream(Purpose::TrainNoise, 0)
            .normal((1, 256, 320), &Device::Cpu)
            .unwrap()
    };
    let block = blocks.block(&site).unwrap();
    let out = block
        .forward(&tokens(0), &block.key_values(&tokens(1)).unwrap(), Mask::None)
        .unwrap();
    let norm = |tensor: &Tensor| {
        tensor
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
            .sqrt()
    };
    let perturbation = norm(&(out - tokens(0)).unwrap()) / norm(&tokens(0));
    assert!((perturbation - 0.12).abs() < 0.025, "{perturbation}");
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
