//! The resources that are compared. One file each: what is asked, and what may differ there.

mod access;
mod cephfs;
mod cluster_conf;
mod crush_rule;
mod framework;
mod grafana;
mod health;
mod host;
mod osd;
mod settings;

use super::Resource;

pub const RESOURCES: &[Resource] = &[
    Resource { name: "framework", asks: framework::asks, rules: framework::RULES },
    Resource { name: "grafana", asks: grafana::asks, rules: grafana::RULES },
    Resource { name: "health", asks: health::asks, rules: health::RULES },
    Resource { name: "host", asks: host::asks, rules: host::RULES },
    Resource { name: "access", asks: access::asks, rules: access::RULES },
    Resource { name: "settings", asks: settings::asks, rules: settings::RULES },
    Resource { name: "cephfs", asks: cephfs::asks, rules: cephfs::RULES },
    Resource { name: "osd", asks: osd::asks, rules: osd::RULES },
    Resource { name: "crush_rule", asks: crush_rule::asks, rules: crush_rule::RULES },
    Resource { name: "cluster_conf", asks: cluster_conf::asks, rules: cluster_conf::RULES },
];
