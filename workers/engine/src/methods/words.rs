//! Words that must be tokens, and learned words of several vectors.

use candle_core::Tensor;

use super::Error;
use crate::base_model::BaseModel;
use crate::models::clip_text::{ClipText, Injection};
use crate::tokenizer::{CONTEXT_LENGTH, Encoded};

/// The name of a placeholder's learned vectors in adapters; the official `embeddings.pt` holds it as `string_to_param["*"]`.
pub(crate) fn embedding_name(placeholder: &str) -> String {
    format!("string_to_param.{placeholder}")
}

/// The id of a word that must be one token. `role` is what messages call it.
pub(crate) fn one_token(base: &BaseModel, role: &'static str, word: &str) -> crate::Result<u32> {
    if let Some(id) = base.tokenizer.single_token(word)? {
        return Ok(id);
    }
    let (word, tokens) = (word.to_owned(), base.tokenizer.token_count(word)?);
    Err(Error::NotOneToken { role, word, tokens }.into())
}

/// A learned word: its vectors stand in the place of the placeholder, one after another.
#[derive(Clone, Debug)]
pub struct LearnedWord {
    /// Token id of the placeholder.
    pub placeholder: u32,
    /// The vectors, each (1, width of the text encoder); at least one.
    pub vectors: Vec<Tensor>,
    /// The id of the second vector; the others follow. Beyond the vocabulary.
    next_id: u32,
}

impl LearnedWord {
    /// The word `placeholder` with these vectors.
    ///
    /// # Errors
    /// The placeholder is not one token.
    pub fn new(base: &BaseModel, placeholder: &str, vectors: Vec<Tensor>) -> crate::Result<Self> {
        Ok(Self {
            placeholder: one_token(base, "placeholder", placeholder)?,
            vectors,
            next_id: base.text.vocabulary(),
        })
    }

    /// The word whose vectors are the rows of `table` (n, width).
    ///
    /// # Errors
    /// As [`Self::new`], or the table has no rows.
    pub fn of_table(base: &BaseModel, placeholder: &str, table: &Tensor) -> crate::Result<Self> {
        Self::new(base, placeholder, rows(table)?)
    }

    /// The same word with the rows of `table` (n, width) as vectors.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn with_table(&self, table: &Tensor) -> candle_core::Result<Self> {
        Ok(Self {
            vectors: rows(table)?,
            ..self.clone()
        })
    }

    /// The ids of a text in which every placeholder has become one id per vector.
    ///
    /// # Errors
    /// The text no longer fits the text encoder.
    pub fn expand(&self, text: &str, encoded: &Encoded) -> Result<Vec<u32>, Error> {
        let (words, padding) = (&encoded.ids[..encoded.eot], encoded.ids[encoded.eot]);
        let more = self.next_id..self.next_id + self.vectors.len() as u32 - 1;
        let mut ids = Vec::with_capacity(CONTEXT_LENGTH);
        for id in words {
            ids.push(*id);
            if *id == self.placeholder {
                ids.extend(more.clone());
            }
        }
        if ids.len() >= CONTEXT_LENGTH {
            return Err(Error::PromptTooLong {
                prompt: text.to_owned(),
                tokens: ids.len() - 1,
                most: CONTEXT_LENGTH - 2,
            });
        }
        ids.resize(CONTEXT_LENGTH, padding);
        Ok(ids)
    }

    /// The text encoder's output for expanded ids, (b, 77, width).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn context(&self, text: &ClipText, ids: &[Vec<u32>]) -> candle_core::Result<Tensor> {
        let tokens = std::iter::once(self.placeholder).chain(self.next_id..);
        let injected: Vec<Injection<'_>> = tokens
            .zip(&self.vectors)
            .map(|(token, vector)| Injection { token, vector })
            .collect();
        text.forward(ids, &injected)
    }
}

/// (n, width) as n times (1, width).
fn rows(table: &Tensor) -> candle_core::Result<Vec<Tensor>> {
    (0..table.dim(0)?).map(|row| table.narrow(0, row, 1)).collect()
}
