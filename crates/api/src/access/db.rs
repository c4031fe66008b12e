//! The database of users and custom roles: `mgr/dashboard/accessdb_v2` in the monitors' store, upstream's JSON.
//! Upstream: `access_control.py` `AccessControlDB` (version 2; version 1 is migrated when only it is there).
//!
//! Invariants: a value of this type is a consistent state, changed as a whole and saved as a whole; the lockout
//! counters live elsewhere ([`super::super::auth::lockout`]) because upstream keeps them in memory only.

use super::roles::{self, Role};
use super::scope::{Grants, Permission, Scope};
use super::user::User;
use crate::release::Release;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Key of the database within the module's store.
pub const KEY: &str = "accessdb_v2";
/// Key of the database before version 2.
pub const KEY_V1: &str = "accessdb_v1";

/// Users and custom roles, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessDb {
    users: Vec<User>,
    roles: Vec<Role>,
}

/// Why a change is refused; the texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("User '{0}' already exists")]
    UserExists(String),
    #[error("User '{0}' does not exist")]
    NoUser(String),
    #[error("Role '{0}' already exists")]
    RoleExists(String),
    #[error("Role '{0}' does not exist")]
    NoRole(String),
    #[error("Role '{0}' is still associated with user '{1}'")]
    RoleInUse(String, String),
    #[error("Scope '{0}' is not valid")]
    BadScope(String),
    #[error("Permission '{0}' is not valid")]
    BadPermission(String),
    #[error("There are no permissions for scope '{0}' in role '{1}'")]
    ScopeNotInRole(String, String),
    #[error("Role '{0}' is not associated with user '{1}'")]
    RoleNotInUser(String, String),
}

/// The stored text is not a database.
#[derive(Debug, thiserror::Error)]
#[error("mgr/dashboard/{key} is not a user database: {why}")]
pub struct BadDatabase {
    key: &'static str,
    why: String,
}

impl AccessDb {
    /// From the store's texts: version 2, else version 1, else empty.
    pub fn load(v2: Option<&str>, v1: Option<&str>) -> Result<Self, BadDatabase> {
        match (v2, v1) {
            (Some(text), _) => Self::parse(text, KEY),
            // Fields that version 1 has not are filled with the defaults that upstream's migration writes.
            (None, Some(text)) => Self::parse(text, KEY_V1),
            (None, None) => Ok(Self::default()),
        }
    }

    fn parse(text: &str, key: &'static str) -> Result<Self, BadDatabase> {
        let bad = |why: String| BadDatabase { key, why };
        let value: Value = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let part = |name: &str| value.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let users = part("users").into_values().map(serde_json::from_value).collect::<Result<_, _>>();
        let roles = part("roles").into_values().map(serde_json::from_value).collect::<Result<_, _>>();
        Ok(AccessDb {
            users: users.map_err(|e| bad(e.to_string()))?,
            roles: roles.map_err(|e| bad(e.to_string()))?,
        })
    }

    /// The text to store.
    #[must_use]
    pub fn to_text(&self) -> String {
        let users: Map<String, Value> = self.users.iter().map(|u| (u.username.clone(), json!(u))).collect();
        let roles: Map<String, Value> = self.roles.iter().map(|r| (r.name.clone(), json!(r))).collect();
        json!({"users": users, "roles": roles, "version": 2}).to_string()
    }

    /// All users.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The custom roles.
    #[must_use]
    pub fn custom_roles(&self) -> &[Role] {
        &self.roles
    }

    /// A user by name.
    pub fn user(&self, username: &str) -> Result<&User, AccessError> {
        self.users.iter().find(|u| u.username == username).ok_or_else(|| no_user(username))
    }

    /// A user by name, to change.
    pub fn user_mut(&mut self, username: &str) -> Result<&mut User, AccessError> {
        self.users.iter_mut().find(|u| u.username == username).ok_or_else(|| no_user(username))
    }

    /// Adds a user.
    pub fn create_user(&mut self, user: User) -> Result<(), AccessError> {
        if self.user(&user.username).is_ok() {
            return Err(AccessError::UserExists(user.username));
        }
        self.users.push(user);
        Ok(())
    }

    /// Removes a user.
    pub fn delete_user(&mut self, username: &str) -> Result<(), AccessError> {
        self.user(username)?;
        self.users.retain(|u| u.username != username);
        Ok(())
    }

    /// A custom role by name.
    pub fn custom_role(&self, name: &str) -> Result<&Role, AccessError> {
        self.roles.iter().find(|r| r.name == name).ok_or_else(|| no_role(name))
    }

    /// A custom role by name, to change.
    pub fn custom_role_mut(&mut self, name: &str) -> Result<&mut Role, AccessError> {
        self.roles.iter_mut().find(|r| r.name == name).ok_or_else(|| no_role(name))
    }

    /// A role by name, custom or system.
    pub fn role(&self, name: &str, release: Release) -> Result<Role, AccessError> {
        let custom = self.custom_role(name).cloned();
        custom.or_else(|e| roles::system_role(name, release).ok_or(e))
    }

