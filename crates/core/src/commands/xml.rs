//! Answers as XML (`XMLFormatter` in `src/common/Formatter.cc`): the tree that is also printed as JSON, with the names that JSON
//! leaves out: that of the outermost element, which the command gives, and those of the items of arrays, which follow from
//! the array's name in upstream's dump functions.
//!
//! Invariant: every answer is well formed, whatever its texts hold; blanks in names become underscores.

use crate::text::significant;
use serde_json::Value;
use std::fmt::Write as _;

/// `XMLFormatter::XML_1_DTD` is printed only by the object gateway.
pub(super) fn text(root: &str, value: &Value, pretty: bool) -> String {
    let mut out = Writer { text: String::new(), depth: 0, pretty };
    out.element(root, value);
    out.line_end();
    out.text
}

/// The name of an array's items.
fn item_of(array: &str) -> &'static str {
    match array {
        "pg_stats" | "stuck_pg_stats" => "pg_stat",
        "pool_stats" => "pool_stat",
        "osd_stats" => "osd_stat",
        "up" | "acting" | "blocked_by" | "hb_peers" | "osds" | "osd_perf_infos" | "osd_blocked_by_infos" => {
            "osd"
        }
        "safe_to_destroy"
        | "active"
        | "missing_stats"
        | "stored_pgs"
        | "reweights"
        | "osds_in_crush_bucket" => "osd",
        "osds_ok_to_upgrade" => "ok_upgrade",
        "osds_upgraded" => "ok_upgraded",
        "bad_no_version" => "bad_no_version",
        "avail_no_missing" => "shard",
        "object_location_counts" | "network_ping_times" | "entries" => "entry",
        "purged_snaps" => "interval",
        "histogram" => "count",
        "alerts" => "alert",
        "children" => "child",
        "unknown_pgs" | "bad_no_pool_pgs" | "bad_already_inactive" | "bad_become_inactive" => "pg",
        "ok_become_degraded" | "ok_become_more_degraded" => "pg",
        "config" | "overrides" => "value",
        "devices" => "device",
        "location" => "attachment",
        "daemons" => "daemon",
        "num_pg_by_state" => "state",
        "options" => "option",
        "ops" => "op",
        "Ops" => "Op",
        "events" => "event",
        "tags" => "tag",
        "services" => "service",
        "enum_values" => "enum_value",
        "flags" => "option",
        "axes" => "axis",
        "ranges" => "bucket",
        "interfaces" => "interface",
        _ => "item",
    }
}

struct Writer {
    text: String,
    depth: usize,
    pretty: bool,
}

impl Writer {
    fn element(&mut self, name: &str, value: &Value) {
        let tag = name.replace(' ', "_");
        match value {
            Value::Object(fields) => {
                self.open(&tag);
                fields.iter().for_each(|(key, value)| self.element(key, value));
                self.close(&tag);
            }
            Value::Array(items) => {
                // `osd pool stats` alone is such an array as a whole.
                let item = if (self.depth, name) == (0, "pool_stats") { "pool" } else { item_of(name) };
                self.open(&tag);
                items.iter().for_each(|value| self.element(item, value));
                self.close(&tag);
            }
            value => {
                self.indent();
                let _ = write!(self.text, "<{tag}>{}</{tag}>", Text(value));
                self.line_end();
            }
        }
    }

    fn open(&mut self, tag: &str) {
        self.indent();
        let _ = write!(self.text, "<{tag}>");
        self.line_end();
        self.depth += 1;
    }

    fn close(&mut self, tag: &str) {
        self.depth -= 1;
        self.indent();
        let _ = write!(self.text, "</{tag}>");
        self.line_end();
    }

    fn indent(&mut self) {
        if self.pretty {
            self.text.extend(std::iter::repeat_n(' ', self.depth));
        }
    }

    fn line_end(&mut self) {
        if self.pretty {
            self.text.push('\n');
        }
    }
}

/// A value without parts, escaped.
struct Text<'a>(&'a Value);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::String(text) => escaped(text, out),
            Value::Number(number) if number.is_f64() => {
                out.write_str(&significant(number.as_f64().unwrap_or_default(), 17))
            }
            // JSON has no word for a float that is no number.
            Value::Null => out.write_str("nan"),
            other => write!(out, "{other}"),
        }
    }
}

/// `xml_stream_escaper`.
fn escaped(text: &str, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for c in text.chars() {
        match c {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '\'' => out.write_str("&apos;")?,
            '"' => out.write_str("&quot;")?,
            '\t' | '\n' => out.write_char(c)?,
            '\0'..='\x1f' | '\x7f' => write!(out, "&#x{:02x};", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_of_arrays_are_named_after_the_array() {
        let value = json!({"a b": 1, "up": [0, 2], "x": {"y": true, "z": 0.1, "children": []}});
        assert_eq!(
            text("df", &value, false),
            "<df><a_b>1</a_b><up><osd>0</osd><osd>2</osd></up><x><y>true</y><z>0.10000000000000001</z><children>\
             </children></x></df>"
        );
        assert_eq!(text("df", &json!({"up": [0]}), true), "<df>\n <up>\n  <osd>0</osd>\n </up>\n</df>\n\n");
    }

    #[test]
    fn texts_are_escaped() {
        let value = json!("<a> & 'b' \"c\"\n\u{1}");
        assert_eq!(text("t", &value, false), "<t>&lt;a&gt; &amp; &apos;b&apos; &quot;c&quot;\n&#x01;</t>");
    }
}
