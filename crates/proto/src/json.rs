//! JSON that is written as it is gone through: objects whose members come from several places, and lists, without a tree of
//! values in between. A PG map of 10,000 OSDs makes several megabytes of it.

mod compact;

pub use compact::write;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Members of a JSON object.
pub trait Entries {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error>;
}

impl<T: Entries + ?Sized> Entries for &T {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        (**self).entries(out)
    }
}

impl Entries for Map<String, Value> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        self.iter().try_for_each(|(key, value)| out.serialize_entry(key, value))
    }
}

/// One member.
impl<T: Serialize> Entries for (&'static str, T) {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry(self.0, &self.1)
    }
}

/// The members of one after those of the other.
#[derive(Clone, Copy, Debug)]
pub struct Then<A, B>(pub A, pub B);

impl<A: Entries, B: Entries> Entries for Then<A, B> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        self.0.entries(out)?;
        self.1.entries(out)
    }
}

/// No member, or those of one.
impl<T: Entries> Entries for Option<T> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        self.iter().try_for_each(|some| some.entries(out))
    }
}

/// The object that has these members.
#[derive(Clone, Copy, Debug)]
pub struct Object<T>(pub T);

impl<T: Entries> Serialize for Object<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.0.entries(&mut out)?;
        out.end()
    }
}

/// The list of what the function goes through.
#[derive(Clone, Copy)]
pub struct List<F>(pub F);

impl<F, I> Serialize for List<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq((self.0)())
    }
}

/// The same as a tree of values.
#[must_use]
pub fn map_of(entries: &impl Entries) -> Map<String, Value> {
    let object = serde_json::value::Serializer.serialize_map(None).and_then(|mut out| {
        entries.entries(&mut out)?;
        out.end()
    });
    match object {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_and_items_come_in_order() {
        let list = List(|| (1..=2).map(|n| Object(("n", n))));
        let both = Then(("b", &list), Then(None::<(&str, u8)>, ("a", true)));
        assert_eq!(serde_json::to_string(&Object(&both)).unwrap(), r#"{"b":[{"n":1},{"n":2}],"a":true}"#);
        assert_eq!(Value::Object(map_of(&both)), json!({"b": [{"n": 1}, {"n": 2}], "a": true}));
    }
}
