//! CLIP's towers against transformers' goldens, and against another implementation.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use candle_transformers::models::clip as stock;
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::models::clip::{Clip, ClipConfig};
use vico_engine::models::clip_text::{ClipText, ClipTextConfig, Injection};
use vico_engine::models::vit::Vit;
use vico_engine::weights::{Error, Weights, read_config};

const PLACEHOLDER: u32 = 265;

fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

fn load(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(parity(name), &Device::Cpu).unwrap()
}

fn text_encoder() -> ClipText {
    let dir = parity("tiny-sd/text_encoder");
    let weights = Weights::open(&dir, None, &Device::Cpu).unwrap();
    let text = ClipText::load(&read_config::<ClipTextConfig>(&dir).unwrap(), &weights).unwrap();
    weights.finish().unwrap();
    text
}

fn ids(tensor: &Tensor) -> Vec<Vec<u32>> {
    tensor.to_dtype(DType::U32).unwrap().to_vec2().unwrap()
}

/// The largest difference; NaN if there is one, which candle's `max` passes over.
fn worst(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let differences = (a - b).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    differences
        .into_iter()
        .map(f32::abs)
        .max_by(f32::total_cmp)
        .unwrap()
}

#[test]
fn the_context_with_an_injected_embedding_equals_the_golden_one() {
    let (inputs, golden) = (load("vico/inputs.safetensors"), load("vico/forward.safetensors"));
    let injection = Injection {
        token: PLACEHOLDER,
        vector: &inputs["s_star"],
    };
    let context = text_encoder()
        .forward(&ids(&inputs["input_ids"]), &[injection])
        .unwrap();
    let error = worst(&context, &golden["context"]);
    assert!(error <= 2e-5, "{error:e}");
}

#[test]
fn injecting_a_tokens_own_embedding_changes_nothing() {
    let (text, inputs) = (text_encoder(), load("vico/inputs.safetensors"));
    let ids = ids(&inputs["input_ids"]);
    let own = text.embedding(PLACEHOLDER).unwrap().unsqueeze(0).unwrap();
    let injected = text
        .forward(
            &ids,
            &[Injection {
                token: PLACEHOLDER,
                vector: &own,
            }],
        )
        .unwrap();
    assert!(worst(&injected, &text.forward(&ids, &[]).unwrap()) == 0.0);
    let initializer = text.embedding(1929).unwrap().unsqueeze(0).unwrap();
    assert!(worst(&initializer, &inputs["s_star_init_word"]) == 0.0);
}

/// Each text is its own: a batch gives what single texts give, and no text sees tokens behind its position.
#[test]
fn texts_of_a_batch_do_not_mix_and_the_future_is_hidden() {
    let (text, inputs) = (text_encoder(), load("vico/inputs.safetensors"));
    let mut ids = ids(&inputs["input_ids"]);
    let both = text.forward(&ids, &[]).unwrap();
    for (i, one) in ids.iter().enumerate() {
        let alone = text.forward(std::slice::from_ref(one), &[]).unwrap();
        assert!(worst(&alone, &both.narrow(0, i, 1).unwrap()) <= 2e-6);
    }
    ids[0][20..].fill(1929);
    let changed = text.forward(&ids, &[]).unwrap();
    let before = |x: &Tensor| x.narrow(1, 0, 20).unwrap();
    assert!(worst(&before(&changed), &before(&both)) == 0.0);
    assert!(worst(&changed, &both) > 0.1);
}

