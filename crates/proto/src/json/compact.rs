//! Compact JSON, byte for byte as `serde_json` writes it, some times faster: most of a large answer is keys, and those need no look at
//! each byte for what must be escaped.
//!
//! Invariant: what is written is what `serde_json::to_vec` writes; `tests` compares the two.

use serde::ser::{self, Error as _, Serialize};
use serde_json::Error;
use std::fmt::{self, Write as _};

type Result<T> = std::result::Result<T, Error>;

/// The text of a value, written behind what `out` holds.
pub fn write(value: &impl Serialize, out: &mut Vec<u8>) -> Result<()> {
    value.serialize(&mut Writer { out })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn integer(&mut self, number: impl itoa::Integer) -> Result<()> {
        self.put(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    /// Zero is most of them.
    fn float(&mut self, number: f64, other: &impl Serialize) -> Result<()> {
        if number.to_bits() == 0 {
            self.put(b"0.0");
            return Ok(());
        }
        serde_json::to_writer(&mut *self.out, other)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.part(text);
        self.out.push(b'"');
        Ok(())
    }

    /// Text within its quotes.
    fn part(&mut self, text: &str) {
        let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        // Without an early end, so that many bytes are compared at once.
        if !text.bytes().fold(false, |any, byte| any | escaped(byte)) {
            return self.put(text.as_bytes());
        }
        for c in text.chars() {
            match c {
                '"' => self.put(b"\\\""),
                '\\' => self.put(b"\\\\"),
                '\u{8}' => self.put(b"\\b"),
                '\u{c}' => self.put(b"\\f"),
                '\n' => self.put(b"\\n"),
                '\r' => self.put(b"\\r"),
                '\t' => self.put(b"\\t"),
                '\0'..='\x1f' => self.put(format!("\\u{:04x}", u32::from(c)).as_bytes()),
                c => self.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    /// A key: a number or a truth becomes text.
    fn key(&mut self, key: &(impl Serialize + ?Sized)) -> Result<()> {
        let start = self.out.len();
        key.serialize(&mut Writer { out: self.out })?;
        match self.out.get(start) {
            Some(b'"') => {}
            Some(b'0'..=b'9' | b'-' | b't' | b'f') => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
            _ => return Err(Error::custom("key must be a string")),
        }
        Ok(())
    }
}

/// Collects what a `Display` writes, escaped.
struct Parts<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Parts<'_, '_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.part(part);
        Ok(())
    }
}

/// A list or an object that is being written.
struct Compound<'a, 'b> {
    writer: &'a mut Writer<'b>,
    first: bool,
    close: &'static [u8],
}

impl<'a, 'b> Compound<'a, 'b> {
    fn open(writer: &'a mut Writer<'b>, open: &[u8], close: &'static [u8]) -> Result<Self> {
        writer.put(open);
        Ok(Compound { writer, first: true, close })
    }

    /// In an object named after a variant.
    fn of_variant(
        writer: &'a mut Writer<'b>,
        variant: &str,
        open: &[u8],
        close: &'static [u8],
    ) -> Result<Self> {
        writer.put(b"{");
        writer.text(variant)?;
        writer.put(b":");
        Self::open(writer, open, close)
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(b',');
        }
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.comma();
        value.serialize(&mut *self.writer)
    }

    fn field(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.comma();
        self.writer.text(key)?;
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn done(self) -> Result<()> {
        self.writer.put(self.close);
        Ok(())
    }
}

macro_rules! integers {
    ($($name:ident: $of:ty),*) => {
        $(fn $name(self, number: $of) -> Result<()> { self.integer(number) })*
    };
}

impl<'a, 'b> ser::Serializer for &'a mut Writer<'b> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a, 'b>;
    type SerializeTuple = Compound<'a, 'b>;
    type SerializeTupleStruct = Compound<'a, 'b>;
    type SerializeTupleVariant = Compound<'a, 'b>;
    type SerializeMap = Compound<'a, 'b>;
    type SerializeStruct = Compound<'a, 'b>;
    type SerializeStructVariant = Compound<'a, 'b>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_bool(self, set: bool) -> Result<()> {
        self.put(if set { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<()> {
        self.float(number.into(), &number)
    }

    fn serialize_f64(self, number: f64) -> Result<()> {
        self.float(number, &number)
    }

    fn serialize_char(self, c: char) -> Result<()> {
        self.text(c.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<()> {
        self.text(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.put(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let mut object = Compound::open(self, b"{", b"}")?;
        object.field(variant, value)?;
        object.done()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq> {
        Compound::open(self, b"[", b"]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple> {
        Compound::open(self, b"[", b"]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct> {
        Compound::open(self, b"[", b"]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        Compound::of_variant(self, variant, b"[", b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        Compound::open(self, b"{", b"}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct> {
        Compound::open(self, b"{", b"}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        Compound::of_variant(self, variant, b"{", b"}}")
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, shown: &T) -> Result<()> {
        self.out.push(b'"');
        let written = write!(Parts(self), "{shown}");
        self.out.push(b'"');
        written.map_err(Error::custom)
    }
}

macro_rules! lists {
    ($($of:ident: $add:ident),*) => {
        $(impl ser::$of for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;
            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.item(value)
            }
            fn end(self) -> Result<()> {
                self.done()
            }
        })*
    };
}

lists! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! structs {
    ($($of:ident),*) => {
        $(impl ser::$of for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
                self.field(key, value)
            }
            fn end(self) -> Result<()> {
                self.done()
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.comma();
        self.writer.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<()> {
        self.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Object, Then};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn same(value: &impl Serialize) {
        let mut out = b"before".to_vec();
        write(value, &mut out).unwrap();
        let expected = serde_json::to_string(value).unwrap();
        assert_eq!(String::from_utf8(out.split_off(6)).unwrap(), expected);
    }

    #[derive(serde::Serialize)]
    enum Kinds {
        Unit,
        New(u8),
        Tuple(u8, bool),
        Struct { a: Option<char>, b: [f32; 2] },
    }

    #[test]
    fn every_kind_of_value_is_written_as_serde_json_writes_it() {
        let texts: String = (0..0x180).filter_map(char::from_u32).collect();
        same(&json!({"t": texts, "l": [1, -2, null, true, {}, []], "": {"a": {"b\n": "c"}}, "u": u64::MAX}));
        let floats = [0.0, -0.0, 1.0, 0.1, 1e16, 1e300, 5e-324, f64::NAN, f64::INFINITY, 100.0 / 3.0];
        same(&floats);
        same(&floats.map(|number| number as f32));
        same(&[Kinds::Unit, Kinds::New(1), Kinds::Tuple(2, false)]);
        same(&[Kinds::Struct { a: Some('"'), b: [0.3, 0.0] }, Kinds::Struct { a: None, b: [1.5, -0.0] }]);
        same(&((), i128::MIN, i8::MIN, "x\u{7f}\u{2028}", b"bytes"));
        same(&Object(Then(("a", 1), Then(("b", format_args!("q\"{}", 7)), None::<(&str, Value)>))));
    }

    #[test]
    fn keys_are_texts_and_what_cannot_be_one_is_refused() {
        same(&BTreeMap::from([(-5, "a"), (70, "b")]));
        same(&BTreeMap::from([(false, 1), (true, 2)]));
        same(&BTreeMap::from([('"', 1), ('x', 2)]));
        same(&BTreeMap::from([(Some("k"), 1)]));
        assert!(write(&BTreeMap::from([(vec![1], 1)]), &mut Vec::new()).is_err());
        assert!(write(&BTreeMap::from([((), 1)]), &mut Vec::new()).is_err());
    }
}
