//! The Debian archive this machine already uses, read from apt's own settings, so that no address is written here.
//!
//! What the new root inherits from the host's apt: the archive, proxies, and whether old Release files are accepted.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::release::host_codename;

/// apt settings that a root needs to reach the same archive the same way.
const INHERITED: [&str; 5] = [
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Languages",
];

#[derive(Debug)]
pub(crate) struct Archive {
    pub uri: String,
    /// `(key, value)` of apt's configuration, to be written into the root.
    pub settings: Vec<(String, String)>,
}

impl Archive {
    pub fn of_host() -> Result<Archive> {
        let codename =
            host_codename().context("/etc/os-release names no VERSION_CODENAME; is this Debian?")?;
        let targets = output_of(&[
            "apt-get",
            "indextargets",
            "--format",
            "$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)",
        ])?;
        let Some(uri) = main_archive(&targets, &codename) else {
            bail!("apt's sources have no archive for {codename} main: check /etc/apt/sources.list");
        };
        let mut settings = Vec::new();
        for key in INHERITED {
            let dump = output_of(&["apt-config", "dump", "--no-empty", "--format", "%v%n", key])?;
            if let Some(value) = dump.lines().next() {
                settings.push((key.to_owned(), value.to_owned()));
            }
        }
        Ok(Archive { uri: resolve_mirror_file(uri), settings })
    }

    /// The proxy that apt uses for plain HTTP, for programs that are not apt.
    pub fn http_proxy(&self) -> Option<&str> {
        self.settings.iter().find(|(k, _)| k == "Acquire::http::Proxy").map(|(_, v)| v.as_str())
    }

    /// The settings as a file for `apt.conf.d`.
    pub fn apt_conf(&self) -> String {
        self.settings.iter().map(|(k, v)| format!("{k} \"{v}\";\n")).collect()
    }
}

fn output_of(argv: &[&str]) -> Result<String> {
    let (program, args) = argv.split_first().context("empty command")?;
    let out = Command::new(program).args(args).output().with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Picks the archive of `codename main` from lines `created-by release component uri`.
fn main_archive(targets: &str, codename: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let packages = words.next()? == "Packages";
        let wanted = packages && words.next()? == codename && words.next()? == "main";
        wanted.then(|| words.next().map(|uri| uri.trim_end_matches('/').to_owned()))?
    })
}

/// Cloud images name a file with mirrors (`mirror+file:/etc/apt/mirrors/x.list`); debootstrap wants one of them.
fn resolve_mirror_file(uri: String) -> String {
    let first = uri.strip_prefix("mirror+file:").and_then(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.lines().find(|l| !l.trim().is_empty())?.split_whitespace().next()?.to_owned())
    });
    first.unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_of_the_hosts_own_suite_wins_over_security_and_strangers() {
        let targets = "Packages stable main https://a.example/x/\n\
                       DEP-11 bookworm main http://b.example/debian/\n\
                       Packages bookworm-security main http://b.example/debian-security/\n\
                       Packages bookworm main http://b.example/debian/\n";
        assert_eq!(main_archive(targets, "bookworm").as_deref(), Some("http://b.example/debian"));
        assert_eq!(main_archive(targets, "trixie"), None);
    }

    #[test]
    fn settings_become_an_apt_conf_file() {
        let archive = Archive {
            uri: String::new(),
            settings: vec![("Acquire::Check-Valid-Until".into(), "false".into())],
        };
        assert_eq!(archive.apt_conf(), "Acquire::Check-Valid-Until \"false\";\n");
        assert_eq!(archive.http_proxy(), None);
    }
}
