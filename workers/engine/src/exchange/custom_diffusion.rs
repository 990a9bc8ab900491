//! Custom Diffusion: keys and values of the text cross-attention and a word, in three programs' files.
//!
//! | format | file | holds |
//! |---|---|---|
//! | diffusers | `pytorch_custom_diffusion_weights.safetensors` | `….attn2.processor.to_k_custom_diffusion.weight`, `…to_v…`, and `….attn1.processor`, empty |
//! | | `<word>.safetensors` | the word as the only key, its vector without a first dimension |
//! | adobe-delta | `delta.bin` | `unet`: `….attn2.to_k.weight`; `modifier_token`: the vector by word |
//! | compvis | `delta.ckpt` | `state_dict`: `model.diffusion_model.….attn2.to_k.weight` in the original numbering, and `embed` |
//!
//! Sources: diffusers `loaders/unet.py` and `examples/custom_diffusion`; Custom Diffusion `src/diffusers_model_pipeline.py` (its
//! `save_pretrained`), `src/get_deltas.py`, `sample.py`.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::draft::{Draft, Word, table};
use super::foreign::{Foreign, listed, names, only};
use super::textual_inversion::{file_stem, safetensors, word};
use super::{Error, File, Method};
use crate::adapter::{Adapter, UNET};
use crate::methods::words::embedding_name;
use crate::models::unet::sd_v1_names;
use crate::torch_file::{self, Dict, Value};

/// What this program trains, and the official code by default; `crossattn` trains queries and outputs, too.
const TRAINED: [&str; 2] = ["to_k", "to_v"];
const ATTENTION: &str = ".transformer_blocks.0.attn2.";
const SELF_ATTENTION: &str = ".transformer_blocks.0.attn1.";
/// What the original code's names begin with.
const MODEL: &str = "model.diffusion_model.";
const EMBED: &str = "embed";

pub(super) fn to_diffusers(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let mut weights = BTreeMap::new();
    for (name, tensor) in trained(adapter)? {
        let name = TRAINED.iter().fold(name, |name, part| {
            name.replace(
                &format!("attn2.{part}."),
                &format!("attn2.processor.{part}_custom_diffusion."),
            )
        });
        // The loader wants every attention named. It takes an empty tensor for one without trained weights, as it does an
        // empty dictionary in a pickled file.
        if let Some((path, _)) = name.split_once(ATTENTION) {
            let empty = Tensor::zeros(0, DType::F32, &Device::Cpu)?;
            weights.insert(format!("{path}{SELF_ATTENTION}processor"), empty);
        }
        weights.insert(name, tensor);
    }
    let weights = safetensors("pytorch_custom_diffusion_weights.safetensors", adapter, weights)?;
    let placeholder = adapter.placeholder();
    let vector = BTreeMap::from([(placeholder.to_owned(), vector(adapter)?)]);
    let word = safetensors(
        &format!("{}.safetensors", file_stem(placeholder)),
        adapter,
        vector,
    )?;
    Ok(vec![weights, word])
}

pub(super) fn to_adobe_delta(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let token = Dict::default().with(adapter.placeholder(), Value::Tensor(vector(adapter)?));
    let content = Dict::default()
        .with("unet", Value::Dict(dict(trained(adapter)?)))
        .with("modifier_token", Value::Dict(token));
    Ok(vec![file("delta.bin", content)?])
}

pub(super) fn to_compvis(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let places: BTreeMap<String, String> = sd_v1_names().into_iter().collect();
    let mut renamed = BTreeMap::new();
    for (name, tensor) in trained(adapter)? {
        let place = name
            .split_once(ATTENTION)
            .and_then(|(path, rest)| Some((places.get(path)?, rest)));
        let Some((path, rest)) = place else {
            return Err(misfit(format!(
                "`{name}` lies where Stable Diffusion v1 has no attention"
            )));
        };
        renamed.insert(format!("{MODEL}{path}{ATTENTION}{rest}"), tensor);
    }
    let state = dict(renamed).with(EMBED, Value::Tensor(word(adapter, Method::CustomDiffusion)?));
    Ok(vec![file(
        "delta.ckpt",
        Dict::default().with("state_dict", Value::Dict(state)),
    )?])
}

fn file(name: &str, content: Dict) -> Result<File, Error> {
    let (name, bytes) = (name.to_owned(), torch_file::write(&Value::Dict(content))?);
    Ok(File { name, bytes })
}

fn dict(tensors: BTreeMap<String, Tensor>) -> Dict {
    let entries = tensors
        .into_iter()
        .map(|(name, tensor)| (name, Value::Tensor(tensor)));
    Dict(entries.collect())
}

/// The trained tensors of the U-Net by diffusers name.
fn trained(adapter: &Adapter) -> Result<BTreeMap<String, Tensor>, Error> {
    let own = embedding_name(adapter.placeholder());
    let mut tensors = BTreeMap::new();
    for (name, tensor) in adapter.tensors().iter().filter(|(name, _)| **name != own) {
        match name.strip_prefix(UNET).filter(|name| is_trained(name)) {
            Some(name) => tensors.insert(name.to_owned(), tensor.clone()),
            None => return Err(misfit(format!("`{name}` is no key or value of a text attention"))),
        };
    }
    Ok(tensors)
}

