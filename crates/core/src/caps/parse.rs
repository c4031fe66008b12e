//! Grammar of a manager capability: grants separated by commas or semicolons (`MgrCapParser` in `src/mgr/MgrCap.cc`).
//!
//! ```text
//! grant :=  [allow] profile NAME [K=V …] | allow service NAME RWX | allow module NAME [with K=V …] RWX
//!        | allow command NAME [with K=V …] | allow RWX,   each with [network CIDR]
//! ```

use super::{Allow, Constraint, Constraints, Grant, Match, Network, Scope, Within};
use std::fmt;

/// Where the text stops making sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCaps {
    pub text: String,
    pub stopped_at: String,
}

impl fmt::Display for BadCaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mgr capability parse failed, stopped at {:?} of {:?}", self.stopped_at, self.text)
    }
}
impl std::error::Error for BadCaps {}

pub(super) fn parse(text: &str) -> Result<Vec<Grant>, BadCaps> {
    let mut cursor = Cursor { rest: text };
    let mut grants = Vec::new();
    let bad = |rest: &str| BadCaps { text: text.to_owned(), stopped_at: rest.to_owned() };
    loop {
        cursor.spaces();
        let at = cursor.rest;
        grants.push(cursor.grant().ok_or_else(|| bad(at))?);
        cursor.spaces();
        if cursor.rest.is_empty() {
            return Ok(grants);
        }
        if !cursor.eat(",") && !cursor.eat(";") {
            return Err(bad(cursor.rest));
        }
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn spaces(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\n', '\t']);
        let moved = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        moved
    }

    fn eat(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A word behind which spaces stand; nothing is consumed otherwise.
    fn keyword(&mut self, word: &str) -> Option<()> {
        let mut ahead = Cursor { rest: self.rest };
        (ahead.eat(word) && ahead.spaces()).then(|| self.rest = ahead.rest)
    }

    /// `word=` or `word `.
    fn selector(&mut self, word: &str) -> Option<()> {
        let mut ahead = Cursor { rest: self.rest };
        (ahead.eat(word) && (ahead.eat("=") || ahead.spaces())).then(|| self.rest = ahead.rest)
    }

    fn while_in(&mut self, allowed: impl Fn(char) -> bool) -> Option<&'a str> {
        let end = self.rest.find(|c| !allowed(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn word(&mut self) -> Option<String> {
        for quote in ["\"", "'"] {
            if let Some(inner) = self.rest.strip_prefix(quote) {
                let (word, rest) = inner.split_once(quote)?;
                self.rest = rest;
                return (!word.is_empty()).then(|| word.to_owned());
            }
        }
        self.while_in(|c| c.is_ascii_alphanumeric() || "_./-".contains(c)).map(str::to_owned)
    }

    fn allow(&mut self) -> Option<Allow> {
        if self.eat("*") || self.eat("all") {
            return Some(Allow::ANY);
        }
        let mut allow = Allow::NONE;
        for (letter, bit) in [("r", Allow::R), ("w", Allow::W), ("x", Allow::X)] {
            if self.eat(letter) {
                allow = allow | bit;
            }
        }
        (allow != Allow::NONE).then_some(allow)
    }

    fn constraint(&mut self) -> Option<(String, Constraint)> {
        let key = self.word()?;
        let spaced = self.spaces();
        let how = if self.eat("=") {
            self.spaces();
            Match::Equal
        } else if spaced && self.keyword("prefix").is_some() {
            Match::Prefix
        } else if spaced && self.keyword("regex").is_some() {
            Match::Regex
        } else {
            return None;
        };
        Some((key, Constraint { how, value: self.word()? }))
    }

    /// As many constraints as follow; what follows them is left.
    fn constraints(&mut self) -> Constraints {
        let mut out = Constraints::new();
        loop {
            let mut ahead = Cursor { rest: self.rest };
            if !out.is_empty() && !ahead.spaces() {
                return out;
            }
            let Some((key, constraint)) = ahead.constraint() else { return out };
            // Of two with one key the first counts.
            out.entry(key).or_insert(constraint);
            self.rest = ahead.rest;
        }
    }

    /// ` with K=V …`; an empty map where it does not stand.
    fn with_constraints(&mut self) -> Option<Constraints> {
        let mut ahead = Cursor { rest: self.rest };
        if !ahead.spaces() || ahead.keyword("with").is_none() {
            return Some(Constraints::new());
        }
        let constraints = ahead.constraints();
        self.rest = ahead.rest;
        (!constraints.is_empty()).then_some(constraints)
    }

    fn spaced_allow(&mut self) -> Option<Allow> {
        if !self.spaces() {
            return None;
        }
        self.allow()
    }

    fn scope(&mut self) -> Option<Scope> {
        let allow = self.keyword("allow").is_some();
        if self.selector("profile").is_some() {
            let name = self.word()?;
            let mut ahead = Cursor { rest: self.rest };
            let constraints = if ahead.spaces() { ahead.constraints() } else { Constraints::new() };
            if !constraints.is_empty() {
                self.rest = ahead.rest;
            }
            let scopes = profile(&name, &constraints)?;
            return Some(Scope::Profile(name, constraints, scopes));
        }
        if !allow {
            return None;
        }
        if self.selector("service").is_some() {
            return Some(Scope::Service(self.word()?, self.spaced_allow()?));
        }
        if self.selector("module").is_some() {
            return Some(Scope::Module(self.word()?, self.with_constraints()?, self.spaced_allow()?));
        }
        if self.selector("command").is_some() {
            return Some(Scope::Command(self.word()?, self.with_constraints()?));
        }
        self.allow().map(Scope::Everything)
    }

    fn grant(&mut self) -> Option<Grant> {
        let scope = self.scope()?;
        let mut ahead = Cursor { rest: self.rest };
        if !ahead.spaces() || ahead.keyword("network").is_none() {
            return Some(Grant { scope, within: Within::Anywhere, network: String::new() });
        }
        let text = ahead.while_in(|c| c.is_ascii_hexdigit() || "/.:][".contains(c))?;
        self.rest = ahead.rest;
        let within = network(text).map_or(Within::Nowhere, Within::Network);
        Some(Grant { scope, within, network: text.to_owned() })
    }
}

/// `ADDRESS/BITS` (`parse_network`, `src/common/ipaddr.cc`): no brackets; too many bits mean all of them.
fn network(text: &str) -> Option<Network> {
    let (ip, bits) = text.split_once('/')?;
    let ip: std::net::IpAddr = ip.parse().ok()?;
    let all = if ip.is_ipv4() { 32 } else { 128 };
    Some(Network { ip, prefix_bits: bits.parse::<u32>().ok()?.min(all) })
}

/// What a profile grants. `osd` and `mds` are documented, valid and grant nothing here.
fn profile(name: &str, constraints: &Constraints) -> Option<Vec<Scope>> {
    let rbd = |allow| {
        let known = constraints.keys().all(|key| key == "pool" || key == "namespace");
        known.then(|| vec![Scope::Module("rbd_support".to_owned(), constraints.clone(), allow)])
    };
    match name {
        "read-only" => Some(vec![Scope::Everything(Allow::R)]),
        "read-write" => Some(vec![Scope::Everything(Allow::R | Allow::W)]),
        "crash" => Some(vec![Scope::Command("crash post".to_owned(), Constraints::new())]),
        "osd" | "mds" => Some(Vec::new()),
        "rbd" => rbd(Allow::R | Allow::W),
        "rbd-read-only" => rbd(Allow::R),
        _ => None,
    }
}
