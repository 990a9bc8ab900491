//! Canonical JSON: keys sorted, no white space, numbers as serde_json prints them.
//!
//! A plan digests every job's inputs, so values are written as they come, without a tree of them in between; a map whose
//! keys come out of order is put in order when it ends. The room that this takes is shared by all maps of a value.

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{self, Error as _, Serialize};
use serde_json::Error;

/// Appends a value's canonical JSON.
///
/// Fails where the value has no JSON form: a map with keys that are not texts or numbers, say.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    let (entries, sorted) = (Vec::new(), Vec::new());
    Page { out, entries, sorted }.write(value)
}

/// What is written to, and what maps keep while they are written.
struct Page<'a> {
    out: &'a mut Vec<u8>,
    /// Keys, and where `"key":value` lies, of all maps that have not ended.
    entries: Vec<(Cow<'static, str>, Range<usize>)>,
    /// Room for a map that is put in order.
    sorted: Vec<u8>,
}

impl Page<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer { page: self })
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.out, text)
    }

    /// Puts the entries from number `first` on, which begin at `start`, in order. Of those with the same key the last one stays.
    fn sort(&mut self, first: usize, start: usize) {
        let entries = &mut self.entries[first..];
        entries.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then(y.start.cmp(&x.start)));
        let mut before = None;
        for (key, written) in &*entries {
            if before.replace(key) == Some(key) {
                continue;
            }
            if !self.sorted.is_empty() {
                self.sorted.push(b',');
            }
            self.sorted.extend_from_slice(&self.out[written.clone()]);
        }
        self.out.truncate(start);
        self.out.append(&mut self.sorted);
    }
}

/// Writes one value.
struct Writer<'a, 'p> {
    page: &'a mut Page<'p>,
}

impl<'a, 'p> Writer<'a, 'p> {
    fn leaf<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.page.out, value)
    }

    fn list(self) -> List<'a, 'p> {
        self.page.out.push(b'[');
        let is_variant = false;
        List {
            page: self.page,
            is_first: true,
            is_variant,
        }
    }

    fn map(self) -> Map<'a, 'p> {
        self.page.out.push(b'{');
        Map {
            start: self.page.out.len(),
            first: self.page.entries.len(),
            page: self.page,
            is_variant: false,
        }
    }

    /// The start of `{"variant":…`, which `is_variant` has closed.
    fn variant(&mut self, name: &'static str) -> Result<(), Error> {
        self.page.out.push(b'{');
        self.page.text(name)?;
        self.page.out.push(b':');
        Ok(())
    }
}

macro_rules! leaf {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.leaf(&value)
        }
    )*};
}

impl<'a, 'p> ser::Serializer for Writer<'a, 'p> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a, 'p>;
    type SerializeTuple = List<'a, 'p>;
    type SerializeTupleStruct = List<'a, 'p>;
    type SerializeTupleVariant = List<'a, 'p>;
    type SerializeMap = Map<'a, 'p>;
    type SerializeStruct = Map<'a, 'p>;
    type SerializeStructVariant = Map<'a, 'p>;

    leaf!(
        serialize_bool bool, serialize_char char, serialize_str &str, serialize_bytes &[u8],
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f64 f64
    );

    /// With the digits of the same number in double precision: JSON knows one kind of number.
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.leaf(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant)?;
        self.page.write(value)?;
        self.page.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a, 'p>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a, 'p>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a, 'p>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a, 'p>, Error> {
        self.variant(variant)?;
        let is_variant = true;
        Ok(List {
            is_variant,
            ..self.list()
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a, 'p>, Error> {
        Ok(self.map())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map<'a, 'p>, Error> {
        Ok(self.map())
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map<'a, 'p>, Error> {
        self.variant(variant)?;
        let is_variant = true;
        Ok(Map {
            is_variant,
            ..self.map()
        })
    }
}

/// An array that is being written.
struct List<'a, 'p> {
    page: &'a mut Page<'p>,
    is_first: bool,
    is_variant: bool,
}

impl List<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_first) {
            self.page.out.push(b',');
        }
        self.page.write(value)
    }

    fn close(self) {
        self.page.out.push(b']');
        if self.is_variant {
            self.page.out.push(b'}');
        }
    }
}

/// An object that is being written.
struct Map<'a, 'p> {
    page: &'a mut Page<'p>,
    /// Where its first entry begins, and its number among those of the page.
    start: usize,
    first: usize,
    is_variant: bool,
}

impl Map<'_, '_> {
    fn key(&mut self, key: Cow<'static, str>) -> Result<(), Error> {
        if self.page.entries.len() > self.first {
            self.page.out.push(b',');
        }
        let begin = self.page.out.len();
        self.page.text(&key)?;
        self.page.out.push(b':');
        self.page.entries.push((key, begin..begin));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.page.write(value)?;
        if let Some((_, written)) = self.page.entries.last_mut() {
            written.end = self.page.out.len();
        }
        Ok(())
    }

    fn close(self) {
        let page = self.page;
        if !page.entries[self.first..].is_sorted_by(|(a, _), (b, _)| a < b) {
            page.sort(self.first, self.start);
        }
        page.entries.truncate(self.first);
        page.out.push(b'}');
        if self.is_variant {
            page.out.push(b'}');
        }
    }
}

macro_rules! list {
    ($($of:ident $item:ident),*) => {$(
        impl ser::$of for List<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

list!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($of:ident),*) => {$(
        impl ser::$of for Map<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.key(Cow::Borrowed(key))?;
                self.value(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Map<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let key = match serde_json::to_value(key)? {
            serde_json::Value::String(key) => key,
            serde_json::Value::Number(key) => key.to_string(),
            serde_json::Value::Bool(key) => key.to_string(),
            _ => return Err(Error::custom("a key is no text")),
        };
        self.key(Cow::Owned(key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
