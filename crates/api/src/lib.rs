//! The REST API and the commands of the `dashboard` module. A URL path leads to an operation (a row of a resource's
//! table), the operation to its handler, and the handler to the cluster through `axon_core` alone.
//!
//! - `http`: what every operation shares; `http::service` is the life of a request
//! - `resources`: one file per resource: types, operation table, handlers
//! - `commands`: `ceph dashboard …`, one row each
//! - `access`, `auth`, `settings`, `tasks`, `audit`: users, tokens, settings, tasks, audit
//! - `outbound`: requests to other servers; `smart`: health of devices; `kept`: parts of answers, per epoch
//! - `stock`: what is not native goes to the stock dashboard module
//! - `server`: sockets and TLS; `ui`: the stock web UI; `openapi`: the document
//!
//! How to add an operation: `docs/adding/operation.md`.

pub mod access;
pub mod audit;
pub mod auth;
pub mod commands;
pub mod dashboard;
pub mod http;
pub(crate) mod kept;
pub mod openapi;
pub(crate) mod orchestrator;
pub mod outbound;
pub mod own_writes;
pub mod release;
pub mod resources;
pub mod server;
pub mod settings;
pub(crate) mod smart;
pub mod stock;
pub mod tasks;
pub mod telemetry;
pub mod ui;
mod view_cache;

#[cfg(test)]
pub(crate) mod testing;

pub use dashboard::{ClusterLog, Dashboard, Setup};
pub use http::service::Api;
pub use release::Release;
pub use ui::Ui;