fn is_trained(name: &str) -> bool {
    let rest = name.split_once(ATTENTION).map(|(_, rest)| rest);
    TRAINED.iter().any(|part| rest == Some(&format!("{part}.weight")))
}

/// The word's one vector without its first dimension.
fn vector(adapter: &Adapter) -> Result<Tensor, Error> {
    let table = word(adapter, Method::CustomDiffusion)?;
    match table.dims() {
        [1, _] => Ok(table.squeeze(0)?),
        dims => Err(misfit(format!(
            "its word has the shape {dims:?}, expected one vector (1, width)"
        ))),
    }
}

fn misfit(reason: String) -> Error {
    let method = Method::CustomDiffusion;
    Error::Adapter { method, reason }
}

pub(super) fn from_diffusers(files: &[Foreign]) -> Result<Draft, Error> {
    let is_weights = |file: &&Foreign| file.keys().iter().any(|key| key.contains("custom_diffusion"));
    let (weights, words): (Vec<&Foreign>, Vec<&Foreign>) = files.iter().partition(is_weights);
    let ([weights], [word]) = (weights.as_slice(), words.as_slice()) else {
        let reason = "a Custom Diffusion of diffusers is `pytorch_custom_diffusion_weights.safetensors` and one file of a word, \
                      `<new1>.safetensors` for instance";
        return Err(content(files, reason.to_owned()));
    };
    let mut tensors = BTreeMap::new();
    for (name, tensor) in weights.tensors(&weights.content)? {
        let untrained = name.ends_with(".processor") && tensor.elem_count() == 0;
        let name = TRAINED.iter().fold(name, |name, part| {
            name.replace(
                &format!("processor.{part}_custom_diffusion."),
                &format!("{part}."),
            )
        });
        if !untrained {
            tensors.insert(name, tensor);
        }
    }
    let entries = word.tensors(&word.content)?;
    let mut draft = draft(weights, tensors, one_word(word, entries)?)?;
    draft.origin = names(files);
    for (key, value) in word.facts() {
        draft.facts.entry(key).or_insert(value);
    }
    Ok(draft)
}

pub(super) fn from_adobe_delta(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a delta of Custom Diffusion")?;
    if file.content.get("text_encoder").is_some() {
        return Err(file.wrong("it holds a trained text encoder, which Custom Diffusion here does not have"));
    }
    let tensors = file.tensors(file.dict("unet")?)?;
    let words = file.tensors(file.dict("modifier_token")?)?;
    draft(file, tensors, one_word(file, words)?)
}

/// The file of the original code does not say its word.
pub(super) fn from_compvis(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a delta of Custom Diffusion")?;
    let mut state = file.tensors(file.dict("state_dict")?)?;
    let Some(embed) = state.remove(EMBED) else {
        let keys = listed(state.keys().map(String::as_str));
        return Err(file.wrong(format!("its `state_dict` has no `{EMBED}`, only {keys}")));
    };
    let places: BTreeMap<String, String> = sd_v1_names()
        .into_iter()
        .map(|(path, place)| (place, path))
        .collect();
    let mut tensors = BTreeMap::new();
    for (name, tensor) in state {
        let place = name
            .strip_prefix(MODEL)
            .and_then(|name| name.split_once(ATTENTION));
        let Some((path, rest)) = place.and_then(|(place, rest)| Some((places.get(place)?, rest))) else {
            return Err(file.wrong(format!(
                "`{name}` is no part of a text attention of Stable Diffusion v1"
            )));
        };
        tensors.insert(format!("{path}{ATTENTION}{rest}"), tensor);
    }
    let embed = table(&embed).map_err(|reason| file.wrong(reason))?;
    if embed.dims()[0] != 1 {
        return Err(file.wrong(format!("it holds {} words, an adapter has one", embed.dims()[0])));
    }
    let table = embed;
    let placeholder = None;
    draft(file, tensors, Word { placeholder, table })
}

fn one_word(file: &Foreign, entries: BTreeMap<String, Tensor>) -> Result<Word, Error> {
    let count = entries.len();
    match (entries.into_iter().next(), count) {
        (Some((word, tensor)), 1) => Ok(Word {
            placeholder: Some(word),
            table: table(&tensor).map_err(|reason| file.wrong(reason))?,
        }),
        _ => Err(file.wrong(format!("it holds {count} words, an adapter has one"))),
    }
}

/// A draft of tensors by diffusers name.
fn draft(file: &Foreign, tensors: BTreeMap<String, Tensor>, word: Word) -> Result<Draft, Error> {
    if let Some(other) = tensors.keys().find(|name| !is_trained(name)) {
        let reason = format!(
            "`{other}` is no key or value of a text attention; here Custom Diffusion trains these alone (`crossattn_kv`)"
        );
        return Err(file.wrong(reason));
    }
    if tensors.is_empty() {
        return Err(file.wrong("it holds no key or value of a text attention"));
    }
    Ok(Draft {
        method: Method::CustomDiffusion,
        origin: file.name.clone(),
        tensors: tensors
            .into_iter()
            .map(|(name, tensor)| (format!("{UNET}{name}"), tensor))
            .collect(),
        word: Some(word),
        facts: file.facts(),
        steps: None,
        remarks: Vec::new(),
    })
}

fn content(files: &[Foreign], reason: String) -> Error {
    let file = names(files);
    Error::Content { file, reason }
}
