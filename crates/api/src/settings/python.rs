//! Values as Python writes (`str()`) and reads (`ast.literal_eval`) them: what upstream's settings are stored as.

use serde_json::{Map, Number, Value};

/// `str(value)`: a text as it is, everything else as its literal.
#[must_use]
pub fn repr(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => literal_of(other),
    }
}

fn literal_of(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal_of).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => {
            let items = object.iter().map(|(k, v)| format!("{}: {}", quoted(k), literal_of(v)));
            format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// A Python literal (numbers, texts, lists, tuples, dicts with text keys, `None`, `True`, `False`); `None` for
/// anything else.
#[must_use]
pub fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim(), depth: 0 };
    let value = reader.value()?;
    reader.rest.trim().is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

const DEPTH_MAX: u32 = 64;

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn eat(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(c)?;
        Some(())
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let value = match self.peek()? {
            '{' => self.dict(),
            '[' => self.items('[', ']'),
            '(' => self.items('(', ')'),
            '\'' | '"' => self.text().map(Value::String),
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    fn items(&mut self, open: char, close: char) -> Option<Value> {
        self.eat(open)?;
        let mut items = Vec::new();
        while self.peek()? != close {
            items.push(self.value()?);
            if self.peek()? != close {
                self.eat(',')?;
            }
        }
        self.eat(close)?;
        Some(Value::Array(items))
    }

    fn dict(&mut self) -> Option<Value> {
        self.eat('{')?;
        let mut object = Map::new();
        while self.peek()? != '}' {
            let Value::String(key) = self.value()? else { return None };
            self.eat(':')?;
            object.insert(key, self.value()?);
            if self.peek()? != '}' {
                self.eat(',')?;
            }
        }
        self.eat('}')?;
        Some(Value::Object(object))
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.eat(quote)?;
        let mut out = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'x' => {
                        let (high, low) = (chars.next()?.to_digit(16)?, chars.next()?.to_digit(16)?);
                        out.push(char::from_u32(high << 4 | low)?);
                    }
                    c @ ('\\' | '\'' | '"') => out.push(c),
                    c => out.extend(['\\', c]),
                },
                '\n' => return None,
                c => out.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(out)
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', '}', ')', ':', ' ', '\n', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ => number(word),
        }
    }
}

fn number(word: &str) -> Option<Value> {
    let digits = word.trim_start_matches(['-', '+']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // Python refuses a decimal integer with a leading zero, so an access key of digits may stay a text.
    let zeros = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if zeros && digits.bytes().any(|b| b != b'0') {
        return None;
    }
    let int = word.parse::<i64>().ok().map(Value::from);
    int.or_else(|| word.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let value = json!({"a": [1, 2.5, true, null], "it's": "x\n"});
        assert_eq!(repr(&value), r#"{'a': [1, 2.5, True, None], "it's": 'x\n'}"#);
        assert_eq!(repr(&json!("plain 'text'")), "plain 'text'");
        assert_eq!(literal(&repr(&value)), Some(value));
    }

    #[test]
    fn what_is_no_literal_is_none() {
        for text in ["", "ABCDEF", "0555b35654ad1656d804", "{'a'}", "[1", "__import__('os')", "1 2", "007"] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal(" ('a', 1,) "), Some(json!(["a", 1])));
        assert_eq!(literal(&"[".repeat(5000)), None);
    }
}
