//! ViCo's own code: a pair of files, the word as Textual Inversion's code keeps it and the image cross-attention.
//!
//! The tensors have the same names here and there, `diffusion_model.output_blocks.4.1.image_cross_attention.attn1.to_q.weight` and
//! so on (vico-spec §6).

use super::draft::Draft;
use super::foreign::{Foreign, listed, names};
use super::textual_inversion::{embeddings, from_embeddings, step_name, word};
use super::{Error, File, Method};
use crate::adapter::Adapter;
use crate::methods::words::embedding_name;
use crate::tokenizer::ClipTokenizer;
use crate::torch_file::{self, Dict, Value};

/// What every name in the second file contains.
const IMAGE_ATTENTION: &str = ".image_cross_attention.";

pub(super) fn export(adapter: &Adapter, tokenizer: Option<&ClipTokenizer>) -> Result<Vec<File>, Error> {
    let table = word(adapter, Method::Vico)?;
    let own = embedding_name(adapter.placeholder());
    let mut attention = Dict::default();
    for (name, tensor) in adapter.tensors().iter().filter(|(name, _)| **name != own) {
        if !name.contains(IMAGE_ATTENTION) {
            let reason = format!("`{name}` is no part of the image cross-attention");
            return Err(Error::Adapter {
                method: Method::Vico,
                reason,
            });
        }
        attention = attention.with(name, Value::Tensor(tensor.clone()));
    }
    let attention = File {
        name: step_name(adapter, "cross_attention", ""),
        bytes: torch_file::write(&Value::Dict(attention))?,
    };
    Ok(vec![embeddings(adapter, table, tokenizer)?, attention])
}

pub(super) fn import(files: &[Foreign]) -> Result<Draft, Error> {
    let (embeddings, attention) = pair(files)?;
    let tensors = attention.tensors(&attention.content)?;
    let names_of = tensors.keys().map(String::as_str);
    let others: Vec<&str> = names_of.filter(|name| !name.contains(IMAGE_ATTENTION)).collect();
    if !others.is_empty() {
        let others = listed(others);
        return Err(attention.wrong(format!(
            "it holds {others}, which is no part of the image cross-attention"
        )));
    }
    Ok(Draft {
        method: Method::Vico,
        origin: names(files),
        // The loader of the official code puts `model.` in front; a whole checkpoint has it already.
        tensors: tensors
            .into_iter()
            .map(|(name, tensor)| (without_model(name), tensor))
            .collect(),
        ..from_embeddings(embeddings)?
    })
}

/// The word's file and the attention's, whatever their order.
fn pair(files: &[Foreign]) -> Result<(&Foreign, &Foreign), Error> {
    let wrong = |reason: String| Error::Content {
        file: names(files),
        reason,
    };
    let is_word = |file: &&Foreign| file.content.get("string_to_param").is_some();
    let is_attention = |file: &&Foreign| file.keys().iter().any(|key| key.contains(IMAGE_ATTENTION));
    let found = (files.iter().find(is_word), files.iter().find(is_attention));
    let ((Some(embeddings), Some(attention)), 2) = (found, files.len()) else {
        return Err(wrong(
            "ViCo's adapter is a pair of files, `embeddings_gs-N.pt` and `cross_attention-N.pt`".to_owned(),
        ));
    };
    match (number(&embeddings.name), number(&attention.name)) {
        (Some(one), Some(other)) if one != other => Err(wrong(format!(
            "the two files were written after different train steps, {one} and {other}"
        ))),
        _ => Ok((embeddings, attention)),
    }
}

/// The number at the end of an official file's name.
fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".pt")?.rsplit_once('-')?.1.parse().ok()
}

fn without_model(name: String) -> String {
    match name.strip_prefix("model.") {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}
