//! Textual Inversion: one word's vectors, in three programs' files.
//!
//! | format | file | holds |
//! |---|---|---|
//! | diffusers | `learned_embeds.safetensors` | the word as the only key |
//! | a1111 | `<word>.safetensors` | `emb_params`; the file's name is the word. `.pt` files are read, too |
//! | compvis | `embeddings_gs-N.pt` | `string_to_token` and `string_to_param`; N is the number of the last train step, from 0 |
//!
//! Sources: diffusers `loaders/textual_inversion.py`; A1111 `modules/textual_inversion/textual_inversion.py`; Textual Inversion and
//! ViCo `ldm/modules/embedding_manager.py`.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::draft::{Draft, Word, table};
use super::foreign::{Foreign, listed, only};
use super::{Error, File, Method};
use crate::adapter::{self, Adapter};
use crate::methods::words::embedding_name;
use crate::tensor_file::Content;
use crate::tokenizer::ClipTokenizer;
use crate::torch_file::{self, Dict, Integers, Value};

/// A1111's only key.
const EMB_PARAMS: &str = "emb_params";
/// The id of `*` in CLIP's vocabulary, which the official files hold (vico-spec §6).
const STAR: i64 = 265;

pub(super) fn to_diffusers(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let table = only_word(adapter, Method::TextualInversion)?;
    let tensors = BTreeMap::from([(adapter.placeholder().to_owned(), table)]);
    Ok(vec![safetensors("learned_embeds.safetensors", adapter, tensors)?])
}

pub(super) fn to_a1111(adapter: &Adapter) -> Result<Vec<File>, Error> {
    let table = only_word(adapter, Method::TextualInversion)?;
    let name = format!("{}.safetensors", file_stem(adapter.placeholder()));
    let tensors = BTreeMap::from([(EMB_PARAMS.to_owned(), table)]);
    Ok(vec![safetensors(&name, adapter, tensors)?])
}

pub(super) fn to_compvis(adapter: &Adapter, tokenizer: Option<&ClipTokenizer>) -> Result<Vec<File>, Error> {
    let table = only_word(adapter, Method::TextualInversion)?;
    Ok(vec![embeddings(adapter, table, tokenizer)?])
}

/// `embeddings_gs-N.pt`, which ViCo has, too.
pub(super) fn embeddings(
    adapter: &Adapter,
    table: Tensor,
    tokenizer: Option<&ClipTokenizer>,
) -> Result<File, Error> {
    let placeholder = adapter.placeholder();
    let id = Integers {
        shape: Vec::new(),
        values: vec![token(placeholder, tokenizer)?],
    };
    let tokens = Dict::default().with(placeholder, Value::Integers(id));
    let parameters = Dict::default().with(placeholder, Value::Tensor(table));
    let content = Dict::default()
        .with("string_to_token", Value::Dict(tokens))
        .with("string_to_param", Value::Parameters(parameters));
    Ok(File {
        name: step_name(adapter, "embeddings", "_gs"),
        bytes: torch_file::write(&Value::Dict(content))?,
    })
}

/// A file of the original code, with the number of its last train step where that is known.
pub(super) fn step_name(adapter: &Adapter, stem: &str, infix: &str) -> String {
    let steps = adapter
        .metadata()
        .get(adapter::STEPS)
        .and_then(|text| text.parse::<u64>().ok());
    match steps.and_then(|steps| steps.checked_sub(1)) {
        Some(last) => format!("{stem}{infix}-{last}.pt"),
        None => format!("{stem}.pt"),
    }
}

fn token(placeholder: &str, tokenizer: Option<&ClipTokenizer>) -> Result<i64, Error> {
    let Some(tokenizer) = tokenizer else {
        return match placeholder {
            "*" => Ok(STAR),
            _ => Err(Error::NeedsBase(format!(
                "the original code keeps the number of the token `{placeholder}`, which the tokenizer knows"
            ))),
        };
    };
    let id = tokenizer.single_token(placeholder).ok().flatten();
    id.map(i64::from).ok_or_else(|| Error::Adapter {
        method: Method::TextualInversion,
        reason: format!("`{placeholder}` is not one token of this base model's tokenizer"),
    })
}

pub(super) fn from_diffusers(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a Textual Inversion of diffusers")?;
    let tensors = file.tensors(&file.content)?;
    let (Some((name, tensor)), 1) = (tensors.first_key_value(), tensors.len()) else {
        let keys = listed(file.keys());
        return Err(file.wrong(format!("it holds {keys} where one word was expected")));
    };
    draft(file, Some(name.clone()), tensor)
}

