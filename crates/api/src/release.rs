//! Which release's API is served: it follows the cluster's `require_osd_release`/monitor release, as an operator's
//! clients expect the surface of the release they run.

/// A supported release; the number is upstream's major version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    Pacific = 16,
    Reef = 18,
    Tentacle = 20,
}

impl Release {
    /// All that are served, oldest first.
    pub const ALL: [Release; 3] = [Release::Pacific, Release::Reef, Release::Tentacle];

    /// The newest served release that is not newer than a cluster's major version.
    #[must_use]
    pub fn of_major(major: u32) -> Release {
        Self::ALL.into_iter().rev().find(|r| *r as u32 <= major).unwrap_or(Release::Pacific)
    }
}

/// The releases in which something exists: `since` ≤ release < `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    pub since: Release,
    pub until: Option<Release>,
}

impl Releases {
    pub const ALL: Releases = Releases { since: Release::Pacific, until: None };

    #[must_use]
    pub fn contains(&self, release: Release) -> bool {
        self.since <= release && self.until.is_none_or(|until| release < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_between_two_served_releases_gets_the_older_api() {
        assert_eq!([15, 16, 17, 18, 19, 20, 21].map(Release::of_major), {
            use Release::*;
            [Pacific, Pacific, Pacific, Reef, Reef, Tentacle, Tentacle]
        });
    }

    #[test]
    fn until_is_exclusive() {
        let r = Releases { since: Release::Reef, until: Some(Release::Tentacle) };
        assert_eq!(Release::ALL.map(|x| r.contains(x)), [false, true, false]);
    }
}
