//! `Encode`/`Decode` for primitives, strings, pairs and the containers of the standard library.

use crate::{Decode, Encode, Features, Reader, Result, Writer};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

macro_rules! primitives {
    ($($name:ident),*) => {$(
        impl Encode for $name {
            fn encode(&self, w: &mut Writer, _: Features) {
                w.$name(*self);
            }
        }
        impl Decode for $name {
            const BYTES_MIN: usize = std::mem::size_of::<$name>();
            fn decode(r: &mut Reader<'_>) -> Result<Self> {
                r.$name()
            }
        }
    )*};
}
primitives!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool);

impl Encode for str {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.string(self);
    }
}
impl Encode for String {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.string(self);
    }
}
/// Text from a daemon is read leniently: what is not UTF-8 becomes U+FFFD rather than costing the message.
impl Decode for String {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.string_lossy()
    }
}

/// A `bufferlist`: 32-bit length and bytes.
impl Encode for Bytes {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.blob(self);
    }
}
impl Decode for Bytes {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Bytes::copy_from_slice(r.blob()?))
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.put(self);
    }
}
impl<const N: usize> Decode for [u8; N] {
    const BYTES_MIN: usize = N;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.array()
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, w: &mut Writer, features: Features) {
        self.0.encode(w, features);
        self.1.encode(w, features);
    }
}
impl<A: Decode, B: Decode> Decode for (A, B) {
    const BYTES_MIN: usize = A::BYTES_MIN + B::BYTES_MIN;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok((A::decode(r)?, B::decode(r)?))
    }
}

/// `std::optional` of upstream: one byte for presence.
impl<T: Encode> Encode for Option<T> {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.bool(self.is_some());
        if let Some(value) = self {
            value.encode(w, features);
        }
    }
}
impl<T: Decode> Decode for Option<T> {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        if r.bool()? { T::decode(r).map(Some) } else { Ok(None) }
    }
}

/// A shared value is written as the value.
impl<T: Encode + ?Sized> Encode for Arc<T> {
    fn encode(&self, w: &mut Writer, features: Features) {
        (**self).encode(w, features);
    }
}
impl<T: Decode> Decode for Arc<T> {
    const BYTES_MIN: usize = T::BYTES_MIN;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        T::decode(r).map(Arc::new)
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.length(self.len());
        for item in self {
            item.encode(w, features);
        }
    }
}

macro_rules! sequence {
    ($name:ident, $insert:ident $(, $bound:path)?) => {
        impl<T: Encode> Encode for $name<T> {
            fn encode(&self, w: &mut Writer, features: Features) {
                w.length(self.len());
                for item in self {
                    item.encode(w, features);
                }
            }
        }
        impl<T: Decode $(+ $bound)?> Decode for $name<T> {
            const BYTES_MIN: usize = 4;
            fn decode(r: &mut Reader<'_>) -> Result<Self> {
                let len = r.length(T::BYTES_MIN)?;
                let mut out = Self::new();
                for _ in 0..len {
                    out.$insert(T::decode(r)?);
                }
                Ok(out)
            }
        }
    };
}
sequence!(Vec, push);
sequence!(VecDeque, push_back);
sequence!(BTreeSet, insert, Ord);

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.length(self.len());
        for (key, value) in self {
            key.encode(w, features);
            value.encode(w, features);
        }
    }
}
impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    const BYTES_MIN: usize = 4;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let len = r.length(K::BYTES_MIN + V::BYTES_MIN)?;
        let mut out = BTreeMap::new();
        for _ in 0..len {
            out.insert(K::decode(r)?, V::decode(r)?);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_beyond_the_bytes_is_refused_before_anything_is_allocated() {
        assert!(Vec::<u64>::from_bytes(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3]).is_err());
        assert!(BTreeMap::<u32, u32>::from_bytes(&[2, 0, 0, 0, 1, 2, 3, 4]).is_err());
    }

    proptest! {
        #[test]
        fn containers_round_trip_and_every_truncation_is_refused(
            map in proptest::collection::btree_map(any::<u32>(), ".{0,9}", 0..5),
            list in proptest::collection::vec(any::<(u8, i64)>(), 0..5),
        ) {
            let value = (map, list);
            let bytes = value.to_bytes(Features::ALL);
            prop_assert_eq!(&<(BTreeMap<u32, String>, Vec<(u8, i64)>)>::from_bytes(&bytes).unwrap(), &value);
            for len in 0..bytes.len() {
                prop_assert!(<(BTreeMap<u32, String>, Vec<(u8, i64)>)>::from_bytes(&bytes[..len]).is_err());
            }
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = BTreeMap::<String, Vec<Option<u16>>>::from_bytes(&bytes);
        }
    }
}
