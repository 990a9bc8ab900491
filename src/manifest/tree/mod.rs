//! Where every value of a manifest stands in its text.
//!
//! Built from YAML events, within a budget, before anything recursive looks at the text. Values themselves are read by
//! `serde_yaml` afterwards; this tree only has the places, and it refuses what manifests may not use: tags, merge keys,
//! keys that stand twice, keys that are not text, more than one document.

mod reader;

use std::sync::Arc;

use super::path::{Path, Step};
use super::source::Stretch;

/// Levels of maps and lists. The deepest legal manifest has 6.
pub(crate) const MAX_DEPTH: usize = 32;
/// Values, with every alias counted as what it stands for.
pub(crate) const MAX_VALUES: usize = 100_000;

/// A value's place and what lies below it. Aliases share.
#[derive(Debug)]
pub(crate) struct Node {
    at: Stretch,
    below: Below,
    values: usize,
}

#[derive(Debug)]
enum Below {
    Nothing,
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    key: String,
    at: Stretch,
    node: Arc<Node>,
}

/// What the text may not contain, with its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: Stretch,
    pub what: What,
}

/// See [`Fault`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Not YAML, in the parser's words.
    NotYaml(String),
    Empty,
    SecondDocument,
    TooDeep,
    TooManyValues {
        through_aliases: bool,
    },
    AliasInsideItself,
    KeyNotText,
    Tag,
    /// `.nan`, `.inf`
    NotFinite,
    MergeKey,
    /// The key, and the line where it stood first.
    Duplicate(String, usize),
}

impl Node {
    /// Reads the places of all values. Some faults leave the tree readable; others end the reading.
    pub(crate) fn read(text: &str) -> (Option<Arc<Self>>, Vec<Fault>) {
        reader::read(text)
    }

    /// Where the value at a path stands; where it is absent or long, where its nearest key stands.
    pub(crate) fn value(&self, path: &Path) -> Stretch {
        let (key, node, rest) = self.walk(path);
        let pointless =
            !rest.is_empty() || (node.at.width.is_none() && !matches!(node.below, Below::Nothing));
        if pointless {
            key.unwrap_or(node.at)
        } else {
            node.at
        }
    }

    /// Where the key of the value at a path stands, or the nearest key above it; for an item of a list, the item.
    /// `None` where the path leaves the manifest at its top.
    pub(crate) fn key(&self, path: &Path) -> Option<Stretch> {
        let (key, node, rest) = self.walk(path);
        let went_down = rest.len() < path.steps().len();
        key.or_else(|| went_down.then_some(node.at))
    }

    /// Down as far as the path goes: the nearest key, the value, and what is left of the path.
    fn walk<'a>(&'a self, path: &'a Path) -> (Option<Stretch>, &'a Self, &'a [Step]) {
        let mut node = self;
        let mut key = None;
        for (i, step) in path.steps().iter().enumerate() {
            let down = match (step, &node.below) {
                (Step::Key(name), Below::Map(entries)) => {
                    entries.iter().find(|entry| entry.key == *name).map(|entry| {
                        key = Some(entry.at);
                        entry.node.as_ref()
                    })
                }
                (Step::Index(index), Below::List(items)) => items.get(*index).map(|item| {
                    key = None;
                    item.as_ref()
                }),
                _ => None,
            };
            match down {
                Some(below) => node = below,
                None => return (key, node, &path.steps()[i..]),
            }
        }
        (key, node, &[])
    }
}
