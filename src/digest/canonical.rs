//! Canonical JSON: keys sorted, no white space, numbers as serde_json prints them.
//!
//! A plan digests every job's inputs, so values are written as they come, without a tree of them in between; a map whose
//! keys come out of order is put in order when it ends.

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{self, Error as _, Serialize};
use serde_json::Error;

/// Appends a value's canonical JSON.
///
/// Fails where the value has no JSON form: a map with keys that are not texts or numbers, say.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer { out })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    fn leaf<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }

    fn list(self) -> List<'a> {
        self.out.push(b'[');
        let is_variant = false;
        List {
            out: self.out,
            is_first: true,
            is_variant,
        }
    }

    fn map(self) -> Map<'a> {
        self.out.push(b'{');
        Map {
            start: self.out.len(),
            out: self.out,
            entries: Vec::new(),
            is_variant: false,
        }
    }

    /// The start of `{"variant":…`, which `is_variant` has closed.
    fn variant(&mut self, name: &'static str) -> Result<(), Error> {
        self.out.push(b'{');
        serde_json::to_writer(&mut *self.out, name)?;
        self.out.push(b':');
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

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

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
        write(value, self.out)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, Error> {
        self.variant(variant)?;
        let is_variant = true;
        Ok(List {
            is_variant,
            ..self.list()
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Error> {
        Ok(self.map())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map<'a>, Error> {
        Ok(self.map())
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map<'a>, Error> {
        self.variant(variant)?;
        let is_variant = true;
        Ok(Map {
            is_variant,
            ..self.map()
        })
    }
}

/// An array that is being written.
struct List<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    is_variant: bool,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        write(value, self.out)
    }

    fn close(self) {
        self.out.push(b']');
        if self.is_variant {
            self.out.push(b'}');
        }
    }
}

/// An object that is being written.
struct Map<'a> {
    out: &'a mut Vec<u8>,
    /// Where its first entry begins.
    start: usize,
    /// Keys, and where `"key":value` lies.
    entries: Vec<(Cow<'static, str>, Range<usize>)>,
    is_variant: bool,
}

impl Map<'_> {
    fn key(&mut self, key: Cow<'static, str>) -> Result<(), Error> {
        if !self.entries.is_empty() {
            self.out.push(b',');
        }
        let begin = self.out.len();
        serde_json::to_writer(&mut *self.out, &key)?;
        self.out.push(b':');
        self.entries.push((key, begin..begin));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        write(value, self.out)?;
        if let Some((_, written)) = self.entries.last_mut() {
            written.end = self.out.len();
        }
        Ok(())
    }

    fn close(mut self) {
        if !self.entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            self.sort();
        }
        self.out.push(b'}');
        if self.is_variant {
            self.out.push(b'}');
        }
    }

    /// Of entries with the same key the last one stays.
    fn sort(&mut self) {
        self.entries.reverse();
        self.entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.entries.dedup_by(|(a, _), (b, _)| a == b);
        let mut sorted = Vec::with_capacity(self.out.len() - self.start);
        for (_, written) in &self.entries {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(&self.out[written.clone()]);
        }
        self.out.truncate(self.start);
        self.out.append(&mut sorted);
    }
}

macro_rules! list {
    ($($of:ident $item:ident),*) => {$(
        impl ser::$of for List<'_> {
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
        impl ser::$of for Map<'_> {
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

impl ser::SerializeMap for Map<'_> {
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
