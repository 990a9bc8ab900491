//! One test per trap of the specification's section 10 that concerns training, words and start values, by its number.
//! The lesson of trap 16 (an adapter with wrong names must not run) is in `training`.

use candle_core::{DType, Device, Tensor};
use vico_engine::diffusion::Purpose;
use vico_engine::image::Rgb8;
use vico_engine::image::resample::{Filter, resize};
use vico_engine::kernels::Mask;
use vico_engine::methods::training::{AdamW, AdamWSpec, Gradients, Parameter, ParameterGroup};
use vico_engine::methods::vico::branches::Columns;
use vico_engine::methods::vico::ica::ImageAttention;
use vico_engine::methods::vico::learned::columns;
use vico_engine::methods::vico::{VicoSpec, sample, train};
use vico_engine::models::unet::{Part, Site};

use crate::tiny::{Recorder, SIZE, base, largest, photos, sample_spec, spec, values};

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
        let largest = largest(&(tensor - &start.tensors()[name]).unwrap());
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
        let largest = largest(&value);
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
