//! The machine that runs a pickle: a stack, a memory, and the instructions that `torch.save` writes.

use std::collections::HashMap;

use super::Error;
use super::cursor::{Cursor, Stop, stop};
use super::node::{Id, Node};

/// A program with a thousand tensors has 200 kB.
const MAX_PROGRAM: usize = 4 << 20;

/// What a program made.
pub(super) struct Made {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
}

/// Runs `program`.
///
/// # Errors
/// It is malformed, too large, or asks for something that is not on the allow-list.
pub(super) fn run(program: &[u8]) -> Result<Made, Error> {
    if program.len() > MAX_PROGRAM {
        let reason = format!(
            "the description has {} bytes, the limit is {MAX_PROGRAM}",
            program.len()
        );
        return Err(Error::Program { at: 0, reason });
    }
    let mut machine = Machine {
        cursor: Cursor::new(program),
        nodes: Vec::new(),
        stack: Vec::new(),
        memory: HashMap::new(),
        copies_left: MAX_PROGRAM,
    };
    loop {
        let begin = machine.cursor.at();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let nodes = machine.nodes;
                return Ok(Made { nodes, root });
            }
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Reason(reason)) => return Err(Error::Program { at: begin, reason }),
        }
    }
}

#[derive(Clone, Copy)]
enum Item {
    Mark,
    Node(Id),
}

pub(super) struct Machine<'a> {
    cursor: Cursor<'a>,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Item>,
    memory: HashMap<u32, Id>,
    /// How many items of lists may still be copied.
    pub(super) copies_left: usize,
}

impl Machine<'_> {
    /// One instruction; the result when it was the last one.
    fn step(&mut self) -> Result<Option<Id>, Stop> {
        let [opcode] = self.cursor.take()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let [protocol] = self.cursor.take()?;
                if protocol != 2 {
                    return stop(format!("protocol {protocol}; `torch.save` writes protocol 2"));
                }
            }
            b'q' | b'r' | b'h' | b'j' => self.remember(opcode)?,
            b'(' => self.stack.push(Item::Mark),
            b'c' => {
                let name = self.cursor.name()?;
                self.push(Node::Name(name));
            }
            b't' | 0x85..=0x87 | b')' => self.tuple(opcode)?,
            b'a' | b'e' | b's' | b'u' => self.fill(opcode)?,
            b'R' => self.reduce()?,
            0x81 => self.new_object()?,
            b'b' => self.build()?,
            b'Q' => self.persistent()?,
            _ => {
                let node = self.plain(opcode)?;
                self.push(node);
            }
        }
        Ok(None)
    }

    /// Plain data.
    fn plain(&mut self, opcode: u8) -> Result<Node, Stop> {
        Ok(match opcode {
            b'N' => Node::Nothing,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'K' => Node::Int(i64::from(u8::from_le_bytes(self.cursor.take()?))),
            b'M' => Node::Int(i64::from(u16::from_le_bytes(self.cursor.take()?))),
            b'J' => Node::Int(i64::from(i32::from_le_bytes(self.cursor.take()?))),
            0x8a => Node::Int(self.cursor.long()?),
            b'G' => Node::Float(f64::from_be_bytes(self.cursor.take()?)),
            b'X' => {
                let length = u32::from_le_bytes(self.cursor.take()?) as usize;
                Node::Text(self.cursor.text(length)?)
            }
            b'}' => Node::Dict(Vec::new()),
            b']' => Node::List(Vec::new()),
            other => return stop(format!("0x{other:02x} is no instruction of plain data")),
        })
    }

    pub(super) fn push(&mut self, node: Node) {
        self.stack.push(Item::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    /// Puts a value on the stack that is there already.
    pub(super) fn push_again(&mut self, id: Id) {
        self.stack.push(Item::Node(id));
    }

    pub(super) fn pop(&mut self) -> Result<Id, Stop> {
        match self.stack.pop() {
            Some(Item::Node(id)) => Ok(id),
            _ => stop("a value is missing"),
        }
    }

    pub(super) fn top(&self) -> Result<Id, Stop> {
        match self.stack.last() {
            Some(Item::Node(id)) => Ok(*id),
            _ => stop("a value is missing"),
        }
    }

    /// All values above the last mark, which goes too.
    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>, Stop> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark));
        let Some(mark) = mark else {
            return stop("a mark is missing");
        };
        let above = self.stack.split_off(mark).into_iter();
        Ok(above
            .filter_map(|item| match item {
                Item::Node(id) => Some(id),
                Item::Mark => None,
            })
            .collect())
    }

    fn remember(&mut self, opcode: u8) -> Result<(), Stop> {
        let short = matches!(opcode, b'q' | b'h');
        let number = if short {
            u32::from(u8::from_le_bytes(self.cursor.take()?))
        } else {
            u32::from_le_bytes(self.cursor.take()?)
        };
        if matches!(opcode, b'q' | b'r') {
            let top = self.top()?;
            self.memory.insert(number, top);
        } else {
            let Some(id) = self.memory.get(&number) else {
                return stop(format!("there is nothing in memory at {number}"));
            };
            self.stack.push(Item::Node(*id));
        }
        Ok(())
    }

    fn tuple(&mut self, opcode: u8) -> Result<(), Stop> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            _ => {
                let count = usize::from(opcode - 0x84);
                let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                items
            }
        };
        self.push(Node::Tuple(items));
        Ok(())
    }

    /// Adds to the list or dictionary below: one item or all down to the mark.
    fn fill(&mut self, opcode: u8) -> Result<(), Stop> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let target = self.top()?;
        match (&mut self.nodes[target], opcode) {
            (Node::List(list), b'a' | b'e') => list.extend(items),
            (Node::Dict(entries), b's' | b'u') => {
                let (pairs, rest) = items.as_chunks::<2>();
                if !rest.is_empty() {
                    return stop("a key has no value");
                }
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            }
            _ => return stop("it fills something that is no list or dictionary"),
        }
        Ok(())
    }
}
