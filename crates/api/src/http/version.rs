//! The version in a media type: `application/vnd.ceph.api.v<major>.<minor>+json`. Upstream: `_version.py` `APIVersion`.

use std::fmt;

/// An operation's or a client's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiVersion {
    pub major: u32,
    pub minor: u32,
}

impl ApiVersion {
    pub const DEFAULT: ApiVersion = ApiVersion::new(1, 0);
    /// Experimental operations.
    pub const EXPERIMENTAL: ApiVersion = ApiVersion::new(0, 1);

    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        ApiVersion { major, minor }
    }

    /// The version that an `Accept` header asks for; the whole header must be the one media type.
    #[must_use]
    pub fn of_accept(accept: &[u8]) -> Option<Self> {
        let version = accept.strip_prefix(b"application/vnd.ceph.api.v")?.strip_suffix(b"+json")?;
        let (major, minor) = std::str::from_utf8(version).ok()?.split_once('.')?;
        Some(ApiVersion { major: number(major)?, minor: number(minor)? })
    }

    /// Whether an operation of this version serves a client of that one.
    #[must_use]
    pub fn supports(self, client: ApiVersion) -> bool {
        self.major == client.major && client.minor <= self.minor
    }

    /// The media type of a reply.
    #[must_use]
    pub fn media_type(self) -> String {
        format!("application/vnd.ceph.api.v{self}+json")
    }
}

fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_media_type_has_a_version() {
        let parse = |text: &str| ApiVersion::of_accept(text.as_bytes());
        assert_eq!(parse("application/vnd.ceph.api.v1.0+json"), Some(ApiVersion::DEFAULT));
        assert_eq!(parse("application/vnd.ceph.api.v12.34+json"), Some(ApiVersion::new(12, 34)));
        for bad in [
            "",
            "*/*",
            "application/json",
            "application/vnd.ceph.api.v1.0+xml",
            "application/vnd.ceph.api.v1+json",
            "application/vnd.ceph.api.v1.0+json;q=1",
            "application/vnd.ceph.api.v+1.0+json",
            "Application/vnd.ceph.api.v1.0+json",
            "application/vnd.ceph.api.v1.0+json, */*",
            "application/vnd.ceph.api.v99999999999.0+json",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_lower_minor_is_served_and_another_major_is_not() {
        let op = ApiVersion::new(1, 1);
        assert!(op.supports(ApiVersion::new(1, 0)) && op.supports(op));
        assert!(!op.supports(ApiVersion::new(1, 2)) && !op.supports(ApiVersion::new(0, 1)));
    }
}
