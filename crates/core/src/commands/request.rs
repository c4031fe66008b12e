//! One command as its handler sees it, with the arguments as upstream's `cmd_getval` reads them, and the forms of answers.

use super::{Done, xml};
use crate::command::{Command, CommandOutput};
use crate::state::State;
use axon_proto::UTime;
use axon_proto::json::{Entries, Object, Then, map_of};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Value, json};

pub const ENOENT: i32 = 2;
pub const EAGAIN: i32 = 11;
pub const EBUSY: i32 = 16;
pub const EINVAL: i32 = 22;

/// What a handler gets.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub command: &'a Command,
    pub state: &'a State,
    pub now: UTime,
}

/// How the caller wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Plain,
    Json,
    JsonPretty,
    Xml,
    XmlPretty,
}

impl Format {
    /// By upstream's name (`Formatter::create`). Upstream has `table` and `html` too, which no command line asks a manager for.
    #[must_use]
    pub fn of(name: &str) -> Option<Format> {
        Some(match name {
            "json" => Format::Json,
            "json-pretty" => Format::JsonPretty,
            "xml" => Format::Xml,
            "xml-pretty" => Format::XmlPretty,
            _ => return None,
        })
    }

    /// The one that a command asks for; one that nobody knows counts as plain text, as upstream has it.
    #[must_use]
    pub fn asked(command: &Command) -> Format {
        command.args.get("format").and_then(Value::as_str).and_then(Format::of).unwrap_or(Format::Plain)
    }

    /// This format, or another where it is plain text.
    #[must_use]
    pub fn or(self, other: Format) -> Format {
        if self == Format::Plain { other } else { self }
    }

    /// An answer in this format. `root` names it in XML.
    #[must_use]
    pub fn text(self, root: &str, body: &impl Serialize) -> String {
        match self {
            Format::Xml => xml::text(root, &json!(body), false),
            Format::XmlPretty => xml::text(root, &json!(body), true),
            format => json_text(body, format),
        }
    }
}

impl Ask<'_> {
    /// The format asked for.
    pub fn format(&self) -> Format {
        Format::asked(self.command)
    }

    /// A text; a number counts as its digits.
    pub fn text(&self, name: &str) -> Option<String> {
        self.command.args.get(name).and_then(text_of)
    }

    /// A list of texts; one text counts as a list of one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.command.args.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(text_of).collect(),
            Some(one) => text_of(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A number, also as text, and of an OSD also as `osd.N`.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.command.args.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|f| f as i64)),
            Value::String(text) => text.trim_start_matches("osd.").parse().ok(),
            _ => None,
        }
    }

    /// A number with a fraction, also as text.
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.command.args.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A switch; `--yes` and older callers' `"true"` both count.
    pub fn switch(&self, name: &str) -> bool {
        match self.command.args.get(name) {
            Some(Value::Bool(set)) => *set,
            Some(Value::String(text)) => matches!(text.as_str(), "true" | "1") || text.starts_with("--"),
            _ => false,
        }
    }

    /// A tree in the caller's format, named `root` in XML; plain text as `text` makes it.
    pub fn answer<B: Serialize>(
        &self,
        root: &str,
        body: impl FnOnce() -> B,
        text: impl FnOnce() -> String,
    ) -> Done {
        match self.format() {
            Format::Plain => CommandOutput::ok(text()).into(),
            format => CommandOutput::ok(format.text(root, &body())).into(),
        }
    }

    /// Like [`Ask::answer`], in the object with `pg_ready` that upstream puts around what comes from the PG map.
    pub fn pg_answer<B: Entries>(
        &self,
        flushed: Flushed,
        body: impl FnOnce() -> B,
        text: impl FnOnce() -> String,
    ) -> Done {
        match self.format() {
            Format::Plain => CommandOutput::ok(text()).into(),
            format => CommandOutput::ok(self.pg_text(format, flushed, &body())).into(),
        }
    }

    /// Members within that object.
    pub fn pg_text(&self, format: Format, flushed: Flushed, body: &impl Entries) -> String {
        let mut text = format.text(PG_INFO, &Object(Then(("pg_ready", self.state.pg_ready), body)));
        let end = match format {
            Format::Xml | Format::XmlPretty => text.rfind("</"),
            _ => text.rfind('}'),
        };
        let breaks = match flushed {
            Flushed::Whole => format == Format::XmlPretty && !map_of(body).is_empty(),
            Flushed::Lines => format != Format::XmlPretty,
        };
        if let (true, Some(end)) = (breaks, end) {
            text.insert(end, '\n');
        }
        text
    }
}

/// What upstream has written of an answer by the time that it closes the object around it; its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All before the closing bracket; XML in its indented form ends each writing with an empty line.
    Whole,
    /// The same, line by line: each line ends, and empty ones are lost.
    Lines,
}

const PG_INFO: &str = "pg_info";

impl Ask<'_> {
    /// A refusal by what answers with [`Ask::pg_answer`]: the object has been begun by then, and is sent.
    pub fn pg_refuse(&self, errno: i32, why: impl Into<String>) -> Done {
        let mut done = self.pg_answer(Flushed::Whole, || None::<(&str, Value)>, String::new);
        done.output.retval = -errno;
        done.output.outs = why.into();
        done
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// JSON as upstream's formatter lays it out: compact, or indented by four with a newline at the end.
#[must_use]
pub fn json_text(value: &impl Serialize, format: Format) -> String {
    let mut out = Vec::new();
    let written = if format == Format::JsonPretty {
        let pretty = PrettyFormatter::with_indent(b"    ");
        let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, pretty));
        out.push(b'\n');
        written
    } else {
        axon_proto::json::write(value, &mut out)
    };
    // Only a map whose keys are no texts fails, which would be a slip of ours.
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(out).unwrap_or_default()
}

/// A refusal; `errno` positive.
pub fn refuse(errno: i32, why: impl Into<String>) -> Done {
    CommandOutput::failed(errno, why).into()
}

/// Success with a status text and no data.
pub fn told(outs: impl Into<String>) -> Done {
    CommandOutput { retval: 0, outs: outs.into(), ..CommandOutput::default() }.into()
}

/// An OSD's id: `3` or `osd.3`, at most 65535.
pub fn osd_id(text: &str) -> Option<i32> {
    let digits = text.strip_prefix("osd.").unwrap_or(text);
    digits.parse::<u16>().ok().map(i32::from)
}

/// What upstream's number parser says of a text that is no OSD's id; it stands before a command's own words.
pub fn osd_id_fault(text: &str) -> String {
    let digits = text.strip_prefix("osd.").unwrap_or(text);
    match digits.parse::<i64>() {
        Err(_) => format!("Expected option value to be integer, got '{digits}'"),
        Ok(number) if number < 0 => format!("expected numerical value, got: {digits}"),
        Ok(number) => format!("osd id {number} is too large"),
    }
}
