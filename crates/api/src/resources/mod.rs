//! One file per resource: its types, its operation table, its handlers. A new one is a module and a line in [`ALL`].

pub mod auth;
pub mod docs;
pub mod feature_toggles;
pub mod role;
pub mod settings;
pub mod user;

use crate::http::operation::Resource;

/// Every resource that is served natively.
pub const ALL: &[Resource] = &[
    auth::RESOURCE,
    docs::RESOURCE,
    feature_toggles::RESOURCE,
    role::RESOURCE,
    role::SCOPES,
    settings::RESOURCE,
    settings::STANDARD,
    user::RESOURCE,
    user::POLICY,
    user::CHANGE_PASSWORD,
];

#[cfg(test)]
mod tests;
