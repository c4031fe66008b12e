//! `ceph.conf` (`ConfFile`, `src/common/ConfUtils.{h,cc}`): sections of `key = value`, read as upstream's grammar (since
//! Octopus) reads them, oddities included: checked against `ceph-conf` of 16.2.
//!
//! - Blanks within a key count as underscores, at its ends not at all; a dash is not an underscore.
//! - `#` and `;` begin a comment anywhere, within quotes too, unless a backslash stands before them; a backslash at a
//!   line's end joins the next line.
//! - A section may come again; the last value of a key wins. A key before any section is an error, but a file of a single
//!   key is taken for `[global]`.
//! - The last line needs its newline; a section's name must begin its line and keeps its blanks.
//!
//! Not here: variables in values (`expand`), which section counts for whom (`Settings`).

use std::collections::BTreeMap;
use std::fmt;

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfFile {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where the file is not what upstream reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfError {
    pub line: usize,
    pub why: &'static str,
}
impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}
impl std::error::Error for ConfError {}

impl ConfFile {
    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfError> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            ConfError { line: line_at(before), why: "not UTF-8" }
        })?;
        let mut file = ConfFile::default();
        let mut cursor = Cursor { text, pos: 0 };
        if let Some((key, value)) = cursor.key_value()? {
            file.insert("global", &key, value);
            return cursor.end().map(|()| file);
        }
        cursor.blank_lines();
        while let Some(heading) = cursor.heading()? {
            file.sections.entry(heading.clone()).or_default();
            while let Some((key, value)) = cursor.key_value()? {
                file.insert(&heading, &key, value);
            }
            cursor.blank_lines();
        }
        cursor.end().map(|()| file)
    }

    /// Names of the sections, sorted.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Keys (normalized) and values of a section.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.sections.get(name).into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The value of `key` in the first of `sections` that has it.
    #[must_use]
    pub fn value(&self, sections: &[&str], key: &str) -> Option<&str> {
        let key = normalized(key);
        sections.iter().find_map(|s| self.sections.get(*s)?.get(&key)).map(String::as_str)
    }

    fn insert(&mut self, section: &str, key: &str, value: String) {
        let values = self.sections.entry(section.to_owned()).or_default();
        values.insert(normalized(key), value.trim_matches(is_space).to_owned());
    }
}

