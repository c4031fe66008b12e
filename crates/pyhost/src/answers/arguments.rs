//! The arguments of a call, by position. One that is missing or of another type is a `TypeError`, as C++ has it.

use crate::link::Refusal;
use serde_json::{Map, Value};

/// Arguments of the call `of`.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    of: &'a str,
    values: &'a [Value],
}

impl<'a> Arguments<'a> {
    pub fn of(of: &'a str, values: &'a [Value]) -> Self {
        Arguments { of, values }
    }

    fn wrong(&self, at: usize, wanted: &str) -> Refusal {
        Refusal::new("TypeError", format!("argument {} of {} must be {wanted}", at + 1, self.of))
    }

    pub fn value(&self, at: usize) -> &'a Value {
        self.values.get(at).unwrap_or(&Value::Null)
    }

    pub fn text(&self, at: usize) -> Result<&'a str, Refusal> {
        self.value(at).as_str().ok_or_else(|| self.wrong(at, "str"))
    }

    pub fn optional_text(&self, at: usize) -> Option<&'a str> {
        self.value(at).as_str()
    }

    pub fn number(&self, at: usize) -> Result<i64, Refusal> {
        self.value(at).as_i64().ok_or_else(|| self.wrong(at, "int"))
    }

    pub fn int(&self, at: usize) -> Result<i32, Refusal> {
        i32::try_from(self.number(at)?).map_err(|_| self.wrong(at, "a 32-bit int"))
    }

    pub fn float(&self, at: usize) -> Result<f64, Refusal> {
        self.value(at).as_f64().ok_or_else(|| self.wrong(at, "float"))
    }

    pub fn truth(&self, at: usize) -> Result<bool, Refusal> {
        self.value(at).as_bool().ok_or_else(|| self.wrong(at, "bool"))
    }

    pub fn object(&self, at: usize) -> Result<&'a Map<String, Value>, Refusal> {
        self.value(at).as_object().ok_or_else(|| self.wrong(at, "dict"))
    }

    pub fn list(&self, at: usize) -> Result<&'a [Value], Refusal> {
        self.value(at).as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(at, "list"))
    }
}
