//! A file with its program run: what stands in it, before any tensor is taken out.

use std::ops::Range;

use super::Error;
use super::elements::shown;
use super::machine::{Made, run};
use super::node::{Id, Node, View};
use super::zip::Archive;

/// What a file of PyTorch before 1.6 begins with: the long number 0x1950a86a20f9469cfc6c.
const OLD: [u8; 5] = [0x80, 0x02, 0x8a, 0x0a, 0x6c];

/// See the module.
pub(super) struct Opened<'a> {
    archive: Archive<'a>,
    folder: String,
    made: Made,
}

impl<'a> Opened<'a> {
    /// Checks the container and runs the program in it.
    ///
    /// # Errors
    /// The bytes are no file of `torch.save`, are damaged, or ask for something else than plain data and tensors.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if !Archive::is_one(bytes) {
            return Err(if bytes.starts_with(&OLD) {
                Error::Old
            } else {
                Error::Container("it is no file that `torch.save` wrote".to_owned())
            });
        }
        let archive = Archive::open(bytes).map_err(Error::Container)?;
        let folder = folder(&archive)?;
        let order = archive.member(&format!("{folder}byteorder"));
        if order.is_some_and(|order| order != b"little") {
            return Err(Error::Container("its numbers are big-endian".to_owned()));
        }
        let program = archive.member(&format!("{folder}data.pkl")).unwrap_or_default();
        let made = run(program)?;
        Ok(Self {
            archive,
            folder,
            made,
        })
    }

    /// The place of the value that the file is.
    pub(super) fn root(&self) -> Id {
        self.made.root
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.made.nodes[id]
    }

    /// Where the storage of `view` lies in the file, and how many elements the view shows.
    ///
    /// # Errors
    /// There is no such storage, or the view reaches beyond it.
    pub(super) fn storage(&self, view: &View) -> Result<(Range<usize>, usize), Error> {
        let place = self.archive.place(&self.member(view));
        let place = place.ok_or_else(|| self.wrong(view, "is not in the file"))?;
        let count =
            shown(view, place.len() / view.storage.dtype.size()).map_err(|why| self.wrong(view, why))?;
        Ok((place, count))
    }

    /// An error about the tensor that is `view`.
    pub(super) fn wrong(&self, view: &View, why: &str) -> Error {
        Error::Tensor(format!("({}) {why}", self.member(view)))
    }

    fn member(&self, view: &View) -> String {
        format!("{}data/{}", self.folder, view.storage.key)
    }
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
