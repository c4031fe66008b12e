//! What modules take from Python and its libraries: `json.dumps`, floats as text, `PrettyTable` without a border, and
//! `mgr_util`'s numbers with units.

use serde_json::{Number, Value};

/// `json.dumps(value, sort_keys=…, indent=…)`; an indent of 0 is one line.
#[must_use]
pub fn dumps(value: &Value, sort_keys: bool, indent: usize) -> String {
    let mut out = String::new();
    write(&mut out, value, sort_keys, indent, 0);
    out
}

fn write(out: &mut String, value: &Value, sort: bool, indent: usize, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(set) => out.push_str(if *set { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => quoted(out, text),
        Value::Array(items) => {
            let items = items.iter().map(|item| (None, item));
            members(out, ('[', ']'), items, sort, indent, depth);
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(k, v)| (Some(k.as_str()), v)).collect();
            if sort {
                fields.sort_by_key(|(key, _)| *key);
            }
            members(out, ('{', '}'), fields.into_iter(), sort, indent, depth);
        }
    }
}

fn members<'a>(
    out: &mut String,
    (open, close): (char, char),
    items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Value)>,
    sort: bool,
    indent: usize,
    depth: usize,
) {
    out.push(open);
    let empty = items.len() == 0;
    let line = |out: &mut String, depth: usize| {
        if indent > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    for (at, (key, value)) in items.enumerate() {
        if at > 0 {
            out.push_str(if indent > 0 { "," } else { ", " });
        }
        line(out, depth + 1);
        if let Some(key) = key {
            quoted(out, key);
            out.push_str(": ");
        }
        write(out, value, sort, indent, depth + 1);
    }
    if !empty {
        line(out, depth);
    }
    out.push(close);
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

/// `repr` of a list of texts.
#[must_use]
pub fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = texts.map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// `repr` of a float: the shortest digits that read back, with an exponent outside 1e-4 … 1e16.
#[must_use]
pub fn float_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if value != 0.0 && !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value:?}"),
    }
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

/// `PrettyTable` with `border=False`, no padding on the left and two blanks on the right. A table without rows is nothing.
#[derive(Clone, Debug)]
pub struct PrettyTable {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl PrettyTable {
    #[must_use]
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        PrettyTable { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// All columns centred.
    #[must_use]
    pub fn centred(names: &[&'static str]) -> Self {
        PrettyTable { columns: names.iter().map(|name| (*name, Align::Centre)).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// `get_string`.
    #[must_use]
    pub fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let width = |at: usize, name: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| shown_len(cell));
            cells.max().unwrap_or(0).max(name.len())
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(|(at, (n, _))| width(at, n)).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let columns = self.columns.iter().zip(&widths);
            columns
                .zip(cells)
                .map(|(((_, align), width), cell)| justified(cell, *align, *width) + "  ")
                .collect::<String>()
        };
        let mut lines = vec![line(&mut self.columns.iter().map(|(name, _)| *name))];
        lines.extend(self.rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        lines.join("\n")
    }
}

fn justified(cell: &str, align: Align, width: usize) -> String {
    let len = shown_len(cell);
    let excess = width.saturating_sub(len);
    let left = match align {
        Align::Left => 0,
        Align::Right => excess,
        // What is left over of an odd number goes before a text of even length and behind one of odd length.
        Align::Centre => excess / 2 + (excess % 2) * usize::from(len.is_multiple_of(2)),
    };
    format!("{:left$}{cell}{:right$}", "", "", right = excess - left)
}

/// Characters without the escape sequences of colours.
fn shown_len(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let plain = parts.next().map_or(0, |part| part.chars().count());
    let escaped = parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count()));
    plain + escaped.sum::<usize>()
}

/// `mgr_util.format_dimless`.
#[must_use]
pub fn format_dimless(n: f64, width: usize) -> String {
    format_units(n, width, 1000.0)
}

/// `mgr_util.format_bytes`.
#[must_use]
pub fn format_bytes(n: f64, width: usize) -> String {
    format_units(n, width, 1024.0)
}

fn format_units(n: f64, width: usize, factor: f64) -> String {
    const UNITS: [char; 7] = [' ', 'k', 'M', 'G', 'T', 'P', 'E'];
    let room = width.saturating_sub(1);
    let digits = |unit: i32| format!("{:.0}", (n.trunc() / factor.powi(unit)).floor()).len();
    let unit = (0..7).find(|unit| digits(*unit) <= room).unwrap_or(6);
    let suffix = usize::try_from(unit).ok().and_then(|unit| UNITS.get(unit)).copied().unwrap_or(' ');
    if unit == 0 {
        return format!("{:>room$}{suffix}", format!("{:.0}", n.trunc()));
    }
    let exact = format!("{:.6}", n / factor.powi(unit));
    let cut: String = exact.chars().take(room).collect();
    match cut.strip_suffix('.') {
        Some(whole) => format!(" {whole}{suffix}"),
        None => format!("{cut}{suffix}"),
    }
}

/// `mgr_util.bold`.
#[must_use]
pub fn bold(text: &str) -> String {
    format!("\u{1b}[1m{text}\u{1b}[0m")
}

/// `mgr_util.colorize`; 2 is green, 3 yellow.
#[must_use]
pub fn colorize(text: &str, color: u8) -> String {
    format!("\u{1b}[1;{}m{text}\u{1b}[0m", 30 + color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_laid_out_as_pythons() {
        let value = json!({"b": [1, 2.0], "a": {"é": null}, "c": []});
        assert_eq!(dumps(&value, true, 0), r#"{"a": {"\u00e9": null}, "b": [1, 2.0], "c": []}"#);
        assert_eq!(
            dumps(&json!({"b": [1], "a": {}}), false, 4),
            "{\n    \"b\": [\n        1\n    ],\n    \"a\": {}\n}"
        );
        assert_eq!(dumps(&json!("\u{1f600}\u{7f}"), false, 0), r#""\ud83d\ude00\u007f""#);
    }

    #[test]
    fn floats_read_as_in_python() {
        let floats = [0.0, 1.0, 4.117_377_102_375_03e-6, 0.000_244_140_625, 1e16, 45_221.666_666_666_664];
        let texts = ["0.0", "1.0", "4.11737710237503e-06", "0.000244140625", "1e+16", "45221.666666666664"];
        assert_eq!(floats.map(float_text), texts);
    }

    #[test]
    fn numbers_fit_into_their_width() {
        let bytes = |n| format_bytes(n, 5);
        // Seen from upstream's `osd status` and `fs status`.
        assert_eq!([bytes(29_786_112.0), bytes(4_265_181_184.0)], ["28.4M", "4067M"]);
        assert_eq!([bytes(0.0), bytes(135_010.0)], ["   0 ", " 131k"]);
        assert_eq!(format_bytes(12_884_901_888.0, 6), "12288M");
        assert_eq!(format_dimless(12.0, 5), "  12 ");
    }

    #[test]
    fn a_table_has_no_border() {
        let mut table =
            PrettyTable::new(&[("ID", Align::Right), ("STATE", Align::Left), ("USED", Align::Centre)]);
        assert_eq!(table.text(), "");
        table.row(["0".to_owned(), bold("exists,up"), " 131k".to_owned()]);
        assert_eq!(table.text(), "ID  STATE       USED  \n 0  \u{1b}[1mexists,up\u{1b}[0m   131k  ");
    }
}
