//! Where every value of a manifest stands in its text.
//!
//! Built from YAML events, within a budget, before anything recursive looks at the text. Values themselves are read by
//! `serde_yaml` afterwards; this tree only has the places, and it refuses what manifests may not use: tags, merge keys,
//! keys that stand twice, keys that are not text, more than one document.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

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
    Tag(String),
    MergeKey,
    /// The key, and the line where it stood first.
    Duplicate(String, usize),
}

impl Node {
    /// Reads the places of all values. Some faults leave the tree readable; others end the reading.
    pub(crate) fn read(text: &str) -> (Option<Arc<Self>>, Vec<Fault>) {
        let mut reader = Reader::default();
        match reader.run(text) {
            Ok(root) => (Some(root), reader.faults),
            Err(fault) => {
                reader.faults.push(fault);
                (None, reader.faults)
            }
        }
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

    /// Where the key of the value at a path stands; for an item of a list, the item.
    pub(crate) fn key(&self, path: &Path) -> Stretch {
        let (key, node, _) = self.walk(path);
        key.unwrap_or(node.at)
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

/// A map or list whose end has not come yet.
struct Open {
    anchor: usize,
    at: Stretch,
    below: Below,
    key: Option<(String, Stretch)>,
    /// Keys so far, with their lines.
    keys: HashMap<String, usize>,
    values: usize,
}

#[derive(Default)]
struct Reader {
    stack: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    faults: Vec<Fault>,
    aliases: bool,
    documents: usize,
    root: Option<Arc<Node>>,
}

impl Reader {
    fn run(&mut self, text: &str) -> Result<Arc<Node>, Fault> {
        let mut parser = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                let mark = *error.marker();
                let at = Stretch {
                    line: mark.line().max(1),
                    column: mark.col() + 1,
                    width: Some(1),
                };
                Fault {
                    at,
                    what: What::NotYaml(error.info().to_owned()),
                }
            })?;
            self.take(event, stretch(span))?;
        }
        let nowhere = Stretch {
            line: 1,
            column: 1,
            width: Some(1),
        };
        self.root.take().ok_or(Fault {
            at: nowhere,
            what: What::Empty,
        })
    }

    fn take(&mut self, event: Event<'_>, at: Stretch) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault {
                        at,
                        what: What::SecondDocument,
                    });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                self.scalar(&text, style, anchor, at)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                self.open(anchor, at, Below::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                self.open(anchor, at, Below::Map(Vec::new()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, at: Stretch) -> Result<(), Fault> {
        if let Some(Open {
            below: Below::Map(_),
            key: key @ None,
            keys,
            ..
        }) = self.stack.last_mut()
        {
            if style == ScalarStyle::Plain && text == "<<" {
                self.faults.push(Fault {
                    at,
                    what: What::MergeKey,
                });
            } else if let Some(first) = keys.insert(text.to_owned(), at.line) {
                self.faults.push(Fault {
                    at,
                    what: What::Duplicate(text.to_owned(), first),
                });
            }
            *key = Some((text.to_owned(), at));
            return Ok(());
        }
        self.add(
            anchor,
            Node {
                at,
                below: Below::Nothing,
                values: 1,
            },
        )
    }

    fn open(&mut self, anchor: usize, at: Stretch, below: Below) -> Result<(), Fault> {
        if self.awaits_key() {
            return Err(Fault {
                at,
                what: What::KeyNotText,
            });
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(Fault {
                at,
                what: What::TooDeep,
            });
        }
        self.stack.push(Open {
            anchor,
            at,
            below,
            key: None,
            keys: HashMap::new(),
            values: 1,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        self.add(
            open.anchor,
            Node {
                at: open.at,
                below: open.below,
                values: open.values,
            },
        )
    }

    fn alias(&mut self, anchor: usize, at: Stretch) -> Result<(), Fault> {
        self.aliases = true;
        if self.awaits_key() {
            return Err(Fault {
                at,
                what: What::KeyNotText,
            });
        }
        let node = self.anchors.get(&anchor).cloned();
        let node = node.ok_or(Fault {
            at,
            what: What::AliasInsideItself,
        })?;
        self.put(node, at)
    }

    fn add(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        let at = node.at;
        let node = Arc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node, at)
    }

    fn put(&mut self, node: Arc<Node>, at: Stretch) -> Result<(), Fault> {
        let Some(open) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        open.values = open.values.saturating_add(node.values);
        if open.values > MAX_VALUES {
            let what = What::TooManyValues {
                through_aliases: self.aliases,
            };
            return Err(Fault { at, what });
        }
        match &mut open.below {
            Below::List(items) => items.push(node),
            Below::Map(entries) => {
                let (key, key_at) = open.key.take().unwrap_or_else(|| (String::new(), at));
                entries.push(Entry {
                    key,
                    at: key_at,
                    node,
                });
            }
            Below::Nothing => {}
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Open {
                below: Below::Map(_),
                key: None,
                ..
            })
        )
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, at: Stretch) {
        if let Some(tag) = tag {
            self.faults.push(Fault {
                at,
                what: What::Tag(tag.to_string()),
            });
        }
    }
}

fn stretch(span: Span) -> Stretch {
    let same_line = span.start.line() == span.end.line() && span.end.col() > span.start.col();
    Stretch {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        width: same_line.then(|| span.end.col() - span.start.col()),
    }
}
