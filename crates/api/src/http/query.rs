//! Percent-decoding and query strings. Upstream decodes path and query twice (CherryPy, then the dashboard's
//! `unquote`), and clients rely on it: a `%2F` inside a path segment stays in its segment.

use serde_json::Value;
use std::borrow::Cow;

/// Decoded once. Bytes that are not UTF-8 become U+FFFD, as Python's `unquote` does.
#[must_use]
pub fn unquote(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let decoded = match (byte, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(h, l)| (h << 4 | l, after)),
            _ => None,
        };
        match decoded {
            Some((value, after)) => {
                out.push(value);
                rest = after;
            }
            None => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Decoded twice.
#[must_use]
pub fn unquote_twice(text: &str) -> String {
    unquote(&unquote(text)).into_owned()
}

/// The parameters of a query string, decoded; equal names make a list.
#[must_use]
pub fn parse(query: &str) -> Vec<(String, Value)> {
    let mut params: Vec<(String, Value)> = Vec::new();
    for pair in query.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unquote(&name.replace('+', " ")).into_owned();
        let value = Value::String(unquote_twice(&value.replace('+', " ")));
        match params.iter_mut().find(|(n, _)| *n == name) {
            Some((_, Value::Array(list))) => list.push(value),
            Some((_, first)) => *first = Value::Array(vec![first.take(), value]),
            None => params.push((name, value)),
        }
    }
    params
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_decoded_twice() {
        assert_eq!(unquote_twice("rbd%2Fimg"), "rbd/img");
        assert_eq!(unquote_twice("rbd%252Fimg"), "rbd/img");
        assert_eq!(unquote("100%25%"), "100%%");
        assert_eq!(unquote("%zz%4"), "%zz%4");
        assert_eq!(unquote("%ff"), "\u{fffd}");
    }

    #[test]
    fn plus_is_a_blank_in_queries() {
        let expected = [("a", "b c"), ("d", ""), ("e", "+")];
        let params = parse("a=b+c&d&e=%2B");
        assert!(params.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).eq(expected));
    }

    #[test]
    fn a_name_given_again_makes_a_list() {
        let params = parse("a=1&b=2&a=3&a=4");
        let expected = [("a", serde_json::json!(["1", "3", "4"])), ("b", serde_json::json!("2"))];
        assert!(params.iter().map(|(k, v)| (k.as_str(), v.clone())).eq(expected));
    }
}
