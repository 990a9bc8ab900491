//! A network's tensors as PyTorch keeps them: a dictionary, of which each is taken out when it is asked for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Error;
use super::elements::Elements;
use super::node::{Node, View};
use super::opened::Opened;

/// A file in memory with what its tensors are views of.
pub(crate) struct StateDict {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Stored>,
}

struct Stored {
    view: View,
    /// Where its storage lies in the file.
    place: Range<usize>,
}

impl StateDict {
    /// Reads what a file says of its tensors and checks that they are there. None is taken out yet, so that there is no more in
    /// memory than the file and what was asked for.
    ///
    /// # Errors
    /// The bytes are no file of `torch.save`, are damaged, or hold something else than tensors by name.
    pub(crate) fn open(bytes: Vec<u8>) -> Result<Self, Error> {
        let tensors = stored(&bytes)?;
        Ok(Self { bytes, tensors })
    }

    /// The names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor; `None` if the file has no such tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| stored.view.shape.as_slice())
    }

    /// A tensor's elements; `None` if the file has no such tensor.
    ///
    /// # Errors
    /// It reaches beyond its storage.
    pub(crate) fn elements(&self, name: &str) -> Option<Result<Elements, Error>> {
        let Stored { view, place } = self.tensors.get(name)?;
        let elements = Elements::of(view, &self.bytes[place.clone()]);
        Some(elements.map_err(|why| Error::Tensor(format!("`{name}` {why}"))))
    }
}

fn stored(bytes: &[u8]) -> Result<BTreeMap<String, Stored>, Error> {
    let no = |why: &str| Error::NoStateDict(why.to_owned());
    let opened = Opened::new(bytes)?;
    let Node::Dict(entries) = opened.node(opened.root()) else {
        return Err(no("it holds no dictionary"));
    };
    let mut tensors = BTreeMap::new();
    for (key, value) in entries {
        let Node::Text(name) = opened.node(*key) else {
            return Err(no("it has a key that is no text"));
        };
        let Node::Tensor(view) = opened.node(*value) else {
            return Err(no(&format!("`{name}` in it is no tensor")));
        };
        let (place, _) = opened.storage(view)?;
        let view = view.clone();
        // A name that is kept is a text of the program's own, so that all of them together are no longer than it.
        if tensors.insert(name.clone(), Stored { view, place }).is_some() {
            return Err(no(&format!("it has two tensors called `{name}`")));
        }
    }
    Ok(tensors)
}
