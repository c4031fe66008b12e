//! The Ceph releases that Axon serves, as Debian packages them: bookworm 16.2, trixie 18.2, sid 20.2.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    Pacific,
    Reef,
    Tentacle,
}

impl Release {
    pub const ALL: [Release; 3] = [Release::Pacific, Release::Reef, Release::Tentacle];

    /// The name as in `ceph versions` and `require_osd_release`.
    pub fn name(self) -> &'static str {
        match self {
            Release::Pacific => "pacific",
            Release::Reef => "reef",
            Release::Tentacle => "tentacle",
        }
    }

    /// Debian's suite that packages it.
    pub fn suite(self) -> &'static str {
        match self {
            Release::Pacific => "bookworm",
            Release::Reef => "trixie",
            Release::Tentacle => "sid",
        }
    }

    /// The major version: 16, 18 or 20.
    pub fn major(self) -> u8 {
        match self {
            Release::Pacific => 16,
            Release::Reef => 18,
            Release::Tentacle => 20,
        }
    }

    /// The release that this machine's own packages give, if any.
    pub fn of_host() -> Option<Release> {
        let codename = host_codename()?;
        Release::ALL.into_iter().find(|r| r.suite() == codename)
    }

    /// What to use when nobody asked for a release.
    pub fn default_for_host() -> Release {
        Release::of_host().unwrap_or(Release::Tentacle)
    }

    /// Whether the stock manager's Python modules load there (on trixie's Python none does).
    pub fn stock_modules_load(self) -> bool {
        self != Release::Reef
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Release {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Release> {
        match Release::ALL.into_iter().find(|r| r.name() == s || r.suite() == s) {
            Some(r) => Ok(r),
            None => bail!("unknown release {s:?}: use pacific, reef or tentacle"),
        }
    }
}

/// `VERSION_CODENAME` of `/etc/os-release`.
pub(crate) fn host_codename() -> Option<String> {
    codename_of(&std::fs::read_to_string("/etc/os-release").ok()?)
}

fn codename_of(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|l| l.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_suites_parse_back() {
        for r in Release::ALL {
            assert_eq!(r.name().parse::<Release>().unwrap(), r);
            assert_eq!(r.suite().parse::<Release>().unwrap(), r);
        }
        assert!("octopus".parse::<Release>().is_err());
    }

    #[test]
    fn codename_is_read_with_and_without_quotes() {
        assert_eq!(codename_of("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(), Some("bookworm"));
        assert_eq!(codename_of("VERSION_CODENAME=\"trixie\"").as_deref(), Some("trixie"));
        assert_eq!(codename_of("ID=debian\n"), None);
    }
}
