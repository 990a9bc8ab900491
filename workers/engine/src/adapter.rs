//! What personalisation adds to a base model: a method's trained tensors, small enough to be kept per concept.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use crate::tensor_file::{Content, Error};

/// A trained adapter. As a file: one `.safetensors`, the facts about it in the header, always the same bytes for the
/// same content.
#[derive(Clone, Debug)]
pub struct Adapter(Content);

/// What the names of U-Net tensors start with.
pub(crate) const UNET: &str = "unet.";

/// Which files of the base model it was trained on, as in `*.fp16.safetensors`; absent for the plain ones.
pub const VARIANT: &str = "vico.variant";

/// The identity of the base model that it was trained on, which its variant is a part of.
pub const BASE: &str = "vico.base";

pub(crate) const METHOD: &str = "vico.method";
pub(crate) const PLACEHOLDER: &str = "vico.placeholder";
pub(crate) const INITIALIZER: &str = "vico.initializer";
pub(crate) const STEPS: &str = "vico.steps";

impl Adapter {
    /// An adapter made by `method` in `steps` train steps, for the word `placeholder` that started as `initializer`.
    pub fn new(
        method: &str,
        placeholder: &str,
        initializer: &str,
        steps: usize,
        tensors: BTreeMap<String, Tensor>,
    ) -> Self {
        let facts = [
            ("format", "pt"),
            (METHOD, method),
            (PLACEHOLDER, placeholder),
            (INITIALIZER, initializer),
            (STEPS, &steps.to_string()),
        ];
        let metadata = facts
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        Self(Content { metadata, tensors })
    }

    /// The method that made it, such as `vico`.
    pub fn method(&self) -> &str {
        self.fact(METHOD)
    }

    /// The word in prompts that stands for the concept.
    pub fn placeholder(&self) -> &str {
        self.fact(PLACEHOLDER)
    }

    /// The variant of the base model's files that it was trained on; `None` for the plain ones.
    pub fn variant(&self) -> Option<&str> {
        self.0.metadata.get(VARIANT).map(String::as_str)
    }

    /// Every fact in the header, `format` and `vico.*` included.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// Adds a fact to the header, such as [`BASE`] or `modelspec.title`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.0.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The same facts for another word and these tensors.
    pub(crate) fn renamed(mut self, placeholder: &str, tensors: BTreeMap<String, Tensor>) -> Self {
        self.0.tensors = tensors;
        self.with(PLACEHOLDER, placeholder)
    }

    /// The trained tensors by name, f32.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.0.tensors
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// A tensor cannot be read from its device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.0.to_bytes()
    }

    /// Reads an adapter file, putting its tensors on `device`. Whether the tensors are the ones a method needs is
    /// checked when they are used.
    ///
    /// # Errors
    /// The bytes are not a safetensors file of f32 tensors, or the header lacks a required fact.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, Error> {
        let content = Content::from_bytes(bytes, device)?;
        for key in [METHOD, PLACEHOLDER, INITIALIZER] {
            content.text(key)?;
        }
        content.number(STEPS)?;
        variant_in(&content.metadata)?;
        Ok(Self(content))
    }

    fn fact(&self, key: &str) -> &str {
        self.0.metadata.get(key).map_or("", String::as_str)
    }
}

/// The variant in a header.
///
/// # Errors
/// It is none: it becomes a part of file names, and must not lead them into another folder.
pub(crate) fn variant_in(header: &BTreeMap<String, String>) -> Result<Option<&str>, Error> {
    let Some(variant) = header.get(VARIANT) else {
        return Ok(None);
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !variant.is_empty() && variant.chars().all(is_plain) {
        return Ok(Some(variant.as_str()));
    }
    Err(Error::BadValue {
        key: VARIANT.to_owned(),
        got: variant.clone(),
        expected: "letters, digits, `.`, `_` and `-`".to_owned(),
    })
}
