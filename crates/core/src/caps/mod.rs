//! Manager capabilities (`src/mgr/MgrCap.{h,cc}`): what an authenticated entity may ask of the manager. The text comes from
//! the monitors' key database with the entity's ticket.
//!
//! Invariants: a text that does not parse grants nothing; a grant bound to a network counts only for peers inside it.
//! The text's grammar is in `parse.rs`, the way back to text in `text.rs`.

mod parse;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::BitOr;

pub use parse::BadCaps;

/// Permission bits: read, write, execute; `any` is upstream's `*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow(pub u8);

impl Allow {
    pub const NONE: Allow = Allow(0);
    pub const R: Allow = Allow(1 << 1);
    pub const W: Allow = Allow(1 << 2);
    pub const X: Allow = Allow(1 << 3);
    /// All bits, later ones too.
    pub const ANY: Allow = Allow(0xff);

    /// The bits that a command's permission string asks for (`r`, `rw`, `rwx`).
    #[must_use]
    pub fn of(perm: &str) -> Allow {
        let bit = |c, allow| if perm.contains(c) { allow } else { Allow::NONE };
        bit('r', Allow::R) | bit('w', Allow::W) | bit('x', Allow::X)
    }

    /// Whether every bit of `wanted` is set.
    #[must_use]
    pub fn covers(self, wanted: Allow) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Allow {
    type Output = Allow;
    fn bitor(self, other: Allow) -> Allow {
        Allow(self.0 | other.0)
    }
}

/// How a constraint compares an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Equal,
    Prefix,
    Regex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Constraint {
    how: Match,
    value: String,
}

impl Constraint {
    fn accepts(&self, argument: &str) -> bool {
        match self.how {
            Match::Equal => argument == self.value,
            Match::Prefix => argument.starts_with(&self.value),
            // The whole argument must match; a pattern that does not compile accepts nothing.
            Match::Regex => {
                regex::Regex::new(&format!("^(?:{})$", self.value)).is_ok_and(|r| r.is_match(argument))
            }
        }
    }
}

type Constraints = BTreeMap<String, Constraint>;

/// What a grant speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Everything(Allow),
    Service(String, Allow),
    Module(String, Constraints, Allow),
    Command(String, Constraints),
    /// Its name, its arguments, and what it stands for.
    Profile(String, Constraints, Vec<Scope>),
}

/// An address prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    ip: IpAddr,
    prefix_bits: u32,
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        let bits = |ip| match ip {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let ((ours, v4), (theirs, theirs_v4)) = (bits(self.ip), bits(ip));
        if v4 != theirs_v4 {
            return false;
        }
        self.prefix_bits == 0 || (ours ^ theirs) >> (128 - self.prefix_bits.min(128)) == 0
    }
}

/// Where a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Anywhere,
    Network(Network),
    /// The text names a network that is none (upstream takes no brackets): the grant never holds.
    Nowhere,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    scope: Scope,
    within: Within,
    /// The network as it was written; empty for anywhere.
    network: String,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Upstream's service of a command that belongs to no module (`mgr`, `pg`, `osd` …); else empty.
    pub service: &'a str,
    /// The module that serves the command; else empty.
    pub module: &'a str,
    /// The command's prefix.
    pub command: &'a str,
    pub arguments: &'a BTreeMap<String, String>,
    pub wanted: Allow,
    /// Where the peer is.
    pub ip: Option<IpAddr>,
}

/// A parsed capability.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MgrCap {
    grants: Vec<Grant>,
}

impl MgrCap {
    /// `allow *`.
    #[must_use]
    pub fn allow_all() -> Self {
        let (scope, within) = (Scope::Everything(Allow::ANY), Within::Anywhere);
        MgrCap { grants: vec![Grant { scope, within, network: String::new() }] }
    }

    /// Whether `allow *` is among the grants. As upstream, wherever it holds: this is asked before commands to the daemon itself.
    #[must_use]
    pub fn is_allow_all(&self) -> bool {
        self.grants.iter().any(|grant| grant.scope == Scope::Everything(Allow::ANY))
    }

    /// Reads the text of a capability; all of it or nothing.
    pub fn parse(text: &str) -> Result<Self, BadCaps> {
        parse::parse(text).map(|grants| MgrCap { grants })
    }

    /// Whether the grants together allow what is asked for.
    #[must_use]
    pub fn is_capable(&self, request: &Request<'_>) -> bool {
        let mut allowed = Allow::NONE;
        for grant in &self.grants {
            let here = match grant.within {
                Within::Anywhere => true,
                Within::Network(network) => request.ip.is_some_and(|ip| network.contains(ip)),
                Within::Nowhere => false,
            };
            if !here {
                continue;
            }
            allowed = allowed | grant.scope.allowed(request);
            if allowed.covers(request.wanted) {
                return true;
            }
        }
        false
    }
}

impl Scope {
    fn allowed(&self, request: &Request<'_>) -> Allow {
        let accepts = |constraints: &Constraints| {
            constraints.iter().all(|(key, c)| request.arguments.get(key).is_some_and(|arg| c.accepts(arg)))
        };
        match self {
            Scope::Everything(allow) => *allow,
            Scope::Service(name, allow) if name == request.service => *allow,
            // A module's constraints are the module's to check once a command is named.
            Scope::Module(name, constraints, allow) if name == request.module => {
                if !request.command.is_empty() || accepts(constraints) { *allow } else { Allow::NONE }
            }
            Scope::Command(name, constraints) if name == request.command && accepts(constraints) => {
                Allow::ANY
            }
            Scope::Profile(_, _, scopes) => {
                scopes.iter().fold(Allow::NONE, |allowed, scope| allowed | scope.allowed(request))
            }
            Scope::Service(..) | Scope::Module(..) | Scope::Command(..) => Allow::NONE,
        }
    }
}

#[cfg(test)]
mod tests;
