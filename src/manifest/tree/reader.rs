//! From YAML events to the tree, within the budget.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Below, Entry, Fault, MAX_DEPTH, MAX_VALUES, Node, What};
use crate::manifest::source::Stretch;

/// See [`Node::read`].
pub(super) fn read(text: &str) -> (Option<Arc<Node>>, Vec<Fault>) {
    let mut reader = Reader::default();
    match reader.run(text) {
        Ok(root) => (Some(root), reader.faults),
        Err(fault) => {
            reader.faults.push(fault);
            (None, reader.faults)
        }
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
        if style == ScalarStyle::Plain && is_not_finite(text) {
            self.faults.push(Fault {
                at,
                what: What::NotFinite,
            });
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
        if tag.is_some() {
            self.faults.push(Fault { at, what: What::Tag });
        }
    }
}

/// What YAML reads as infinity or as no number; no setting can be either.
fn is_not_finite(text: &str) -> bool {
    matches!(
        text.trim_start_matches(['+', '-']),
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    )
}

fn stretch(span: Span) -> Stretch {
    let same_line = span.start.line() == span.end.line() && span.end.col() > span.start.col();
    Stretch {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        width: same_line.then(|| span.end.col() - span.start.col()),
    }
}