#[test]
fn the_gradient_of_an_injected_embedding_matches_finite_differences() {
    let (text, inputs) = (text_encoder(), load("vico/inputs.safetensors"));
    let ids = ids(&inputs["input_ids"]);
    let direction = Tensor::arange(0_f32, 77.0 * 32.0, &Device::Cpu)
        .unwrap()
        .sin()
        .unwrap();
    let direction = direction.reshape((77, 32)).unwrap();
    let value = |vector: &Tensor| {
        let context = text
            .forward(
                &ids,
                &[Injection {
                    token: PLACEHOLDER,
                    vector,
                }],
            )
            .unwrap();
        context.broadcast_mul(&direction).unwrap().sum_all().unwrap()
    };
    let var = Var::from_tensor(&inputs["s_star"]).unwrap();
    let gradients = value(var.as_tensor()).backward().unwrap();
    let gradient = gradients
        .get(var.as_tensor())
        .expect("the embedding must receive a gradient");
    let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let largest = gradient.iter().fold(0.0_f32, |largest, g| largest.max(g.abs()));
    let step = 1e-3;
    for (i, expected) in gradient.iter().enumerate() {
        let unit: Vec<f32> = (0..32).map(|j| if i == j { step } else { 0.0 }).collect();
        let unit = Tensor::from_vec(unit, (1, 32), &Device::Cpu).unwrap();
        let at = |x: Tensor| f64::from(value(&x).to_scalar::<f32>().unwrap());
        let (up, down) = (
            at((var.as_tensor() + &unit).unwrap()),
            at((var.as_tensor() - &unit).unwrap()),
        );
        let difference = (up - down) / (2.0 * f64::from(step));
        assert!(
            (difference - f64::from(*expected)).abs() < 0.01 * f64::from(largest),
            "{i}: {difference} {expected}"
        );
    }
}

#[test]
fn wrong_texts_are_errors() {
    let text = text_encoder();
    assert!(text.forward(&[], &[]).is_err());
    assert!(text.forward(&[vec![]], &[]).is_err());
    assert!(text.forward(&[vec![0; 78]], &[]).is_err());
    assert!(text.forward(&[vec![0; 3], vec![0; 4]], &[]).is_err());
    assert!(text.forward(&[vec![49_408]], &[]).is_err());
    let wide = Tensor::zeros((1, 31), DType::F32, &Device::Cpu).unwrap();
    assert!(
        text.forward(
            &[vec![PLACEHOLDER]],
            &[Injection {
                token: PLACEHOLDER,
                vector: &wide
            }]
        )
        .is_err()
    );
}

/// An odd CLIP: no two sizes alike, 3 by 3 patches of 20 pixels, 5 positions.
const ODD: &str = r#"{
    "projection_dim": 9,
    "text_config": {"vocab_size": 31, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 3, "max_position_embeddings": 5, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
    "vision_config": {"hidden_size": 15, "intermediate_size": 28, "num_hidden_layers": 3, "num_attention_heads": 5,
        "image_size": 60, "patch_size": 20, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
}"#;

fn normal(index: u64, shape: &[usize], scale: f64) -> Tensor {
    let key = NoiseKey {
        seed: 3,
        concept: "odd".to_owned(),
        prompt: String::new(),
        image: 0,
    };
    let noise = key
        .stream(Purpose::InitialWeights, index)
        .normal(shape, &Device::Cpu)
        .unwrap();
    (noise * scale).unwrap()
}

/// Random weights under the published names.
fn odd_weights() -> HashMap<String, Tensor> {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        (
            "text_model.embeddings.token_embedding.weight".into(),
            vec![31, 12],
        ),
        (
            "text_model.embeddings.position_embedding.weight".into(),
            vec![5, 12],
        ),
        ("vision_model.embeddings.class_embedding".into(), vec![15]),
        (
            "vision_model.embeddings.patch_embedding.weight".into(),
            vec![15, 3, 20, 20],
        ),
        (
            "vision_model.embeddings.position_embedding.weight".into(),
            vec![10, 15],
        ),
        ("text_projection.weight".into(), vec![9, 12]),
        ("visual_projection.weight".into(), vec![9, 15]),
    ];
    let mut affine = |name: String, weight: Vec<usize>| {
        shapes.push((format!("{name}.bias"), vec![weight[0]]));
        shapes.push((format!("{name}.weight"), weight));
    };
    affine("text_model.final_layer_norm".into(), vec![12]);
    affine("vision_model.pre_layrnorm".into(), vec![15]);
    affine("vision_model.post_layernorm".into(), vec![15]);
    for (tower, width, hidden, layers) in [("text_model", 12, 20, 2), ("vision_model", 15, 28, 3)] {
        for layer in 0..layers {
            let block = format!("{tower}.encoder.layers.{layer}");
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                affine(format!("{block}.self_attn.{projection}"), vec![width, width]);
            }
            affine(format!("{block}.layer_norm1"), vec![width]);
            affine(format!("{block}.layer_norm2"), vec![width]);
            affine(format!("{block}.mlp.fc1"), vec![hidden, width]);
            affine(format!("{block}.mlp.fc2"), vec![width, hidden]);
        }
    }
    let tensor = |(i, (name, shape)): (usize, (String, Vec<usize>))| (name, normal(i as u64, &shape, 0.3));
    shapes.into_iter().enumerate().map(tensor).collect()
}

