//! Manager capabilities (`src/mgr/MgrCap.{h,cc}`): what an authenticated entity may ask of the manager. The text comes from
//! the monitors' key database with the entity's ticket.
//!
//! Invariants: a text that does not parse grants nothing; a grant bound to a network counts only for peers inside it.
//! The text's grammar is in `parse.rs`.

mod parse;

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
    Profile(Vec<Scope>),
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
    /// The text names a network that is none: the grant never holds.
    Nowhere,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    scope: Scope,
    within: Within,
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
        MgrCap { grants: vec![Grant { scope: Scope::Everything(Allow::ANY), within: Within::Anywhere }] }
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
            Scope::Profile(scopes) => {
                scopes.iter().fold(Allow::NONE, |allowed, scope| allowed | scope.allowed(request))
            }
            Scope::Service(..) | Scope::Module(..) | Scope::Command(..) => Allow::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capable(caps: &str, module: &str, command: &str, args: &[(&str, &str)], perm: &str, ip: &str) -> bool {
        let arguments = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let request = Request {
            service: if module.is_empty() { "pg" } else { "" },
            module,
            command,
            arguments: &arguments,
            wanted: Allow::of(perm),
            ip: ip.parse().ok(),
        };
        MgrCap::parse(caps).unwrap().is_capable(&request)
    }

    #[test]
    fn plain_grants_cover_their_bits() {
        assert!(capable("allow *", "", "pg dump", &[], "rwx", ""));
        assert!(capable("allow r", "", "pg dump", &[], "r", ""));
        assert!(!capable("allow r", "", "pg scrub", &[], "rw", ""));
        assert!(capable("allow r, allow w", "", "pg scrub", &[], "rw", ""), "grants add up");
        assert!(!capable("profile osd", "", "pg dump", &[], "r", ""));
        assert!(capable("profile crash", "crash", "crash post", &[], "rw", ""));
        assert!(!capable("profile crash", "crash", "crash ls", &[], "r", ""));
    }

    #[test]
    fn services_modules_and_commands_are_told_apart() {
        assert!(capable("allow service pg r", "", "pg dump", &[], "r", ""));
        assert!(!capable("allow service osd r", "", "pg dump", &[], "r", ""));
        assert!(capable("allow module status r", "status", "osd status", &[], "r", ""));
        assert!(capable("profile rbd pool=a", "rbd_support", "rbd task list", &[], "rw", ""));
        assert!(!capable("profile rbd-read-only", "rbd_support", "rbd task add flatten", &[], "rw", ""));
        let caps = "allow command \"osd df\" with output_method prefix tr filter regex 'a+'";
        assert!(capable(caps, "", "osd df", &[("output_method", "tree"), ("filter", "aa")], "rw", ""));
        assert!(!capable(caps, "", "osd df", &[("output_method", "tree"), ("filter", "aab")], "r", ""));
        assert!(
            !capable(caps, "", "osd df", &[("filter", "a")], "r", ""),
            "a constrained argument must be there"
        );
    }

    #[test]
    fn a_network_bounds_its_grant() {
        assert!(capable("allow r network 10.0.0.0/8", "", "pg dump", &[], "r", "10.1.2.3"));
        assert!(!capable("allow r network 10.0.0.0/8", "", "pg dump", &[], "r", "11.1.2.3"));
        assert!(!capable("allow r network 10.0.0.0/8", "", "pg dump", &[], "r", ""));
        assert!(capable("allow r network fd00::/16", "", "pg dump", &[], "r", "fd00::1"));
        assert!(!capable("allow r network 10.0.0.0/99", "", "pg dump", &[], "r", "10.0.0.0"));
    }

    #[test]
    fn what_does_not_parse_grants_nothing() {
        for text in
            ["", "allow", "allow q", "allow r,", "profile nobody", "profile rbd image=x", "allow module x"]
        {
            assert!(MgrCap::parse(text).is_err(), "{text:?}");
        }
    }
}
