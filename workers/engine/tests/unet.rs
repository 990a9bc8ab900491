//! The U-Net against reference values of the original code, and its walk with hooks.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor, Var};
use vico_engine::models::unet::{
    Checkpointing, ColumnRequest, Flow, Part, PlainSd, Site, SiteHook, UNet, UNetConfig,
};
use vico_engine::weights::Weights;

fn parity(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(path)
}

fn tensors(path: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(parity(path), &Device::Cpu).unwrap()
}

fn tiny_unet() -> UNet {
    let dir = parity("tiny-sd/unet");
    let weights = Weights::open(&dir, None, &Device::Cpu).unwrap();
    let unet = UNet::load(UNetConfig::load(&dir).unwrap(), &weights).unwrap();
    weights.finish().unwrap();
    unet
}

/// The two samples of the reference pass.
struct Sample {
    x: Tensor,
    reference: Tensor,
    context: Tensor,
    timesteps: Vec<f64>,
    columns: Vec<Vec<usize>>,
    golden: HashMap<String, Tensor>,
}

fn samples() -> Sample {
    let inputs = tensors("vico/inputs.safetensors");
    let golden = tensors("vico/forward.safetensors");
    let ints = |name: &str| inputs[name].to_vec1::<i64>().unwrap();
    let columns = ints("placeholder_pos").into_iter().zip(ints("eot_pos"));
    Sample {
        x: golden["x_t"].clone(),
        reference: inputs["z_ref"].clone(),
        context: golden["context"].clone(),
        timesteps: ints("timesteps").into_iter().map(|t| t as f64).collect(),
        columns: columns.map(|(p, e)| vec![p as usize, e as usize]).collect(),
        golden,
    }
}

/// The largest absolute element; NaN if there is one, which candle's `max` passes over.
fn largest(tensor: &Tensor) -> f32 {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::abs).max_by(f32::total_cmp).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    largest(&(a - b).unwrap())
}

#[test]
fn plain_prediction_equals_the_original() {
    let s = samples();
    let noise = tiny_unet()
        .forward(&s.x, &s.timesteps, &s.context, &mut PlainSd)
        .unwrap();
    let error = distance(&noise, &s.golden["plain.noise_pred"]);
    assert!(error < 2e-5, "off by {error}");
}

#[test]
fn a_batch_equals_its_samples() {
    let s = samples();
    let unet = tiny_unet();
    let both = unet
        .forward(&s.x, &s.timesteps, &s.context, &mut PlainSd)
        .unwrap();
    for row in 0..2 {
        let (x, context) = (
            s.x.narrow(0, row, 1).unwrap(),
            s.context.narrow(0, row, 1).unwrap(),
        );
        let one = unet
            .forward(&x, &s.timesteps[row..=row], &context, &mut PlainSd)
            .unwrap();
        assert!(distance(&one, &both.narrow(0, row, 1).unwrap()) < 2e-6);
    }
}

/// Asks for columns everywhere and keeps what it sees.
struct Recorder {
    columns: Vec<Vec<usize>>,
    seen: HashMap<usize, (Tensor, Tensor)>,
}

impl SiteHook for Recorder {
    fn columns(&self, _: &Site) -> Option<ColumnRequest> {
        Some(ColumnRequest {
            rows: 0..self.columns.len(),
            columns: self.columns.clone(),
        })
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, maps: Option<Tensor>) -> Result<Flow> {
        self.seen.insert(site.index, (tokens.clone(), maps.unwrap()));
        Ok(Flow::Continue(tokens))
    }
}

#[test]
fn reference_tokens_and_text_attention_equal_the_original() {
    // The reference branch never sees the target, so it is the plain network on the reference latent.
    let s = samples();
    let mut hook = Recorder {
        columns: s.columns.clone(),
        seen: HashMap::new(),
    };
    tiny_unet()
        .forward(&s.reference, &s.timesteps, &s.context, &mut hook)
        .unwrap();
    assert_eq!(hook.seen.len(), 16);
    for site in [8, 10, 12, 14] {
        let (tokens, maps) = &hook.seen[&site];
        let error = distance(tokens, &s.golden[&format!("site{site}.xr")]);
        assert!(error < 2e-5, "tokens of site {site} off by {error}");
        for (column, name) in ["attn_placeholder", "attn_eot"].into_iter().enumerate() {
            let map = maps.narrow(2, column, 1).unwrap().squeeze(2).unwrap();
            let error = distance(&map, &s.golden[&format!("site{site}.{name}")]);
            assert!(error < 2e-6, "{name} of site {site} off by {error}");
        }
    }
}

