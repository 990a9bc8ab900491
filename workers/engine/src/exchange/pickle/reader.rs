//! From a file's bytes to its values.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::super::zip::Archive;
use super::Error;
use super::machine::{Made, run};
use super::node::{Dtype, Id, Node, View};
use super::value::{Dict, Integers, Value};

/// Dictionaries in dictionaries; a file of any of the formats has three or four levels.
const MAX_DEPTH: usize = 16;
/// Values and characters in all, so that one that is named many times cannot become many.
const MAX_VALUES: usize = 4 << 20;
/// What a file of PyTorch before 1.6 begins with: the long number 0x1950a86a20f9469cfc6c.
const OLD: [u8; 5] = [0x80, 0x02, 0x8a, 0x0a, 0x6c];

/// Reads what `torch.save` wrote. Floats are widened to f32; nothing is executed.
///
/// # Errors
/// The bytes are no such file, are damaged, hold something else than plain data and tensors, or more of it than the limits allow.
pub(in crate::exchange) fn read(bytes: &[u8]) -> Result<Value, Error> {
    if !Archive::is_one(bytes) {
        let why = if bytes.starts_with(&OLD) {
            "it was written by PyTorch before 1.6, or with its old format; load it in PyTorch and save it again"
        } else {
            "it is no file that `torch.save` wrote"
        };
        return Err(Error::Container(why.to_owned()));
    }
    let archive = Archive::open(bytes).map_err(Error::Container)?;
    let folder = folder(&archive)?;
    if archive
        .member(&format!("{folder}byteorder"))
        .is_some_and(|order| order != b"little")
    {
        return Err(Error::Container("its numbers are big-endian".to_owned()));
    }
    let program = archive.member(&format!("{folder}data.pkl")).unwrap_or_default();
    let Made { nodes, root } = run(program)?;
    let mut reader = Reader {
        archive: &archive,
        folder,
        nodes: &nodes,
        values_left: MAX_VALUES,
        elements_left: bytes.len(),
    };
    reader.value(root, 0)
}

/// The archive's one folder, with its `/`.
fn folder(archive: &Archive<'_>) -> Result<String, Error> {
    let mut found = archive.names().filter_map(|name| name.strip_suffix("data.pkl"));
    match (found.next(), found.next()) {
        (Some(folder), None) => Ok(folder.to_owned()),
        (None, _) => Err(Error::Container(
            "it has no data.pkl: it is another kind of archive".to_owned(),
        )),
        _ => Err(Error::Container("it has more than one data.pkl".to_owned())),
    }
}

struct Reader<'a> {
    archive: &'a Archive<'a>,
    folder: String,
    nodes: &'a [Node],
    values_left: usize,
    elements_left: usize,
}

impl Reader<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        self.spend(1)?;
        if depth > MAX_DEPTH {
            return Err(too_much("its dictionaries are nested too deeply"));
        }
        Ok(match &self.nodes[id] {
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
            let Node::Text(key) = &self.nodes[*key] else {
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
        let Some(Node::Dict(state)) = state.map(|id| &self.nodes[id]) else {
            return Err(lost());
        };
        let is_it = |id: Id| matches!(&self.nodes[id], Node::Text(key) if key == "_parameters");
        let place = state.iter().rev().find(|(key, _)| is_it(*key));
        match place.map(|(_, value)| &self.nodes[*value]) {
            Some(Node::Dict(entries)) => self.dict(entries, depth + 1),
            _ => Err(lost()),
        }
    }

    fn tensor(&mut self, view: &View) -> Result<Value, Error> {
        let View { storage, shape, .. } = view;
        let name = format!("{}data/{}", self.folder, storage.key);
        let lost = |why: &str| Error::Tensor(format!("({name}) {why}"));
        let bytes = self
            .archive
            .member(&name)
            .ok_or_else(|| lost("is not in the file"))?;
        let places = places(view, bytes.len() / storage.dtype.size()).map_err(lost)?;
        self.elements_left = self
            .elements_left
            .checked_sub(places.len())
            .ok_or_else(|| lost("is there more often than the file is long"))?;
        let floats = |values: Vec<f32>| Tensor::from_vec(values, shape.as_slice(), &Device::Cpu);
        let integers = |values| {
            Value::Integers(Integers {
                shape: shape.clone(),
                values,
            })
        };
        Ok(match storage.dtype {
            Dtype::F32 => Value::Tensor(floats(gather(bytes, &places, f32::from_le_bytes))?),
            Dtype::F16 => Value::Tensor(floats(gather(bytes, &places, |b| {
                f16::from_le_bytes(b).to_f32()
            }))?),
            Dtype::Bf16 => Value::Tensor(floats(gather(bytes, &places, |b| {
                bf16::from_le_bytes(b).to_f32()
            }))?),
            Dtype::I64 => integers(gather(bytes, &places, i64::from_le_bytes)),
            Dtype::I32 => integers(gather(bytes, &places, |b| i64::from(i32::from_le_bytes(b)))),
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

/// Where a tensor's elements lie in its storage of `length` elements: one run, or each for itself.
enum Places {
    Run(std::ops::Range<usize>),
    Each(Vec<usize>),
}

impl Places {
    fn len(&self) -> usize {
        match self {
            Self::Run(run) => run.len(),
            Self::Each(places) => places.len(),
        }
    }
}

fn places(view: &View, length: usize) -> Result<Places, &'static str> {
    let View {
        offset,
        shape,
        strides,
        ..
    } = view;
    let count = shape
        .iter()
        .try_fold(1usize, |count, size| count.checked_mul(*size));
    let count = count
        .filter(|count| *count <= length)
        .ok_or("is larger than its storage")?;
    if count == 0 {
        return Ok(Places::Run(0..0));
    }
    let far = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |far, (size, stride)| {
            far.checked_add((size - 1).checked_mul(*stride)?)
        });
    if far.is_none_or(|far| far >= length) {
        return Err("reaches beyond its storage");
    }
    let mut run = 1;
    let is_run = shape.iter().zip(strides).rev().all(|(size, stride)| {
        let next = *size == 1 || *stride == run;
        run *= size;
        next
    });
    if is_run {
        return Ok(Places::Run(*offset..offset + count));
    }
    let mut places = vec![*offset];
    for (size, stride) in shape.iter().zip(strides) {
        places = places
            .iter()
            .flat_map(|place| (0..*size).map(move |step| place + step * stride))
            .collect();
    }
    Ok(Places::Each(places))
}

fn gather<const N: usize, T>(bytes: &[u8], places: &Places, decode: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    match places {
        Places::Run(run) => elements[run.clone()]
            .iter()
            .map(|element| decode(*element))
            .collect(),
        Places::Each(places) => places.iter().map(|place| decode(elements[*place])).collect(),
    }
}
