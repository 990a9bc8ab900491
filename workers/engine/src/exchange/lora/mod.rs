//! LoRA: low-rank additions to linear layers of the U-Net, in two programs' files.
//!
//! | format | file | holds |
//! |---|---|---|
//! | diffusers | `pytorch_lora_weights.safetensors` | peft's `unet.<layer>.lora_A.weight` and `lora_B`; α in the header's `lora_adapter_metadata` |
//! | kohya | `lora.safetensors` | `lora_unet_<layer with _>.lora_down.weight`, `lora_up` and `alpha` |
//!
//! An addition counts α / rank times, so a file that lost α would draw other pictures. Where a file does not say α, or diffusers is
//! too old to look into the header (0.42 does), it is the rank.
//!
//! Sources: diffusers `loaders/lora_base.py`, `loaders/lora_pipeline.py`, `utils/peft_utils.py`; sd-scripts `networks/lora.py`.

mod factors;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde_json::{Value as Json, json};

use factors::{DOWN, Layers, UP, common_alpha, paired};

use super::draft::Draft;
use super::foreign::{Foreign, listed, only};
use super::textual_inversion::safetensors;
use super::{Error, File, Method};
use crate::adapter::{Adapter, UNET};
use crate::methods::lora::{ALPHA, RANK, TARGETS};
use crate::models::unet::sd_v1_names;

const KOHYA: &str = "lora_unet_";
/// diffusers' entry in the header.
const ADAPTER_METADATA: &str = "lora_adapter_metadata";
/// Linear layers of a transformer besides its attentions.
const FEED_FORWARD: [&str; 2] = ["ff.net.0.proj", "ff.net.2"];

pub(super) fn to_diffusers(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let layers = Layers::of(adapter)?;
    let names: Vec<&String> = layers.factors.keys().collect();
    let facts = json!({
        "unet.r": layers.rank,
        "unet.lora_alpha": whole(layers.alpha),
        "unet.target_modules": names,
    });
    let adapter = adapter.clone().with(ADAPTER_METADATA, &facts.to_string());
    let tensors = adapter.tensors().clone();
    Ok(vec![safetensors(
        "pytorch_lora_weights.safetensors",
        &adapter,
        tensors,
    )?])
}

pub(super) fn to_kohya(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let layers = Layers::of(adapter)?;
    let alpha = Tensor::new(layers.alpha as f32, &Device::Cpu)?;
    let mut tensors = BTreeMap::new();
    for (layer, (down, up)) in layers.factors {
        let layer = kohya_name(&layer);
        tensors.insert(format!("{layer}.lora_down.weight"), down);
        tensors.insert(format!("{layer}.lora_up.weight"), up);
        tensors.insert(format!("{layer}.alpha"), alpha.clone());
    }
    let adapter = adapter
        .clone()
        .with("ss_network_module", "networks.lora")
        .with("ss_network_dim", &layers.rank.to_string())
        .with("ss_network_alpha", &whole(layers.alpha).to_string())
        .with("ss_base_model_version", "sd_v1");
    Ok(vec![safetensors("lora.safetensors", &adapter, tensors)?])
}

pub(super) fn from_diffusers(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a LoRA of diffusers")?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in file.tensors(&file.content)? {
        let Some(name) = name.strip_prefix(UNET) else {
            return Err(file.wrong(format!(
                "`{name}` is no part of the U-Net, and LoRA here trains nothing else"
            )));
        };
        tensors.insert(name.to_owned(), tensor);
    }
    let alpha = header_alpha(file)?;
    draft(file, tensors, alpha)
}

pub(super) fn from_kohya(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a LoRA of sd-scripts")?;
    let known: BTreeMap<String, String> = layers()
        .into_iter()
        .map(|layer| (kohya_name(&layer), layer))
        .collect();
    let (mut tensors, mut alphas) = (BTreeMap::new(), Vec::new());
    for (name, tensor) in file.tensors(&file.content)? {
        let place = name
            .split_once('.')
            .and_then(|(layer, rest)| Some((known.get(layer)?, rest)));
        let Some((layer, rest)) = place else {
            return Err(file.wrong(foreign_layer(&name)));
        };
        if rest == "alpha" {
            alphas.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
        } else {
            tensors.insert(format!("{layer}.{rest}"), tensor);
        }
    }
    let alpha = common_alpha(&alphas, tensors.len() / 2).map_err(|reason| file.wrong(reason))?;
    draft(file, tensors, alpha)
}

