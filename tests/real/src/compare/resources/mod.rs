//! The resources that are compared. One file each: what is asked, and what may differ there.

mod access;
mod cluster_conf;
mod framework;
mod settings;

use super::Resource;

pub const RESOURCES: &[Resource] = &[
    Resource { name: "framework", asks: framework::asks, rules: framework::RULES },
    Resource { name: "access", asks: access::asks, rules: access::RULES },
    Resource { name: "settings", asks: settings::asks, rules: settings::RULES },
    Resource { name: "cluster_conf", asks: cluster_conf::asks, rules: cluster_conf::RULES },
];