#[test]
fn sites_of_stable_diffusion_are_numbered_as_in_the_paper() {
    let config = stable_diffusion("{}").unwrap();
    let sites = config.sites();
    let row = |i: usize| {
        (
            sites[i].compvis.as_str(),
            sites[i].path.as_str(),
            sites[i].width,
            sites[i].part,
        )
    };
    assert_eq!(sites.len(), 16);
    assert_eq!(
        row(0),
        (
            "input_blocks.1.1",
            "down_blocks.0.attentions.0",
            320,
            Part::Encoder
        )
    );
    assert_eq!(
        row(5),
        (
            "input_blocks.8.1",
            "down_blocks.2.attentions.1",
            1280,
            Part::Encoder
        )
    );
    assert_eq!(
        row(6),
        ("middle_block.1", "mid_block.attentions.0", 1280, Part::Middle)
    );
    assert_eq!(
        row(8),
        (
            "output_blocks.4.1",
            "up_blocks.1.attentions.1",
            1280,
            Part::Decoder
        )
    );
    assert_eq!(
        row(10),
        (
            "output_blocks.6.1",
            "up_blocks.2.attentions.0",
            640,
            Part::Decoder
        )
    );
    assert_eq!(
        row(12),
        (
            "output_blocks.8.1",
            "up_blocks.2.attentions.2",
            640,
            Part::Decoder
        )
    );
    assert_eq!(
        row(14),
        (
            "output_blocks.10.1",
            "up_blocks.3.attentions.1",
            320,
            Part::Decoder
        )
    );
    assert!(
        sites
            .iter()
            .enumerate()
            .all(|(i, site)| site.index == i && site.heads == 8)
    );
}

/// Stable Diffusion v1's configuration with some keys replaced.
fn stable_diffusion(changes: &str) -> std::result::Result<UNetConfig, String> {
    let mut config: serde_json::Value = serde_json::from_str(
        r#"{"_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
            "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 768,
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
            "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
            "out_channels": 4, "sample_size": 64,
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"#,
    )
    .unwrap();
    let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_str(changes).unwrap();
    config.as_object_mut().unwrap().extend(changes);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    UNetConfig::load(dir.path()).map_err(|error| error.to_string())
}