/// α as diffusers' entry in the header says it.
fn header_alpha(file: &Foreign) -> Result<Option<f64>, Error> {
    let Some(text) = file.header.get(ADAPTER_METADATA) else {
        return Ok(None);
    };
    let wrong = |what: &str| file.wrong(format!("the header's `{ADAPTER_METADATA}` {what}"));
    let facts: Json = serde_json::from_str(text).map_err(|error| wrong(&format!("is no JSON: {error}")))?;
    for key in ["rank_pattern", "alpha_pattern"] {
        if facts[format!("unet.{key}")]
            .as_object()
            .is_some_and(|pattern| !pattern.is_empty())
        {
            return Err(wrong(&format!(
                "has a `{key}`: rank or α differs from layer to layer, an adapter has one"
            )));
        }
    }
    for key in ["use_rslora", "use_dora", "lora_bias"] {
        if facts[format!("unet.{key}")].as_bool() == Some(true) {
            return Err(wrong(&format!("says `{key}`, which LoRA here does not have")));
        }
    }
    Ok(facts["unet.lora_alpha"].as_f64())
}

fn draft(file: &Foreign, tensors: BTreeMap<String, Tensor>, alpha: Option<f64>) -> Result<Draft, Error> {
    let (factors, rank) = paired(tensors).map_err(|reason| file.wrong(reason))?;
    let known = layers();
    if let Some(other) = factors.keys().find(|layer| !known.contains(layer)) {
        return Err(file.wrong(foreign_layer(other)));
    }
    let (mut facts, mut remarks) = (file.facts(), Vec::new());
    let own = facts.get(ALPHA).and_then(|text| text.parse::<f64>().ok());
    let value = alpha.or(own).unwrap_or_else(|| {
        remarks.push(format!(
            "the file does not say α; as in other programs it is taken as the rank, {rank}"
        ));
        rank as f64
    });
    if !value.is_finite() || value <= 0.0 {
        return Err(file.wrong(format!("its α is {value}, expected a positive number")));
    }
    // The header's own text stays if it says the same: f32 and JSON may have rounded the other.
    if own.is_none_or(|own| (own - value).abs() > 1e-6 * value) {
        facts.insert(ALPHA.to_owned(), value.to_string());
    }
    facts.insert(RANK.to_owned(), rank.to_string());
    let mut tensors = BTreeMap::new();
    for (layer, (down, up)) in factors {
        tensors.insert(format!("{UNET}{layer}{}", DOWN[0]), down);
        tensors.insert(format!("{UNET}{layer}{}", UP[0]), up);
    }
    Ok(Draft {
        method: Method::Lora,
        origin: file.name.clone(),
        tensors,
        word: None,
        facts,
        steps: None,
        remarks,
    })
}

/// Every layer that can have an addition here, by diffusers name.
fn layers() -> Vec<String> {
    let mut layers = Vec::new();
    for (path, _) in sd_v1_names() {
        let block = format!("{path}.transformer_blocks.0");
        for attention in ["attn1", "attn2"] {
            layers.extend(
                TARGETS
                    .iter()
                    .map(|target| format!("{block}.{attention}.{target}")),
            );
        }
        layers.extend(FEED_FORWARD.iter().map(|layer| format!("{block}.{layer}")));
    }
    layers
}

fn kohya_name(layer: &str) -> String {
    format!("{KOHYA}{}", layer.replace('.', "_"))
}

fn foreign_layer(name: &str) -> String {
    let kinds = listed(["attn1", "attn2", "ff"]);
    format!(
        "`{name}` is no linear layer of a transformer in the U-Net of Stable Diffusion v1 ({kinds}), and LoRA here adds to nothing else"
    )
}

/// A number as people write it: 4, not 4.0.
fn whole(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        json!(number as i64)
    } else {
        json!(number)
    }
}
