//! What a program can do by the names on the allow-list: dictionaries, sets, tensors and parameters.

use super::cursor::{Stop, stop};
use super::machine::Machine;
use super::node::{Id, Name, Node, Storage, View};

/// Dimensions of a tensor; a convolution has four.
const MAX_RANK: usize = 8;
/// No function on the allow-list takes more.
const MAX_ARGS: usize = 8;
/// Keys of storages are numbers.
const MAX_KEY: usize = 32;

impl Machine<'_> {
    fn args(&mut self) -> Result<(Name, Vec<Id>), Stop> {
        let (args, callable) = (self.pop()?, self.pop()?);
        match (&self.nodes[callable], &self.nodes[args]) {
            (Node::Name(name), Node::Tuple(args)) if args.len() <= MAX_ARGS => Ok((*name, args.clone())),
            _ => stop("it calls something else than a name with a few values"),
        }
    }

    pub(super) fn reduce(&mut self) -> Result<(), Stop> {
        let (name, args) = self.args()?;
        let node = match (name, args.as_slice()) {
            (Name::OrderedDict, []) => Node::Dict(Vec::new()),
            (Name::OrderedDict, [pairs]) => self.ordered(*pairs)?,
            (Name::Set, []) => Node::List(Vec::new()),
            (Name::Set, [items]) => Node::List(self.copied(*items)?),
            (Name::RebuildTensor, [storage, offset, shape, strides, _, _, ..]) => {
                Node::Tensor(self.view(*storage, *offset, (*shape, *strides))?)
            }
            (Name::RebuildParameter, [tensor, _, _]) => {
                self.push_again(*tensor);
                return Ok(());
            }
            _ => return stop(format!("{name:?} is called with {} values", args.len())),
        };
        self.push(node);
        Ok(())
    }

    pub(super) fn new_object(&mut self) -> Result<(), Stop> {
        match self.args()? {
            (Name::ParameterDict, args) if args.is_empty() => self.push(Node::Parameters(None)),
            (Name::OrderedDict, args) if args.is_empty() => self.push(Node::Dict(Vec::new())),
            (name, _) => return stop(format!("{name:?} cannot be made this way")),
        }
        Ok(())
    }

    /// Gives a `ParameterDict` its state. What an ordered dictionary carries besides its entries (a state dict's versions) is
    /// of no use here.
    pub(super) fn build(&mut self) -> Result<(), Stop> {
        let (state, target) = (self.pop()?, self.top()?);
        match &mut self.nodes[target] {
            Node::Parameters(place) => *place = Some(state),
            Node::Dict(_) => {}
            _ => return stop("it gives a state to something that has none"),
        }
        Ok(())
    }

    /// `("storage", type, key, device, elements)`.
    pub(super) fn persistent(&mut self) -> Result<(), Stop> {
        let id = self.pop()?;
        let parts = match &self.nodes[id] {
            Node::Tuple(parts) if parts.len() <= MAX_ARGS => {
                parts.iter().map(|part| &self.nodes[*part]).collect()
            }
            _ => Vec::new(),
        };
        let node = match parts.as_slice() {
            [
                Node::Text(word),
                Node::Name(Name::Storage(dtype)),
                Node::Text(key),
                ..,
            ] if word == "storage" && key.len() <= MAX_KEY => Node::Storage(Storage {
                dtype: *dtype,
                key: key.clone(),
            }),
            _ => return stop("something else than a tensor's storage lies outside"),
        };
        self.push(node);
        Ok(())
    }

    fn items(&self, id: Id) -> Result<&[Id], Stop> {
        match &self.nodes[id] {
            Node::Tuple(items) | Node::List(items) => Ok(items),
            _ => stop("a list is missing"),
        }
    }

    /// A copy of a list. Without a limit a short program could copy a long list many times.
    fn copied(&mut self, id: Id) -> Result<Vec<Id>, Stop> {
        let items = self.items(id)?.to_vec();
        match self.copies_left.checked_sub(items.len()) {
            Some(left) => self.copies_left = left,
            None => return stop("it copies too many values"),
        }
        Ok(items)
    }

    fn ordered(&mut self, pairs: Id) -> Result<Node, Stop> {
        let mut entries = Vec::new();
        for pair in self.copied(pairs)? {
            match self.items(pair)? {
                [key, value] => entries.push((*key, *value)),
                _ => return stop("a key has no value"),
            }
        }
        Ok(Node::Dict(entries))
    }

    fn view(&self, storage: Id, offset: Id, (shape, strides): (Id, Id)) -> Result<View, Stop> {
        let Node::Storage(storage) = &self.nodes[storage] else {
            return stop("a tensor has no storage");
        };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            return stop("a tensor's shape and strides do not fit together");
        }
        Ok(View {
            storage: storage.clone(),
            offset: self.size(offset)?,
            shape,
            strides,
        })
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, Stop> {
        let items = self.items(id)?;
        if items.len() > MAX_RANK {
            return stop("a tensor has too many dimensions");
        }
        items.iter().map(|item| self.size(*item)).collect()
    }

    fn size(&self, id: Id) -> Result<usize, Stop> {
        match &self.nodes[id] {
            Node::Int(number) => usize::try_from(*number).or_else(|_| stop("a tensor's size is negative")),
            _ => stop("a tensor's size is no number"),
        }
    }
}
