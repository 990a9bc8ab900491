//! The program's bytes, read from front to back.

use super::Error;
use super::node::Name;

/// Longer names are cut in messages.
const NAME_SHOWN: usize = 100;

/// Why the machine stopped early.
pub(super) enum Stop {
    Reason(String),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// An end for a reason.
pub(super) fn stop<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Reason(reason.into()))
}

/// A place in the program.
pub(super) struct Cursor<'a> {
    program: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(program: &'a [u8]) -> Self {
        Self { program, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.program.get(self.at..).unwrap_or_default()
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let Some(slice) = self.rest().get(..length) else {
            return stop("the program is cut short");
        };
        self.at += length;
        Ok(slice)
    }

    /// The next bytes as they are.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N)?);
        Ok(taken)
    }

    /// A text of so many bytes.
    pub(super) fn text(&mut self, length: usize) -> Result<String, Stop> {
        match std::str::from_utf8(self.slice(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => stop("a text is no UTF-8"),
        }
    }

    /// A whole number of up to eight bytes, little-endian with its sign.
    pub(super) fn long(&mut self) -> Result<i64, Stop> {
        let [length] = self.take()?;
        let bytes = self.slice(usize::from(length))?;
        if bytes.len() > 8 {
            return stop("a number has more than eight bytes");
        }
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut eight = if negative { [0xff; 8] } else { [0; 8] };
        eight[..bytes.len()].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(eight))
    }

    /// A name as two lines of text; refused at once if it is not on the allow-list.
    pub(super) fn name(&mut self) -> Result<Name, Stop> {
        let (module, name) = (self.line()?, self.line()?);
        Ok(Name::find(&module, &name)?)
    }

    fn line(&mut self) -> Result<String, Stop> {
        let Some(length) = self.rest().iter().position(|byte| *byte == b'\n') else {
            return stop("a name is cut short");
        };
        let line = self.slice(length + 1)?;
        Ok(String::from_utf8_lossy(&line[..length.min(NAME_SHOWN)]).into_owned())
    }
}