    /// Adds a role.
    pub fn create_role(
        &mut self,
        name: &str,
        description: Option<String>,
        release: Release,
    ) -> Result<&mut Role, AccessError> {
        if self.role(name, release).is_ok() {
            return Err(AccessError::RoleExists(name.to_owned()));
        }
        self.roles.push(Role::new(name, description));
        self.custom_role_mut(name)
    }

    /// Removes a role that no user has.
    pub fn delete_role(&mut self, name: &str) -> Result<(), AccessError> {
        self.custom_role(name)?;
        if let Some(user) = self.users.iter().find(|u| u.roles.contains(name)) {
            return Err(AccessError::RoleInUse(name.to_owned(), user.username.clone()));
        }
        self.roles.retain(|r| r.name != name);
        Ok(())
    }

    /// Voids the tokens of everyone who has this role.
    pub fn touch_users_of_role(&mut self, name: &str, now: i64) {
        for user in self.users.iter_mut().filter(|u| u.roles.contains(name)) {
            user.last_update = now;
        }
    }

    /// What a user may do, his forced password change aside.
    #[must_use]
    pub fn grants(&self, user: &User, release: Release) -> Grants {
        let mut grants = Grants::default();
        for role in user.roles.iter().filter_map(|name| self.role(name, release).ok()) {
            role.grant(&mut grants);
        }
        grants
    }

    /// What a login shows: scope → permissions, united over the user's roles.
    #[must_use]
    pub fn permissions(&self, user: &User, release: Release) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for role in user.roles.iter().filter_map(|name| self.role(name, release).ok()) {
            for (scope, permissions) in role.scopes_permissions {
                match all.get_mut(&scope) {
                    None => _ = all.insert(scope, permissions),
                    Some(have) => {
                        have.extend(permissions);
                        have.sort();
                        have.dedup();
                    }
                }
            }
        }
        all
    }
}

/// Sets a scope's permissions in a role, sorted.
pub fn set_scope_permissions(
    role: &mut Role,
    scope: &str,
    permissions: &[String],
    release: Release,
) -> Result<(), AccessError> {
    if Scope::known(scope, release).is_none() {
        return Err(AccessError::BadScope(scope.to_owned()));
    }
    if let Some(bad) = permissions.iter().find(|p| Permission::named(p).is_none()) {
        return Err(AccessError::BadPermission(bad.clone()));
    }
    let mut permissions = permissions.to_vec();
    permissions.sort();
    role.scopes_permissions.insert(scope.to_owned(), permissions);
    Ok(())
}

fn no_user(name: &str) -> AccessError {
    AccessError::NoUser(name.to_owned())
}

fn no_role(name: &str) -> AccessError {
    AccessError::NoRole(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = r#"{"users": {"bob": {"username": "bob", "password": "$2b$12$x", "roles": ["mine"],
        "name": "B", "email": null, "lastUpdate": 7}},
        "roles": {"mine": {"name": "mine", "description": null, "scopes_permissions": {"osd": ["read"]}}},
        "version": 1}"#;

    #[test]
    fn version_1_is_migrated_to_enabled_users_without_expiration() {
        let db = AccessDb::load(None, Some(V1)).unwrap();
        let bob = db.user("bob").unwrap();
        assert!(bob.enabled && bob.pwd_expiration_date.is_none() && !bob.pwd_update_required);
        assert!(db.to_text().ends_with(r#""version":2}"#));
        assert_eq!(AccessDb::load(Some(&db.to_text()), Some("ignored")).unwrap(), db);
    }

    #[test]
    fn a_role_in_use_stays() {
        let mut db = AccessDb::load(None, Some(V1)).unwrap();
        assert_eq!(
            db.delete_role("mine").unwrap_err().to_string(),
            "Role 'mine' is still associated with user 'bob'"
        );
        db.delete_user("bob").unwrap();
        db.delete_role("mine").unwrap();
        assert_eq!(db.delete_role("mine"), Err(no_role("mine")));
    }

    #[test]
    fn a_system_roles_name_cannot_be_taken() {
        let mut db = AccessDb::default();
        assert!(db.create_role("read-only", None, Release::Reef).is_err());
        assert!(db.create_role("smb-manager", None, Release::Reef).is_ok());
        assert!(db.create_role("smb-manager", None, Release::Tentacle).is_err());
    }

    #[test]
    fn permissions_of_several_roles_are_united() {
        let mut db = AccessDb::load(None, Some(V1)).unwrap();
        db.user_mut("bob")
            .unwrap()
            .set_roles(["mine".to_owned(), "cluster-manager".to_owned(), "gone".to_owned()], 8);
        let bob = db.user("bob").unwrap();
        let permissions = db.permissions(bob, Release::Pacific);
        assert_eq!(permissions["osd"], ["create", "delete", "read", "update"]);
        assert_eq!(permissions["hosts"], ["read", "create", "update", "delete"], "as the role writes it");
        assert!(db.grants(bob, Release::Pacific).allow(Scope::Osd, Permission::Delete));
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for text in ["", "[", r#"{"users": {"x": 3}}"#] {
            assert!(AccessDb::load(Some(text), None).is_err(), "{text}");
        }
    }
}
