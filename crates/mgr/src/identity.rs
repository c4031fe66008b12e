//! What this manager says of itself: its host, its addresses, and the Ceph version that it stands in for (see
//! `docs/decisions/0003-version-shown.md`).

use crate::sysinfo;
use axon_core::{Command, Target};
use axon_net::Client;
use axon_net::mon::OpenSession;
use serde_json::Value;
use std::collections::BTreeMap;
use tracing::warn;

/// The beacon's metadata.
pub async fn metadata(client: &Client, _open: &OpenSession) -> BTreeMap<String, String> {
    let mut out = sysinfo::collect();
    let addrs = client.my_addrs();
    if let Some(ip) = addrs.ip() {
        out.insert("addr".to_owned(), ip.to_string());
    }
    out.insert("addrs".to_owned(), addrs.to_string());
    out.insert("axon_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    match client.command(Target::Mon, Command::json("version")).await.and_then(|o| o.json()) {
        Ok(answer) => {
            let version = answer.get("version").and_then(Value::as_str).unwrap_or_default();
            out.extend(version_keys(version));
        }
        Err(why) => warn!(%why, "the monitors do not tell their version"),
    }
    out
}

/// `ceph version 16.2.15 (hash) pacific (stable)` → the keys of upstream's metadata.
fn version_keys(version: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = version.split_whitespace().collect();
    let mut out = vec![("ceph_version".to_owned(), version.to_owned())];
    if let Some(short) = words.get(2) {
        out.push(("ceph_version_short".to_owned(), (*short).to_owned()));
    }
    if let Some(release) = words.get(4) {
        out.push(("ceph_release".to_owned(), (*release).to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_gives_upstreams_keys() {
        let keys =
            version_keys("ceph version 16.2.15 (618f440892089921c3e944a991122ddc44e60516) pacific (stable)");
        assert_eq!(keys[1], ("ceph_version_short".to_owned(), "16.2.15".to_owned()));
        assert_eq!(keys[2], ("ceph_release".to_owned(), "pacific".to_owned()));
    }
}
