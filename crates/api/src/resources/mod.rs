//! One file per resource: its types, its operation table, its handlers. A new one is a module and a line in [`ALL`].

pub mod auth;
pub mod axon;
pub mod cephfs;
pub mod cluster;
pub mod cluster_conf;
pub mod crush_rule;
pub mod docs;
pub mod feature_toggles;
pub mod grafana;
pub mod health;
pub mod host;
pub mod nfs;
pub mod osd;
pub mod perf_counters;
pub mod role;
pub mod settings;
pub mod summary;
pub mod ui;
pub mod user;

use crate::http::operation::Resource;

/// Every resource that is served natively.
pub const ALL: &[Resource] = &[
    auth::RESOURCE,
    axon::RESOURCE,
    cephfs::RESOURCE,
    cephfs::UI,
    cluster::RESOURCE,
    cluster_conf::RESOURCE,
    crush_rule::RESOURCE,
    crush_rule::UI,
    docs::RESOURCE,
    feature_toggles::RESOURCE,
    grafana::RESOURCE,
    nfs::UI,
    osd::RESOURCE,
    osd::UI,
    perf_counters::ALL,
    perf_counters::MDS,
    perf_counters::MGR,
    perf_counters::MON,
    perf_counters::OSD,
    perf_counters::RBD_MIRROR,
    perf_counters::RGW,
    perf_counters::TCMU_RUNNER,
    health::RESOURCE,
    host::RESOURCE,
    host::UI,
    role::RESOURCE,
    role::SCOPES,
    settings::RESOURCE,
    settings::STANDARD,
    summary::RESOURCE,
    summary::TASK,
    ui::RESOURCE,
    user::RESOURCE,
    user::POLICY,
    user::CHANGE_PASSWORD,
];

#[cfg(test)]
mod tests;