/// A key with each run of white space as one underscore, none at its ends.
#[must_use]
pub fn normalized(key: &str) -> String {
    key.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn line_at(before: &[u8]) -> usize {
    before.iter().filter(|b| **b == b'\n').count() + 1
}

/// The grammar's rules, each leaving the cursor where it was when it does not match.
struct Cursor<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn error<T>(&self, why: &'static str) -> Result<T, ConfError> {
        Err(ConfError { line: line_at(self.text.as_bytes().get(..self.pos).unwrap_or_default()), why })
    }

    fn end(&self) -> Result<(), ConfError> {
        match self.rest() {
            "" => Ok(()),
            rest if rest.starts_with('[') => self.error("a key stands before any section"),
            rest if rest.trim_start_matches(is_blank).starts_with('[') => {
                self.error("blanks before the section's name")
            }
            _ => self.error("neither `key = value` nor a `[section]`"),
        }
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.pos += c.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches(is_blank).len();
    }

    /// Length of the line end that comes next.
    fn eol_len(text: &str) -> usize {
        if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with(['\n', '\r'])) }
    }

    /// What stands between tokens: joined lines and comments with the blanks before them.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            if let Some(after) = rest.strip_prefix('\\') {
                match Self::eol_len(after) {
                    0 => return,
                    len => self.pos += 1 + len,
                }
                continue;
            }
            let comment = rest.trim_start_matches(is_blank);
            if !comment.starts_with(['#', ';']) {
                return;
            }
            let end = comment.find(['\n', '\r']).unwrap_or(comment.len());
            self.pos += rest.len() - comment.len() + end;
        }
    }

    /// One character of a key, name or value; a backslash makes the next one ordinary.
    fn text_char(&mut self) -> Option<char> {
        let mut chars = self.rest().chars();
        let first = chars.next()?;
        let c = match (first, chars.next()) {
            ('\\', Some(c)) if !matches!(c, '\n' | '\r') => {
                self.pos += 1;
                c
            }
            ('#' | ';' | '\n' | '\r', _) => return None,
            _ => first,
        };
        self.pos += c.len_utf8();
        Some(c)
    }

    fn empty_line(&mut self) -> bool {
        let start = self.pos;
        self.skip();
        self.blanks();
        match Self::eol_len(self.rest()) {
            0 => {
                self.pos = start;
                false
            }
            len => {
                self.pos += len;
                true
            }
        }
    }

    fn line_end(&mut self) -> Result<(), ConfError> {
        if !self.empty_line() {
            return match self.rest() {
                "" => self.error("the last line does not end with a newline"),
                _ => self.error("text behind the value or the section's name"),
            };
        }
        while self.empty_line() {}
        Ok(())
    }

    /// Lines with nothing but a comment before the first section or after a section's last key.
    fn blank_lines(&mut self) {
        loop {
            self.skip();
            match Self::eol_len(self.rest()) {
                0 => return,
                len => self.pos += len,
            }
        }
    }

    fn heading(&mut self) -> Result<Option<String>, ConfError> {
        self.skip();
        if !self.take('[') {
            return Ok(None);
        }
        let mut name = String::new();
        loop {
            self.skip();
            if self.take(']') {
                break;
            }
            match self.text_char() {
                Some(c) => name.push(c),
                None => return self.error("the section's name has no closing bracket"),
            }
        }
        if name.is_empty() {
            return self.error("a section without a name");
        }
        self.line_end()?;
        Ok(Some(name))
    }

    fn key_value(&mut self) -> Result<Option<(String, String)>, ConfError> {
        let start = self.pos;
        self.skip();
        self.blanks();
        let Some(key) = self.key() else {
            self.pos = start;
            return Ok(None);
        };
        self.skip();
        self.blanks();
        self.skip();
        if !self.take('=') {
            self.pos = start;
            return Ok(None);
        }
        self.skip();
        self.blanks();
        self.skip();
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.unquoted(),
        };
        self.line_end()?;
        Ok(Some((key, value)))
    }

    /// Words between blanks, as they stand in the file.
    fn key(&mut self) -> Option<String> {
        self.skip();
        let start = self.pos;
        let mut end = start;
        loop {
            let word = self.pos;
            loop {
                self.skip();
                if self.rest().starts_with(['=', '[', ' ']) || self.text_char().is_none() {
                    break;
                }
                end = self.pos;
            }
            if end <= word {
                break;
            }
            self.pos = end;
            self.blanks();
            if self.pos == end {
                break;
            }
        }
        self.pos = end;
        self.text.get(start..end).filter(|key| !key.is_empty()).map(str::to_owned)
    }

    fn quoted(&mut self, quote: char) -> Result<String, ConfError> {
        self.take(quote);
        let mut value = String::new();
        loop {
            if self.take(quote) {
                return Ok(value);
            }
            match self.text_char() {
                Some(c) => value.push(c),
                None => return self.error("the quoted value is not closed (# and ; in it need a backslash)"),
            }
        }
    }

    fn unquoted(&mut self) -> String {
        let mut value = String::new();
        loop {
            self.skip();
            match self.text_char() {
                Some(c) => value.push(c),
                None => return value,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> Option<String> {
        ConfFile::parse(text.as_bytes()).unwrap().value(&["mgr.x", "mgr", "global"], key).map(str::to_owned)
    }

    /// Expectations are what `ceph-conf -n mgr.x --lookup` of 16.2.15 printed for the same text.
    #[test]
    fn leniencies_are_upstreams() {
        let text = "# c\n[global]\n\tfsid = 5 ; trailing\nmon   host=  a b  \\\n  c # d\n\
            key_1 = \"quoted value\"   # cc\nesc = a\\#b\\\\c\n  dash-ed = 1\ndup = 1\n[mgr]\ndup = 2\n\
            [global]\ndup=3\n e =\n";
        let expect = [
            ("mon host", Some("a b    c")),
            ("mon_host", Some("a b    c")),
            ("fsid", Some("5")),
            ("key_1", Some("quoted value")),
            ("esc", Some("a#b\\c")),
            ("dash-ed", Some("1")),
            ("dash_ed", None),
            ("dup", Some("2")),
            ("e", Some("")),
            ("f", None),
        ];
        for (key, expect) in expect {
            assert_eq!(value(text, key).as_deref(), expect, "{key}");
        }
    }

    #[test]
    fn line_ends_of_other_systems_and_names_with_blanks() {
        let text = "\n\n; c\n[global]\r\na = 1\r\n\r\n  # x\r\nb = 2 3\t4 \r\n[ mgr ]\nc=5\n";
        assert_eq!(value(text, "a").as_deref(), Some("1"));
        assert_eq!(value(text, "b").as_deref(), Some("2 3\t4"));
        assert_eq!(value(text, "c"), None);
        let file = ConfFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.sections().collect::<Vec<_>>(), [" mgr ", "global"]);
        assert_eq!(file.section(" mgr ").collect::<Vec<_>>(), [("c", "5")]);
    }

    #[test]
    fn a_file_of_one_key_is_global_and_an_empty_one_is_fine() {
        assert_eq!(value("mon host = 1\n", "mon_host").as_deref(), Some("1"));
        assert_eq!(ConfFile::parse(b"").unwrap(), ConfFile::default());
        assert_eq!(ConfFile::parse(b"# only a comment\n\n").unwrap(), ConfFile::default());
    }

    /// Each of these `ceph-conf` refuses, too, naming the same line or the one behind.
    #[test]
    fn what_upstream_refuses_is_refused_with_the_line() {
        for (text, line, why) in [
            ("[global]\na = 1\n [mgr]\nb = 2\n", 3, "blanks before"),
            ("[global]\na = 1", 2, "newline"),
            ("[global]\na = \"x#y\"\n", 2, "not closed"),
            ("[global]\na = 'q #'\n", 2, "not closed"),
            ("[global]\na = \"q\" x\n", 2, "behind"),
            ("a = 1\n[global]\nb = 2\n", 2, "before any section"),
            ("[global]\nstray\na = 1\n", 2, "neither"),
            ("[global\na = 1\n", 1, "bracket"),
        ] {
            let e = ConfFile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(e.line, line, "{text:?}: {e}");
            assert!(e.why.contains(why), "{text:?}: {e}");
        }
        assert_eq!(ConfFile::parse(b"[global]\na = \xff\n").unwrap_err().line, 2);
    }
}
