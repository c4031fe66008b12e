//! A capability as text again (`operator<<` of `MgrCap`, `src/mgr/MgrCap.cc`), for logs: grants in their order, arguments by
//! key, words quoted where they hold more than letters, digits, `-` and `_`.

use super::{Allow, Constraint, Constraints, Grant, Match, MgrCap, Scope};
use std::fmt::{self, Display, Formatter};

impl Display for Allow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if *self == Allow::ANY {
            return f.write_str("*");
        }
        for (bit, letter) in [(Allow::R, "r"), (Allow::W, "w"), (Allow::X, "x")] {
            if self.covers(bit) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// A word, in quotes where it needs them.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.0.chars().all(plain) { f.write_str(self.0) } else { write!(f, "\"{}\"", self.0) }
    }
}

impl Display for Constraint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            Match::Equal => "=",
            Match::Prefix => " prefix ",
            Match::Regex => " regex ",
        };
        write!(f, "{how}{}", Quoted(&self.value))
    }
}

fn arguments(f: &mut Formatter<'_>, with: &str, constraints: &Constraints) -> fmt::Result {
    if !constraints.is_empty() {
        f.write_str(with)?;
    }
    constraints.iter().try_for_each(|(key, constraint)| write!(f, " {}{constraint}", Quoted(key)))
}

impl Display for Grant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Everything(allow) => write!(f, "allow {allow}")?,
            Scope::Service(name, allow) => write!(f, "allow service {} {allow}", Quoted(name))?,
            Scope::Module(name, constraints, allow) => {
                write!(f, "allow module {}", Quoted(name))?;
                arguments(f, " with", constraints)?;
                write!(f, " {allow}")?;
            }
            Scope::Command(name, constraints) => {
                write!(f, "allow command {}", Quoted(name))?;
                arguments(f, " with", constraints)?;
            }
            Scope::Profile(name, constraints, _) => {
                write!(f, "profile {}", Quoted(name))?;
                arguments(f, "", constraints)?;
            }
        }
        if self.network.is_empty() { Ok(()) } else { write!(f, " network {}", self.network) }
    }
}

impl Display for MgrCap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (nth, grant) in self.grants.iter().enumerate() {
            write!(f, "{}{grant}", if nth == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
