//! Security scopes and permissions (`security.py` `Scope`, `Permission`) and a user's grants as bits.
//!
//! Invariants: names sort as upstream lists them (alphabetically); `nvme-of` and `smb` exist since Tentacle.

use crate::release::Release;

macro_rules! scopes {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// What a permission is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope { $($variant),* }

        impl Scope {
            /// Every scope of any release, in upstream's order.
            pub const EVERY: &'static [Scope] = &[$(Scope::$variant),*];

            /// Upstream's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Scope::$variant => $name),* }
            }
        }
    };
}

scopes! {
    Cephfs = "cephfs",
    ConfigOpt = "config-opt",
    DashboardSettings = "dashboard-settings",
    Grafana = "grafana",
    Hosts = "hosts",
    Iscsi = "iscsi",
    Log = "log",
    Manager = "manager",
    Monitor = "monitor",
    NfsGanesha = "nfs-ganesha",
    NvmeOf = "nvme-of",
    Osd = "osd",
    Pool = "pool",
    Prometheus = "prometheus",
    RbdImage = "rbd-image",
    RbdMirroring = "rbd-mirroring",
    Rgw = "rgw",
    Smb = "smb",
    User = "user",
}

impl Scope {
    /// The scopes that a release knows, in upstream's order.
    pub fn all(release: Release) -> impl Iterator<Item = Scope> {
        let newer = [Scope::NvmeOf, Scope::Smb];
        Self::EVERY.iter().copied().filter(move |s| release >= Release::Tentacle || !newer.contains(s))
    }

    /// A scope by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Scope> {
        Self::EVERY.iter().copied().find(|s| s.name() == name)
    }

    /// A scope by its name, if the release knows it.
    #[must_use]
    pub fn known(name: &str, release: Release) -> Option<Scope> {
        Self::all(release).find(|s| s.name() == name)
    }
}

/// What may be done within a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Permission {
    Create = 1,
    Delete = 2,
    Read = 4,
    Update = 8,
}

impl Permission {
    /// In upstream's order.
    pub const ALL: [Permission; 4] =
        [Permission::Create, Permission::Delete, Permission::Read, Permission::Update];

    /// Upstream's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Permission::Create => "create",
            Permission::Delete => "delete",
            Permission::Read => "read",
            Permission::Update => "update",
        }
    }

    /// A permission by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Permission> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// All that a user may do, as bits per scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants([u8; Scope::EVERY.len()]);

impl Grants {
    /// Adds a permission.
    pub fn grant(&mut self, scope: Scope, permission: Permission) {
        self.0[scope as usize] |= permission as u8;
    }

    /// Whether there is no permission of the release that is missing: those of an administrator.
    #[must_use]
    pub fn all(&self, release: Release) -> bool {
        Scope::all(release).all(|scope| Permission::ALL.iter().all(|p| self.allow(scope, *p)))
    }

    /// Whether a permission is there.
    #[must_use]
    pub fn allow(&self, scope: Scope, permission: Permission) -> bool {
        self.0[scope as usize] & permission as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_in_alphabetical_order_and_two_are_tentacles() {
        assert!(Scope::EVERY.is_sorted_by_key(|s| s.name()));
        assert_eq!(Scope::all(Release::Reef).count(), 17);
        assert_eq!(Scope::all(Release::Tentacle).count(), 19);
        assert_eq!(Scope::known("smb", Release::Pacific), None);
    }

    #[test]
    fn a_grant_is_for_its_scope_and_permission_only() {
        let mut grants = Grants::default();
        grants.grant(Scope::Osd, Permission::Read);
        assert!(grants.allow(Scope::Osd, Permission::Read));
        assert!(!grants.allow(Scope::Osd, Permission::Update));
        assert!(!grants.allow(Scope::Pool, Permission::Read));
    }
}
