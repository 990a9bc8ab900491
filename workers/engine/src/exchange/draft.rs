//! An adapter on its way in: what its file says, then what the user adds.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Error, Method};
use crate::adapter::{self, Adapter};
use crate::methods::vico;
use crate::methods::words::embedding_name;

/// What the user knows of an adapter that its file may not say. What is given here counts more than what the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The word in prompts that stands for the concept.
    pub placeholder: Option<String>,
    /// The word that it started as. Unknown is the empty word.
    pub initializer: Option<String>,
    /// Train steps it took. Unknown is 0.
    pub steps: Option<u64>,
    /// Whether ViCo was trained with the automatic mask; without a word it was, as the official code does.
    pub use_mask: Option<bool>,
    /// The variant of the base model's files that it was trained on. Unknown are the plain ones.
    pub variant: Option<String>,
}

/// An adapter that came in.
#[derive(Debug)]
pub struct Imported {
    /// The adapter.
    pub adapter: Adapter,
    /// What was assumed on the way, a sentence each.
    pub remarks: Vec<String>,
}

/// A learned word: its name, where the file says it, and its vectors (n, width).
pub(super) struct Word {
    pub(super) placeholder: Option<String>,
    pub(super) table: Tensor,
}

/// What a file says.
pub(super) struct Draft {
    pub(super) method: Method,
    /// The file or files, for messages.
    pub(super) origin: String,
    /// Trained tensors by canonical name; those of the word excepted.
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) word: Option<Word>,
    /// Facts of a header that an adapter keeps.
    pub(super) facts: BTreeMap<String, String>,
    /// Train steps as the format itself says them.
    pub(super) steps: Option<u64>,
    pub(super) remarks: Vec<String>,
}

impl Draft {
    /// The adapter.
    ///
    /// # Errors
    /// A fact is missing or makes no sense for the method, the variant is none, or a tensor holds NaN or infinity.
    pub(super) fn finish(mut self, told: &Facts) -> Result<Imported, Error> {
        self.check_told(told)?;
        tell_variant(&mut self.facts, told);
        adapter::variant_in(&self.facts)?;
        let initializer = self.initializer(told);
        let steps = self.steps(told)?;
        let placeholder = self.take_word(told)?;
        if self.method == Method::Vico {
            let masked = told.use_mask.map(|masked| masked.to_string());
            self.assume(
                vico::USE_MASK,
                masked,
                "true",
                "taken as trained with the automatic mask, as the official code does",
            );
        }
        self.check_finite()?;
        let start = Adapter::new(
            self.method.name(),
            &placeholder,
            &initializer,
            steps as usize,
            self.tensors,
        );
        let own = [
            adapter::METHOD,
            adapter::PLACEHOLDER,
            adapter::INITIALIZER,
            adapter::STEPS,
        ];
        let more = self.facts.iter().filter(|(key, _)| !own.contains(&key.as_str()));
        Ok(Imported {
            adapter: more.fold(start, |adapter, (key, value)| adapter.with(key, value)),
            remarks: self.remarks,
        })
    }

    fn check_told(&self, told: &Facts) -> Result<(), Error> {
        let has_word = self.method.has_word();
        let given = [
            (told.placeholder.is_some() && !has_word, "placeholder"),
            (told.initializer.is_some() && !has_word, "initializer"),
            (told.use_mask.is_some() && self.method != Method::Vico, "mask"),
        ];
        match given.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, fact)) => Err(Error::NoSuchFact {
                fact,
                method: self.method,
            }),
            None => Ok(()),
        }
    }

    fn initializer(&mut self, told: &Facts) -> String {
        if !self.method.has_word() {
            return String::new();
        }
        let remark =
            "the file does not say which word the concept's started as; the adapter's header leaves it open";
        self.assume(adapter::INITIALIZER, told.initializer.clone(), "", remark);
        self.facts[adapter::INITIALIZER].clone()
    }

    fn steps(&mut self, told: &Facts) -> Result<u64, Error> {
        let known = told.steps.map(|steps| steps.to_string());
        let own = self.steps.map(|steps| steps.to_string());
        if let (None, Some(own)) = (self.facts.get(adapter::STEPS), own) {
            self.facts.insert(adapter::STEPS.to_owned(), own);
        }
        let remark = "the file does not say how many train steps it took; the adapter's header says 0";
        self.assume(adapter::STEPS, known, "0", remark);
        let text = &self.facts[adapter::STEPS];
        text.parse().map_err(|_| Error::Content {
            file: self.origin.clone(),
            reason: format!(
                "its header says `{}` is `{text}`, which is no whole number",
                adapter::STEPS
            ),
        })
    }

    /// Sets a fact to what is `known`; where nothing is and the file says nothing, to `default`, with a remark.
    fn assume(&mut self, key: &str, known: Option<String>, default: &str, remark: &str) {
        if let Some(known) = known {
            self.facts.insert(key.to_owned(), known);
        } else if !self.facts.contains_key(key) {
            self.facts.insert(key.to_owned(), default.to_owned());
            self.remarks.push(remark.to_owned());
        }
    }

    /// Puts the word among the tensors under its canonical name; the placeholder.
    fn take_word(&mut self, told: &Facts) -> Result<String, Error> {
        let Some(word) = self.word.take() else {
            return Ok(String::new());
        };
        let header = self
            .facts
            .get(adapter::PLACEHOLDER)
            .filter(|text| !text.is_empty());
        let placeholder = told
            .placeholder
            .clone()
            .or(word.placeholder)
            .or_else(|| header.cloned());
        let placeholder = placeholder.ok_or_else(|| Error::Fact {
            file: self.origin.clone(),
            fact: "which word stands for the concept",
            method: self.method,
        })?;
        self.tensors.insert(embedding_name(&placeholder), word.table);
        Ok(placeholder)
    }

    fn check_finite(&self) -> Result<(), Error> {
        for (name, tensor) in &self.tensors {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::Content {
                    file: self.origin.clone(),
                    reason: format!("tensor `{name}` holds {} at element {index}", values[index]),
                });
            }
        }
        Ok(())
    }
}

/// Sets the variant to what the user says. What a header says of the base model goes where it was trained on other files: those
/// are another model.
pub(super) fn tell_variant(facts: &mut BTreeMap<String, String>, told: &Facts) {
    let Some(told) = &told.variant else { return };
    if facts.get(adapter::VARIANT) != Some(told) {
        facts.insert(adapter::VARIANT.to_owned(), told.clone());
        facts.remove(adapter::BASE);
    }
}

/// A word's vectors as (n, width): a file may hold a single one without its first dimension.
pub(super) fn table(tensor: &Tensor) -> Result<Tensor, String> {
    let table = match tensor.rank() {
        1 => tensor.unsqueeze(0).map_err(|error| error.to_string())?,
        _ => tensor.clone(),
    };
    if table.rank() != 2 || table.elem_count() == 0 {
        return Err(format!(
            "a word's vectors have the shape {:?}, expected (n, width)",
            tensor.dims()
        ));
    }
    Ok(table)
}