fn stock_config() -> stock::ClipConfig {
    let mut text_config = stock::text_model::ClipTextConfig::vit_base_patch32();
    (
        text_config.vocab_size,
        text_config.embed_dim,
        text_config.intermediate_size,
    ) = (31, 12, 20);
    (text_config.num_hidden_layers, text_config.num_attention_heads) = (2, 3);
    (text_config.max_position_embeddings, text_config.projection_dim) = (5, 9);
    let mut vision_config = stock::vision_model::ClipVisionConfig::vit_base_patch32();
    (
        vision_config.embed_dim,
        vision_config.intermediate_size,
        vision_config.projection_dim,
    ) = (15, 28, 9);
    (vision_config.num_hidden_layers, vision_config.num_attention_heads) = (3, 5);
    (vision_config.image_size, vision_config.patch_size) = (60, 20);
    stock::ClipConfig {
        text_config,
        vision_config,
        logit_scale_init_value: 1.0,
        image_size: 60,
    }
}

#[test]
fn both_towers_agree_with_the_stock_implementation() {
    let tensors = odd_weights();
    let stock = stock::ClipModel::new(
        VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu),
        &stock_config(),
    )
    .unwrap();
    let weights = Weights::from_tensors("odd", tensors);
    let config: ClipConfig = serde_json::from_str(ODD).unwrap();
    let clip = Clip::load(&config, &weights).unwrap();
    weights.finish().unwrap();

    let pixels = normal(999, &[2, 3, 60, 60], 1.0);
    let features = clip.image_features(&pixels).unwrap();
    assert!(worst(&features, &stock.get_image_features(&pixels).unwrap()) <= 2e-5);

    // The stock tower pools at the largest id, as OpenAI's code does.
    let ids = vec![vec![4, 9, 30, 1, 2], vec![30, 5, 5, 5, 5]];
    let features = clip.text_features(&ids, &[2, 0]).unwrap();
    let ids = Tensor::new(ids, &Device::Cpu).unwrap();
    assert!(worst(&features, &stock.get_text_features(&ids).unwrap()) <= 2e-5);
}

#[test]
fn clip_refuses_pictures_of_another_size_and_heads_that_do_not_fit() {
    let config: ClipConfig = serde_json::from_str(ODD).unwrap();
    let clip = Clip::load(&config, &Weights::from_tensors("odd", odd_weights())).unwrap();
    assert!(clip.image_features(&normal(0, &[1, 3, 80, 60], 1.0)).is_err());
    assert!(clip.text_features(&[vec![1; 5]], &[5]).is_err());
    for heads in [0, 7] {
        let mut config = config.clone();
        config.text_config.num_attention_heads = heads;
        let error = Clip::load(&config, &Weights::from_tensors("odd", odd_weights())).unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
    }
    assert!(serde_json::from_str::<ClipConfig>(&ODD.replace("quick_gelu", "tanh")).is_err());
}

/// The squares of some of these sides have no place in a machine word.
#[test]
fn sizes_that_no_picture_or_patch_has_are_refused() {
    let huge = 1_usize << 33;
    for (image, patch) in [
        (0, 20),
        (60, 0),
        (60, 61),
        (huge, 1),
        (usize::MAX, 1),
        (huge, huge),
    ] {
        let mut config: ClipConfig = serde_json::from_str(ODD).unwrap();
        (config.vision_config.image_size, config.vision_config.patch_size) = (image, patch);
        let weights = Weights::from_tensors("odd", odd_weights());
        let clip = Clip::load(&config, &weights).unwrap_err();
        let dino = Vit::load(&config.vision_config, &weights).unwrap_err();
        for error in [clip, dino] {
            assert!(matches!(error, Error::Config { .. }), "{image} {patch}: {error}");
        }
    }
}
