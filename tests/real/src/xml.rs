//! XML as Ceph's formatter prints it (elements and text, no attributes), as a tree that can be compared like JSON.

use serde_json::{Map, Value};

/// An element is an object of one member; what it holds is a text, or the list of its elements. `None` where the text is no XML.
pub fn tree(text: &str) -> Option<Value> {
    let mut rest = text.trim();
    let value = element(&mut rest)?;
    rest.trim().is_empty().then_some(value)
}

fn element(rest: &mut &str) -> Option<Value> {
    let (tag, after) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    *rest = after;
    let end = format!("</{tag}>");
    let held = match rest.find('<')? {
        _ if rest.trim_start().starts_with('<') && !rest.starts_with(&end) => {
            let mut elements = Vec::new();
            while !rest.trim_start().starts_with("</") {
                elements.push(element(rest)?);
            }
            *rest = rest.trim_start();
            Value::Array(elements)
        }
        length => {
            let (text, after) = rest.split_at(length);
            *rest = after;
            Value::from(text)
        }
    };
    *rest = rest.strip_prefix(end.as_str())?;
    Some(Value::Object(Map::from_iter([(tag.to_owned(), held)])))
}

/// The text without the elements of these names.
pub fn without(text: &str, names: &[&str]) -> String {
    let mut text = text.to_owned();
    for name in names {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        while let Some(start) = text.find(&open) {
            let Some(length) = text.get(start..).and_then(|rest| rest.find(&close)) else { break };
            let before = text.get(..start).unwrap_or_default();
            let line = before.len() - before.trim_end_matches(' ').len();
            let end = start + length + close.len();
            let end = if text.get(end..).is_some_and(|rest| rest.starts_with('\n')) { end + 1 } else { end };
            text.replace_range(start - line..end, "");
        }
    }
    text
}

/// The lines without what stands in the elements, in the order of the alphabet, for lists have none: what is left is the
/// indentation and the tags.
pub fn layout(text: &str) -> Vec<String> {
    let bare = |line: &str| match (line.find('>'), line.rfind("</")) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", line.get(..=open).unwrap_or_default(), line.get(close..).unwrap_or_default())
        }
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = text.split('\n').map(bare).collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_are_members_and_texts_values() {
        let text = "<a>\n <b>1 &lt; 2</b>\n <c>\n </c>\n <b></b>\n</a>\n\n";
        assert_eq!(tree(text), Some(json!({"a": [{"b": "1 &lt; 2"}, {"c": []}, {"b": ""}]})));
        assert_eq!(without(text, &["c", "nope"]), "<a>\n <b>1 &lt; 2</b>\n <b></b>\n</a>\n\n");
        assert_eq!((tree("plain"), tree("<a>1</b>"), tree("<a>1</a> x")), (None, None, None));
        assert_eq!(layout("<a>\n <b>12</b>\n</a>"), [" <b></b>", "</a>", "<a>"]);
    }
}