pub(super) fn from_a1111(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "an embedding of A1111")?;
    if file.content.get("string_to_param").is_some() {
        let (_, tensor) = string_to_param(file)?;
        // The key there is always `*`; the word is the name.
        let name = file
            .content
            .get("name")
            .and_then(Value::as_text)
            .map(str::to_owned);
        let mut draft = draft(file, name, tensor)?;
        if let Some(Value::Int(step)) = file.content.get("step") {
            draft.steps = u64::try_from(*step).ok();
        }
        return Ok(draft);
    }
    match file.content.get(EMB_PARAMS) {
        Some(Value::Tensor(tensor)) if file.content.0.len() == 1 => draft(file, None, tensor),
        _ => {
            let keys = listed(file.keys());
            Err(file.wrong(format!(
                "it holds {keys} where `{EMB_PARAMS}` or `string_to_param` was expected"
            )))
        }
    }
}

pub(super) fn from_compvis(files: &[Foreign]) -> Result<Draft, Error> {
    let file = only(files, "a Textual Inversion of the original code")?;
    from_embeddings(file)
}

/// A draft of what `embeddings_gs-N.pt` holds.
pub(super) fn from_embeddings(file: &Foreign) -> Result<Draft, Error> {
    let (placeholder, tensor) = string_to_param(file)?;
    let mut draft = draft(file, Some(placeholder.to_owned()), tensor)?;
    draft.steps = steps_in(&file.name);
    Ok(draft)
}

/// The only word of the original code's dictionary.
fn string_to_param(file: &Foreign) -> Result<(&str, &Tensor), Error> {
    match file.dict("string_to_param")?.0.as_slice() {
        [(word, Value::Tensor(tensor))] => Ok((word, tensor)),
        several => {
            let keys = listed(several.iter().map(|(key, _)| key.as_str()));
            Err(file.wrong(format!(
                "its `string_to_param` holds {keys} where one word was expected"
            )))
        }
    }
}

/// Train steps as the original code's file names say them: `embeddings_gs-399.pt` was written after 400.
fn steps_in(name: &str) -> Option<u64> {
    let (_, number) = name.strip_suffix(".pt")?.rsplit_once("embeddings_gs-")?;
    number.parse::<u64>().ok()?.checked_add(1)
}

fn draft(file: &Foreign, placeholder: Option<String>, tensor: &Tensor) -> Result<Draft, Error> {
    let table = table(tensor).map_err(|reason| file.wrong(reason))?;
    Ok(Draft {
        method: Method::TextualInversion,
        origin: file.name.clone(),
        tensors: BTreeMap::new(),
        word: Some(Word { placeholder, table }),
        facts: file.facts(),
        steps: None,
        remarks: Vec::new(),
    })
}

/// The vectors of the adapter's word.
pub(super) fn word(adapter: &Adapter, method: Method) -> Result<Tensor, Error> {
    let name = embedding_name(adapter.placeholder());
    let table = adapter.tensors().get(&name).cloned();
    table.ok_or_else(|| Error::Adapter {
        method,
        reason: format!("`{name}` is missing"),
    })
}

/// The same, if the adapter has no other tensor.
fn only_word(adapter: &Adapter, method: Method) -> Result<Tensor, Error> {
    let table = word(adapter, method)?;
    if adapter.tensors().len() > 1 {
        let names = listed(adapter.tensors().keys().map(String::as_str));
        let reason = format!("it has {names} where one tensor was expected");
        return Err(Error::Adapter { method, reason });
    }
    Ok(table)
}

/// A safetensors file with the adapter's own header.
pub(super) fn safetensors(
    name: &str,
    adapter: &Adapter,
    tensors: BTreeMap<String, Tensor>,
) -> Result<File, Error> {
    let metadata = adapter.metadata().clone();
    let bytes = Content { metadata, tensors }.to_bytes()?;
    let name = name.to_owned();
    Ok(File { name, bytes })
}

/// A word as the name of a file: letters, digits and `<>-_.` as they are, all else as `%` and the byte in hex.
pub(super) fn file_stem(word: &str) -> String {
    let mut stem = String::new();
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'<' | b'>' | b'-' | b'_' => {
                stem.push(char::from(byte));
            }
            b'.' if !stem.is_empty() => stem.push('.'),
            _ => {
                stem.push('%');
                for half in [byte >> 4, byte & 15] {
                    stem.push(char::from(b"0123456789ABCDEF"[usize::from(half)]));
                }
            }
        }
    }
    stem
}
