//! What such a file holds.

use candle_core::Tensor;

/// Plain data and tensors.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `None`.
    Nothing,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// A dictionary, ordered or not.
    Dict(Dict),
    /// `torch.nn.ParameterDict`, which the official Textual Inversion and ViCo files hold.
    Parameters(Dict),
    /// A tensor of floats, as f32.
    Tensor(Tensor),
    /// A tensor of whole numbers, such as a token's id.
    Integers(Integers),
}

/// A tensor of whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Integers {
    /// Its shape; empty for a single number.
    pub(crate) shape: Vec<usize>,
    /// The numbers in row-major order.
    pub(crate) values: Vec<i64>,
}

/// Texts and what they stand for, in the file's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dict(pub(crate) Vec<(String, Value)>);

impl Value {
    /// The dictionary that this is.
    pub(crate) fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) | Self::Parameters(dict) => Some(dict),
            _ => None,
        }
    }

    /// The text that this is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What this is, in words for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Dict(_) | Self::Parameters(_) => "a dictionary",
            Self::Tensor(_) => "a tensor",
            Self::Integers(_) => "a tensor of whole numbers",
        }
    }
}

impl Dict {
    /// What stands under `key`; the last one counts, as in Python.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Adds an entry.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.0.push((key.to_owned(), value));
        self
    }

    /// The keys, for messages.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }
}
