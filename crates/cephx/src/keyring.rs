//! Keyring files (`KeyRing` in `src/auth/KeyRing.cc`): sections named after identities, with a key and caps each.
//!
//! ```text
//! [mgr.x]
//!     key = AQ…
//!     caps mon = "allow profile mgr"
//! ```
//!
//! Comments start with `#` or `;`; a line that ends in a backslash goes on in the next one; `_` in a name stands for a space.
//! Errors name file and line, never a value: it may be a secret.

use crate::CryptoKey;
use axon_proto::AuthEntity;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a keyring says of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRingEntry {
    pub key: CryptoKey,
    /// By service (`mon`, `osd`, …).
    pub caps: BTreeMap<String, String>,
}

/// The identities of a keyring file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing {
    pub entries: BTreeMap<AuthEntity, KeyRingEntry>,
}

/// A keyring that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRingError {
    pub file: PathBuf,
    /// Counted from 1; 0 when the whole file is meant.
    pub line: usize,
    pub why: String,
}

impl fmt::Display for KeyRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.why)
    }
}
impl std::error::Error for KeyRingError {}

impl KeyRing {
    /// Parses a file's text; `file` is for error messages.
    pub fn parse(text: &str, file: &Path) -> Result<Self, KeyRingError> {
        let mut ring = KeyRing::default();
        let mut section = Section::None;
        for (line, text) in logical_lines(text) {
            let fail = |why: String| KeyRingError { file: file.to_owned(), line, why };
            match parse_line(&text).map_err(|why| fail(why.to_owned()))? {
                Line::Empty => {}
                Line::Section("global") => section = Section::Skip,
                Line::Section(name) => {
                    let name: AuthEntity = name.parse().map_err(|e| fail(format!("section {e}")))?;
                    ring.entries.entry(name.clone()).or_default();
                    section = Section::Entity(name);
                }
                Line::Value(name, value) => match &section {
                    Section::Skip => {}
                    Section::None => {
                        return Err(fail(format!("{name:?} stands before any section such as [mgr.x]")));
                    }
                    Section::Entity(entity) => {
                        let entry = ring.entries.entry(entity.clone()).or_default();
                        entry.set(&name, value).map_err(|why| fail(format!("[{entity}] {why}")))?;
                    }
                },
            }
        }
        Ok(ring)
    }

    /// The key of an identity, or an error that says what the file has instead.
    pub fn key(&self, name: &AuthEntity, file: &Path) -> Result<CryptoKey, KeyRingError> {
        let fail = |why| KeyRingError { file: file.to_owned(), line: 0, why };
        match self.entries.get(name) {
            Some(entry) if !entry.key.is_empty() => Ok(entry.key.clone()),
            Some(_) => Err(fail(format!("[{name}] has no key; `ceph auth get {name}` prints one"))),
            None => {
                let have: Vec<String> = self.entries.keys().map(ToString::to_string).collect();
                let have = if have.is_empty() { "nothing".to_owned() } else { have.join(", ") };
                Err(fail(format!("no section [{name}] (it has {have}); `ceph auth get {name}` prints one")))
            }
        }
    }
}

impl KeyRingEntry {
    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name.strip_prefix("caps ") {
            Some(service) => {
                self.caps.insert(service.to_owned(), value);
            }
            None if name == "key" => {
                self.key = CryptoKey::from_base64(&value).map_err(|e| format!("key: {e}"))?;
            }
            // Keyrings of old releases hold a number that nothing reads, newer ones a key that is not in force yet.
            None if name == "auid" || name == "pending key" => {}
            None => return Err(format!("{name:?} is not `key` or `caps <service>`")),
        }
        Ok(())
    }
}

enum Section {
    None,
    Skip,
    Entity(AuthEntity),
}

enum Line<'a> {
    Empty,
    Section(&'a str),
    Value(String, String),
}

/// Lines with the number where they start, continued ones joined.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match out.last_mut().filter(|_| continues) {
            Some((_, start)) => start.push_str(line),
            None => out.push((number + 1, line.to_owned())),
        }
        continues = more;
    }
    out
}

fn parse_line(line: &str) -> Result<Line<'_>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Ok(Line::Empty);
    }
    if let Some(rest) = line.strip_prefix('[') {
        let (name, _) = rest.split_once(']').ok_or("a section's name needs a closing `]`")?;
        return Ok(Line::Section(name.trim()));
    }
    let (name, value) = line.split_once('=').ok_or("neither a section such as [mgr.x] nor `name = value`")?;
    let name = name.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Line::Value(name, unquote(value.trim())?))
}

/// A value: in quotes up to the closing one with `\"` inside, else up to a comment.
fn unquote(value: &str) -> Result<String, &'static str> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Ok(value.split(['#', ';']).next().unwrap_or_default().trim().to_owned());
    };
    let mut out = String::new();
    let mut escaped = false;
    for c in value.chars().skip(1) {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if c == quote => return Ok(out),
            _ => out.push(c),
        }
    }
    Err("a value needs its closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AQB7AAAAyAEAABAAMTIzNDU2Nzg5MDEyMzQ1Ng==";

    fn parse(text: &str) -> Result<KeyRing, KeyRingError> {
        KeyRing::parse(text, Path::new("/etc/ceph/k"))
    }

    #[test]
    fn a_keyring_as_the_tools_write_it_reads_back() {
        let text = format!(
            "# made by hand\n[mgr.x]\n\tkey = {KEY}\n\tcaps mon = \"allow profile mgr\"\n\tcaps_osd = \"allow \
             \\\"x\\\" *\"\n[client.admin]\nkey={KEY} ; admin\n auid = 0\n"
        );
        let ring = parse(&text).unwrap();
        let mgr = &ring.entries[&"mgr.x".parse().unwrap()];
        assert_eq!(mgr.key.to_base64().as_str(), KEY);
        assert_eq!(mgr.caps["mon"], "allow profile mgr");
        assert_eq!(mgr.caps["osd"], "allow \"x\" *");
        assert!(ring.key(&"client.admin".parse().unwrap(), Path::new("k")).is_ok());
    }

    #[test]
    fn errors_name_file_line_and_what_to_check_but_no_value() {
        let e = parse(&format!("[mgr.x]\n\n\tkey = {KEY}x\n")).unwrap_err();
        assert_eq!(e.to_string(), "/etc/ceph/k:3: [mgr.x] key: not base64");
        let e = parse("key = 1").unwrap_err();
        assert_eq!(e.to_string(), "/etc/ceph/k:1: \"key\" stands before any section such as [mgr.x]");
        let e = parse("[mgr]\n").unwrap_err();
        assert!(e.to_string().starts_with("/etc/ceph/k:1: section \"mgr\" is not an entity name"));
        assert!(parse("[mgr.x").is_err() && parse("[mgr.x]\ncaps mon = \"allow").is_err());
        let ring = parse(&format!("[mgr.y]\nkey = {KEY}\n")).unwrap();
        let e = ring.key(&"mgr.x".parse().unwrap(), Path::new("k")).unwrap_err();
        assert_eq!(e.to_string(), "k: no section [mgr.x] (it has mgr.y); `ceph auth get mgr.x` prints one");
    }
}
