//! The container of `torch.save` since PyTorch 1.6: a zip archive whose members lie in it as they are.
//!
//! Reading is strict, since the file may be anybody's: members are slices of the file, so nothing is allocated by a number that
//! stands in it, and together they can be no larger than the file. Every member's checksum is compared.

use std::collections::BTreeMap;
use std::ops::Range;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
/// The longest comment that may follow the end record.
const MAX_COMMENT: usize = 65_535;
/// Where PyTorch lets tensors begin, so that they can be mapped into memory.
const ALIGNMENT: usize = 64;
/// The marker of PyTorch's own padding, an extra field of a member's header.
const PADDING: [u8; 2] = *b"FB";
/// 1 January 1980: the same content is the same bytes at any time.
const DAY: u16 = 0x21;

/// The members of an archive by name.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    members: BTreeMap<String, Range<usize>>,
}

impl<'a> Archive<'a> {
    /// Whether the bytes begin as a zip archive does.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&LOCAL.to_le_bytes())
    }

    /// Reads the directory of the archive.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let end = end_record(bytes).ok_or("it has no directory at its end; it may be cut short")?;
        let count = u16_at(bytes, end + 10).unwrap_or(0);
        let mut at = u32_at(bytes, end + 16).unwrap_or(0) as usize;
        let (mut members, mut total) = (BTreeMap::new(), 0);
        for _ in 0..count {
            let entry = Entry::read(bytes, at)?;
            let place = entry.place(bytes)?;
            total += place.len();
            if total > bytes.len() {
                return Err("its members are larger than the file".to_owned());
            }
            if crc32fast::hash(&bytes[place.clone()]) != entry.checksum {
                return Err(format!("its member `{}` is damaged", entry.name));
            }
            at += entry.header_bytes;
            let name = entry.name;
            if members.insert(name.clone(), place).is_some() {
                return Err(format!("it has two members called `{name}`"));
            }
        }
        Ok(Self { bytes, members })
    }

    /// A member's bytes.
    pub(super) fn member(&self, name: &str) -> Option<&'a [u8]> {
        self.bytes.get(self.place(name)?)
    }

    /// Where a member's bytes lie in the file.
    pub(super) fn place(&self, name: &str) -> Option<Range<usize>> {
        self.members.get(name).cloned()
    }

    /// The names of all members, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }
}

/// One line of the directory.
struct Entry {
    name: String,
    method: u16,
    checksum: u32,
    length: u32,
    stored_length: u32,
    local: u32,
    header_bytes: usize,
}

impl Entry {
    fn read(bytes: &[u8], at: usize) -> Result<Self, String> {
        let cut = || "its directory is cut short".to_owned();
        if u32_at(bytes, at) != Some(CENTRAL) {
            return Err(cut());
        }
        let short = |offset| u16_at(bytes, at + offset).ok_or_else(cut);
        let long = |offset| u32_at(bytes, at + offset).ok_or_else(cut);
        let lengths = [short(28)?, short(30)?, short(32)?].map(usize::from);
        let name = bytes
            .get(at + CENTRAL_BYTES..at + CENTRAL_BYTES + lengths[0])
            .ok_or_else(cut)?;
        let name = std::str::from_utf8(name).map_err(|_| "a member's name is no UTF-8 text".to_owned())?;
        Ok(Self {
            name: name.to_owned(),
            method: short(10)?,
            checksum: long(16)?,
            stored_length: long(20)?,
            length: long(24)?,
            local: long(42)?,
            header_bytes: CENTRAL_BYTES + lengths.iter().sum::<usize>(),
        })
    }

    fn place(&self, bytes: &[u8]) -> Result<Range<usize>, String> {
        let name = &self.name;
        if self.method != 0 || self.stored_length != self.length {
            return Err(format!(
                "its member `{name}` is compressed, which `torch.save` never does"
            ));
        }
        if [self.length, self.local].contains(&u32::MAX) {
            return Err(format!("its member `{name}` is larger than 4 GiB"));
        }
        let local = self.local as usize;
        let begin = match (u16_at(bytes, local + 26), u16_at(bytes, local + 28)) {
            (Some(name), Some(extra)) if u32_at(bytes, local) == Some(LOCAL) => {
                local + LOCAL_BYTES + usize::from(name) + usize::from(extra)
            }
            _ => return Err(format!("its member `{name}` is not where the directory says")),
        };
        let place = begin..begin + self.length as usize;
        if place.end > bytes.len() {
            return Err(format!("its member `{name}` is cut short"));
        }
        Ok(place)
    }
}

/// Where the end record begins: the last one whose comment ends with the file.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    (last.saturating_sub(MAX_COMMENT)..=last).rev().find(|at| {
        let comment = u16_at(bytes, at + 20).map(usize::from);
        u32_at(bytes, *at) == Some(END)
            && comment.is_some_and(|comment| at + END_BYTES + comment == bytes.len())
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

/// Makes an archive, member by member.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u16,
}

impl Writer {
    /// Adds a member, its data at a multiple of 64 bytes as PyTorch does it.
    ///
    /// # Errors
    /// The archive would need more than the 4 GiB that a plain zip archive can have.
    pub(super) fn add(&mut self, name: &str, data: &[u8]) -> Result<(), String> {
        let local = self.bytes.len();
        let header = LOCAL_BYTES + name.len() + 4;
        let padding = (local + header).next_multiple_of(ALIGNMENT) - (local + header);
        let fits = local + header + padding + data.len() < u32::MAX as usize;
        if !fits || self.members == u16::MAX {
            return Err("a file of this format cannot be larger than 4 GiB".to_owned());
        }
        let facts = facts(name, data);
        self.bytes.extend(LOCAL.to_le_bytes());
        self.bytes.extend(&facts);
        self.bytes.extend((padding as u16 + 4).to_le_bytes());
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(PADDING);
        self.bytes.extend((padding as u16).to_le_bytes());
        self.bytes.resize(self.bytes.len() + padding, b'Z');
        self.bytes.extend(data);
        self.directory.extend(CENTRAL.to_le_bytes());
        self.directory.extend(0u16.to_le_bytes()); // made by: MS-DOS, no version
        self.directory.extend(&facts);
        self.directory.extend([0; 12]); // no extra field, no comment, first disk, no attributes
        self.directory.extend((local as u32).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.members += 1;
        Ok(())
    }

    /// The archive's bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (at, length) = (self.bytes.len() as u32, self.directory.len() as u32);
        self.bytes.append(&mut self.directory);
        self.bytes.extend(END.to_le_bytes());
        self.bytes.extend([0; 4]); // this disk, the directory's disk
        self.bytes.extend(self.members.to_le_bytes());
        self.bytes.extend(self.members.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(at.to_le_bytes());
        self.bytes.extend([0; 2]); // no comment
        self.bytes
    }
}

/// What a member's two headers say alike: versions, flags, method, time, checksum, lengths, length of the name.
fn facts(name: &str, data: &[u8]) -> Vec<u8> {
    let mut facts = Vec::with_capacity(24);
    for word in [20, 0x0800, 0, 0, DAY] {
        facts.extend(u16::to_le_bytes(word)); // zip 2.0, name in UTF-8, stored, midnight
    }
    facts.extend(crc32fast::hash(data).to_le_bytes());
    facts.extend((data.len() as u32).to_le_bytes());
    facts.extend((data.len() as u32).to_le_bytes());
    facts.extend((name.len() as u16).to_le_bytes());
    facts
}

#[cfg(test)]
mod tests;
