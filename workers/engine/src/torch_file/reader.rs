//! From a file's bytes to its values.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::Error;
use super::elements::Elements;
use super::node::{Id, Node, View};
use super::opened::Opened;
use super::value::{Dict, Integers, Value};

/// Dictionaries in dictionaries; a file of any of the formats has three or four levels.
const MAX_DEPTH: usize = 16;
/// Values and characters in all, so that one that is named many times cannot become many.
const MAX_VALUES: usize = 4 << 20;

/// Reads what `torch.save` wrote. Floats are widened to f32; nothing is executed.
///
/// # Errors
/// The bytes are no such file, are damaged, hold something else than plain data and tensors, or more of it than the limits allow.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Error> {
    let opened = Opened::new(bytes)?;
    let mut reader = Reader {
        bytes,
        opened: &opened,
        values_left: MAX_VALUES,
        elements_left: bytes.len(),
    };
    reader.value(opened.root(), 0)
}

struct Reader<'a> {
    bytes: &'a [u8],
    opened: &'a Opened<'a>,
    values_left: usize,
    elements_left: usize,
}

impl Reader<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        self.spend(1)?;
        if depth > MAX_DEPTH {
            return Err(too_much("its dictionaries are nested too deeply"));
        }
        Ok(match self.opened.node(id) {
            Node::Nothing => Value::Nothing,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Float(value) => Value::Float(*value),
            Node::Text(text) => {
                self.spend(text.len())?;
                Value::Text(text.clone())
            }
            Node::Tuple(items) | Node::List(items) => {
                let items = items.iter().map(|item| self.value(*item, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Node::Dict(entries) => Value::Dict(self.dict(entries, depth)?),
            Node::Parameters(state) => Value::Parameters(self.parameters(*state, depth)?),
            Node::Tensor(view) => self.tensor(view)?,
            Node::Name(_) | Node::Storage(_) => return Err(too_much("a name stands where a value belongs")),
        })
    }

    fn dict(&mut self, entries: &[(Id, Id)], depth: usize) -> Result<Dict, Error> {
        let mut dict = Dict::default();
        for (key, value) in entries {
            let Node::Text(key) = self.opened.node(*key) else {
                return Err(too_much("a dictionary has a key that is no text"));
            };
            self.spend(key.len())?;
            dict.0.push((key.clone(), self.value(*value, depth + 1)?));
        }
        Ok(dict)
    }

    /// The parameters among a module's state; the rest of it is about training.
    fn parameters(&mut self, state: Option<Id>, depth: usize) -> Result<Dict, Error> {
        let lost = || too_much("a ParameterDict has no parameters");
        let Some(Node::Dict(state)) = state.map(|id| self.opened.node(id)) else {
            return Err(lost());
        };
        let is_it = |id: Id| matches!(self.opened.node(id), Node::Text(key) if key == "_parameters");
        let place = state.iter().rev().find(|(key, _)| is_it(*key));
        match place.map(|(_, value)| self.opened.node(*value)) {
            Some(Node::Dict(entries)) => self.dict(entries, depth + 1),
            _ => Err(lost()),
        }
    }

    fn tensor(&mut self, view: &View) -> Result<Value, Error> {
        let wrong = |why: &str| self.opened.wrong(view, why);
        let (place, count) = self.opened.storage(view)?;
        let left = self.elements_left.checked_sub(count);
        let left = left.ok_or_else(|| wrong("is there more often than the file is long"))?;
        let elements = Elements::of(view, &self.bytes[place]).map_err(wrong)?;
        self.elements_left = left;
        let shape = &view.shape;
        let floats = |values: Vec<f32>| Tensor::from_vec(values, shape.as_slice(), &Device::Cpu);
        let integers = |values| {
            Value::Integers(Integers {
                shape: shape.clone(),
                values,
            })
        };
        Ok(match elements {
            Elements::F32(values) => Value::Tensor(floats(values)?),
            Elements::F16(values) => Value::Tensor(floats(values.into_iter().map(f16::to_f32).collect())?),
            Elements::Bf16(values) => Value::Tensor(floats(values.into_iter().map(bf16::to_f32).collect())?),
            Elements::I64(values) => integers(values),
            Elements::I32(values) => integers(values.into_iter().map(i64::from).collect()),
        })
    }

    fn spend(&mut self, values: usize) -> Result<(), Error> {
        self.values_left = self
            .values_left
            .checked_sub(values)
            .ok_or_else(|| too_much("it holds too many values"))?;
        Ok(())
    }
}

fn too_much(reason: &str) -> Error {
    let reason = reason.to_owned();
    Error::Program { at: 0, reason }
}
