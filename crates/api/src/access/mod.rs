//! Who may do what: scopes, system roles, users, password policy and their database. Upstream: `security.py`,
//! `services/access_control.py` (16.2 to 20.2).

pub mod db;
pub mod password;
pub mod policy;
pub mod roles;
pub mod scope;
pub mod user;

pub use db::{AccessDb, AccessError};
pub use roles::Role;
pub use scope::{Grants, Permission, Scope};
pub use user::User;