#[test]
fn settings_the_engine_does_not_do_are_named() {
    for (changes, key) in [
        (r#"{"use_linear_projection": true}"#, "use_linear_projection"),
        (r#"{"act_fn": "gelu"}"#, "act_fn"),
        (r#"{"class_embed_type": "timestep"}"#, "class_embed_type"),
        (
            r#"{"transformer_layers_per_block": 2}"#,
            "transformer_layers_per_block",
        ),
        (r#"{"some_new_thing": 3}"#, "some_new_thing"),
        (
            r#"{"up_block_types": ["UpBlock2D", "UpBlock2D", "UpBlock2D", "AttnUpBlock2D"]}"#,
            "up_block_types",
        ),
        (r#"{"norm_num_groups": 33}"#, "norm_num_groups"),
        (r#"{"attention_head_dim": [8, 8]}"#, "attention_head_dim"),
        (r#"{"block_out_channels": []}"#, "block_out_channels"),
    ] {
        let error = stable_diffusion(changes).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
    assert!(stable_diffusion(r#"{"mid_block_scale_factor": 1.0, "class_embed_type": null}"#).is_ok());
}

/// Goes a certain way and stops.
struct StopAt(usize);

impl SiteHook for StopAt {
    fn columns(&self, _: &Site) -> Option<ColumnRequest> {
        None
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, _: Option<Tensor>) -> Result<Flow> {
        assert!(site.index <= self.0);
        Ok(if site.index == self.0 {
            Flow::Stop
        } else {
            Flow::Continue(tokens)
        })
    }
}

#[test]
fn a_hook_can_stop_the_walk() {
    let s = samples();
    let unet = tiny_unet();
    for site in [0, 6, 14] {
        assert!(
            unet.run(&s.x, &s.timesteps, &s.context, &mut StopAt(site))
                .unwrap()
                .is_none()
        );
    }
    let error = unet
        .forward(&s.x, &s.timesteps, &s.context, &mut StopAt(3))
        .unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
}

/// Drops the second half of the batch at one site.
struct DropAt(usize);

impl SiteHook for DropAt {
    fn columns(&self, _: &Site) -> Option<ColumnRequest> {
        None
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, _: Option<Tensor>) -> Result<Flow> {
        let rows = tokens.dim(0)?;
        let kept = if site.index == self.0 {
            tokens.narrow(0, 0, rows / 2)?
        } else {
            tokens
        };
        Ok(Flow::Continue(kept))
    }
}

#[test]
fn a_hook_can_drop_rows() {
    let s = samples();
    let unet = tiny_unet();
    let all = unet
        .forward(&s.x, &s.timesteps, &s.context, &mut PlainSd)
        .unwrap();
    for site in [2, 6, 14] {
        let first = unet
            .forward(&s.x, &s.timesteps, &s.context, &mut DropAt(site))
            .unwrap();
        assert!(distance(&first, &all.narrow(0, 0, 1).unwrap()) < 2e-6);
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let s = samples();
    let unet = tiny_unet();
    let odd = Tensor::zeros((2, 4, 12, 16), DType::F32, &Device::Cpu).unwrap();
    assert!(
        unet.forward(&odd, &s.timesteps, &s.context, &mut PlainSd)
            .is_err()
    );
    assert!(
        unet.forward(&s.x, &s.timesteps[..1], &s.context, &mut PlainSd)
            .is_err()
    );
    assert!(
        unet.forward(
            &s.x,
            &s.timesteps,
            &s.context.narrow(2, 0, 16).unwrap(),
            &mut PlainSd
        )
        .is_err()
    );
}

/// A scalar of the prediction and its gradient with respect to the context.
fn pull_back(unet: &UNet, s: &Sample) -> (f32, Tensor) {
    let context = Var::from_tensor(&s.context).unwrap();
    let noise = unet
        .forward(&s.x, &s.timesteps, context.as_tensor(), &mut PlainSd)
        .unwrap();
    let loss = (noise * &s.reference).unwrap().mean_all().unwrap();
    let grads = loss.backward().unwrap();
    let gradient = grads.get(&context).unwrap().clone();
    (loss.to_scalar().unwrap(), gradient)
}

#[test]
fn checkpointing_changes_neither_value_nor_gradient() {
    same_when_checkpointed(Checkpointing::FeedForwards);
    same_when_checkpointed(Checkpointing::All);
}

fn same_when_checkpointed(checkpointing: Checkpointing) {
    let (s, mut unet) = (samples(), tiny_unet());
    let (loss, gradient) = pull_back(&unet, &s);
    unet.set_checkpointing(checkpointing);
    let (again, checkpointed) = pull_back(&unet, &s);
    assert_eq!(loss.to_bits(), again.to_bits());
    let scale = largest(&gradient);
    assert!(scale > 0.0);
    assert!(distance(&gradient, &checkpointed) <= 1e-6 * scale);
}

#[test]
fn the_context_gradient_agrees_with_finite_differences() {
    let s = samples();
    let unet = tiny_unet();
    let (_, gradient) = pull_back(&unet, &s);
    let direction = gradient.sqr().unwrap().sum_all().unwrap().sqrt().unwrap();
    let slope = direction.to_scalar::<f32>().unwrap();
    let unit = gradient.broadcast_div(&direction).unwrap();
    let loss = |step: f64| {
        let context = (&s.context + (&unit * step).unwrap()).unwrap();
        let noise = unet.forward(&s.x, &s.timesteps, &context, &mut PlainSd).unwrap();
        let loss = (noise * &s.reference)
            .unwrap()
            .to_dtype(DType::F64)
            .unwrap()
            .mean_all()
            .unwrap();
        loss.to_scalar::<f64>().unwrap()
    };
    let measured = (loss(0.05) - loss(-0.05)) / 0.1;
    assert!(
        (measured / f64::from(slope) - 1.0).abs() < 5e-3,
        "measured {measured}, computed {slope}"
    );
}

#[test]
fn the_backward_pass_leaves_the_trained_tensor_and_nothing_else() {
    let s = samples();
    let context = Var::from_tensor(&s.context).unwrap();
    let noise = tiny_unet()
        .forward(&s.x, &s.timesteps, context.as_tensor(), &mut PlainSd)
        .unwrap();
    let grads = noise.sqr().unwrap().mean_all().unwrap().backward().unwrap();
    // Besides the context: the first skip, which no context has touched but which candle's concatenation serves too.
    let left = grads.get_ids().count();
    assert!(left <= 2, "{left} gradients left in the store");
}
