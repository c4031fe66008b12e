//! Roles: the system roles of each release, and custom ones as the database keeps them. Upstream:
//! `access_control.py` `Role`, `SYSTEM_ROLES`.
//!
//! Invariant: system roles are never stored; a stored role keeps scopes that this release does not know.

use super::scope::{Grants, Permission, Scope};
use crate::release::Release;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A role; field names and order are the database's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub description: Option<String>,
    pub scopes_permissions: BTreeMap<String, Vec<String>>,
}

impl Role {
    /// A role without permissions.
    #[must_use]
    pub fn new(name: &str, description: Option<String>) -> Self {
        Role { name: name.to_owned(), description, scopes_permissions: BTreeMap::new() }
    }

    /// Adds what this role grants.
    pub fn grant(&self, grants: &mut Grants) {
        for (scope, permissions) in &self.scopes_permissions {
            let Some(scope) = Scope::named(scope) else { continue };
            for permission in permissions.iter().filter_map(|p| Permission::named(p)) {
                grants.grant(scope, permission);
            }
        }
    }
}

/// The system role of that name.
#[must_use]
pub fn system_role(name: &str, release: Release) -> Option<Role> {
    let row = ROWS.iter().find(|row| row.name == name && row.since <= release)?;
    let mut scopes_permissions: BTreeMap<String, Vec<String>> = match row.grants {
        Granted::All => scope_names(release, &[], ALL),
        Granted::ReadBut(but) => scope_names(release, but, READ),
        Granted::These(these) => these
            .iter()
            .filter(|(scope, _)| Scope::all(release).any(|s| s == *scope))
            .map(|(scope, permissions)| (scope.name().to_owned(), names(permissions)))
            .collect(),
    };
    if release >= Release::Tentacle {
        for (scope, permissions) in row.tentacle {
            scopes_permissions.insert(scope.name().to_owned(), names(permissions));
        }
    }
    Some(Role { name: name.to_owned(), description: Some(row.description.to_owned()), scopes_permissions })
}

/// The names of a release's system roles, in upstream's order.
pub fn system_role_names(release: Release) -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(move |row| row.since <= release).map(|row| row.name)
}

/// Whether that name is a system role's.
#[must_use]
pub fn is_system_role(name: &str, release: Release) -> bool {
    system_role_names(release).any(|n| n == name)
}

fn names(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().map(|p| p.name().to_owned()).collect()
}

fn scope_names(release: Release, but: &[Scope], permissions: &[Permission]) -> BTreeMap<String, Vec<String>> {
    Scope::all(release)
        .filter(|s| !but.contains(s))
        .map(|s| (s.name().to_owned(), names(permissions)))
        .collect()
}

enum Granted {
    All,
    ReadBut(&'static [Scope]),
    These(&'static [(Scope, &'static [Permission])]),
}

struct Row {
    name: &'static str,
    description: &'static str,
    since: Release,
    grants: Granted,
    /// Added in Tentacle.
    tentacle: &'static [(Scope, &'static [Permission])],
}

const READ: &[Permission] = &[Permission::Read];
const ALL: &[Permission] = &Permission::ALL;
/// All four in the order in which upstream writes them for everyone but the administrator.
const FULL: &[Permission] = &[Permission::Read, Permission::Create, Permission::Update, Permission::Delete];
const PROMETHEUS: (Scope, &[Permission]) = (Scope::Prometheus, READ);

const fn row(name: &'static str, description: &'static str, grants: Granted) -> Row {
    Row { name, description, since: Release::Pacific, grants, tentacle: &[PROMETHEUS] }
}

const ROWS: &[Row] = &[
    Row {
        tentacle: &[],
        ..row("administrator", "allows full permissions for all security scopes", Granted::All)
    },
    Row {
        tentacle: &[],
        ..row(
            "read-only",
            "allows read permission for all security scope except dashboard settings and config-opt",
            Granted::ReadBut(&[Scope::DashboardSettings, Scope::ConfigOpt]),
        )
    },
    Row {
        tentacle: &[(Scope::NvmeOf, FULL), PROMETHEUS],
        ..row(
            "block-manager",
            "allows full permissions for rbd-image, rbd-mirroring, and iscsi scopes",
            Granted::These(&[
                (Scope::RbdImage, FULL),
                (Scope::Pool, READ),
                (Scope::Iscsi, FULL),
                (Scope::RbdMirroring, FULL),
                (Scope::Grafana, READ),
            ]),
        )
    },
    row(
        "rgw-manager",
        "allows full permissions for the rgw scope",
        Granted::These(&[(Scope::Rgw, FULL), (Scope::Grafana, READ)]),
    ),
    row(
        "cluster-manager",
        // The line break and the blanks are upstream's.
        "allows full permissions for the hosts, osd, mon, mgr,\n    and config-opt scopes",
        Granted::These(&[
            (Scope::Hosts, FULL),
            (Scope::Osd, FULL),
            (Scope::Monitor, FULL),
            (Scope::Manager, FULL),
            (Scope::ConfigOpt, FULL),
            (Scope::Log, FULL),
            (Scope::Grafana, READ),
        ]),
    ),
    row(
        "pool-manager",
        "allows full permissions for the pool scope",
        Granted::These(&[(Scope::Pool, FULL), (Scope::Grafana, READ)]),
    ),
    row(
        "cephfs-manager",
        "allows full permissions for the cephfs scope",
        Granted::These(&[(Scope::Cephfs, FULL), (Scope::Grafana, READ)]),
    ),
    Row {
        tentacle: &[(Scope::Smb, READ), PROMETHEUS],
        ..row(
            "ganesha-manager",
            "allows full permissions for the nfs-ganesha scope",
            Granted::These(&[
                (Scope::NfsGanesha, FULL),
                (Scope::Cephfs, FULL),
                (Scope::Rgw, FULL),
                (Scope::Grafana, READ),
            ]),
        )
    },
    Row {
        since: Release::Tentacle,
        ..row(
            "smb-manager",
            "allows full permissions for the smb scope",
            Granted::These(&[
                (Scope::Smb, FULL),
                (Scope::Cephfs, FULL),
                (Scope::Rgw, FULL),
                (Scope::Grafana, READ),
                (Scope::NfsGanesha, READ),
            ]),
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrator_has_all_scopes_of_the_release() {
        for (release, scopes) in [(Release::Pacific, 17), (Release::Reef, 17), (Release::Tentacle, 19)] {
            let role = system_role("administrator", release).unwrap();
            assert_eq!(role.scopes_permissions.len(), scopes);
            assert!(role.scopes_permissions.values().all(|p| p.len() == 4));
        }
    }

    #[test]
    fn read_only_reads_all_but_settings_and_configuration() {
        let mut grants = Grants::default();
        system_role("read-only", Release::Tentacle).unwrap().grant(&mut grants);
        assert!(grants.allow(Scope::Smb, Permission::Read));
        assert!(!grants.allow(Scope::Smb, Permission::Update));
        assert!(!grants.allow(Scope::ConfigOpt, Permission::Read));
        assert!(!grants.allow(Scope::DashboardSettings, Permission::Read));
    }

    #[test]
    fn managers_read_prometheus_since_tentacle_only() {
        let at = |release| system_role("pool-manager", release).unwrap().scopes_permissions;
        assert!(!at(Release::Reef).contains_key("prometheus"));
        assert!(at(Release::Tentacle).contains_key("prometheus"));
        assert_eq!(system_role("smb-manager", Release::Reef), None);
        assert_eq!(system_role_names(Release::Tentacle).count(), 9);
    }
}
