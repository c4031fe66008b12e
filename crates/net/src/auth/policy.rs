//! Which authentication methods and connection modes a peer may use (`AuthRegistry` in `src/auth/AuthRegistry.cc`): the options
//! `auth_{cluster,service,client}_required` and `ms_[mon_]{cluster,service,client}_mode`, by our type and the peer's.

use axon_msgr::auth::{con_mode, method};
use axon_proto::EntityType;

/// The lists in order of preference. [`AuthPolicy::new`] has upstream's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthPolicy {
    /// What we are: a manager or a client.
    pub own: EntityType,
    pub cluster_methods: Vec<u32>,
    pub service_methods: Vec<u32>,
    pub client_methods: Vec<u32>,
    pub mon_cluster_modes: Vec<u32>,
    pub mon_service_modes: Vec<u32>,
    pub mon_client_modes: Vec<u32>,
    pub client_modes: Vec<u32>,
    /// `cephx_sign_messages`: messages over msgr v1 are signed.
    pub sign_messages: bool,
}

impl AuthPolicy {
    #[must_use]
    pub fn new(own: EntityType) -> Self {
        let secure_first = || vec![con_mode::SECURE, con_mode::CRC];
        let cephx = || vec![method::CEPHX];
        AuthPolicy {
            own,
            cluster_methods: cephx(),
            service_methods: cephx(),
            client_methods: cephx(),
            mon_cluster_modes: secure_first(),
            mon_service_modes: secure_first(),
            mon_client_modes: secure_first(),
            client_modes: vec![con_mode::CRC, con_mode::SECURE],
            sign_messages: true,
        }
    }

    /// All connections in one mode.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> Self {
        for modes in [
            &mut self.mon_cluster_modes,
            &mut self.mon_service_modes,
            &mut self.mon_client_modes,
            &mut self.client_modes,
        ] {
            *modes = vec![mode];
        }
        self
    }

    /// Methods for a peer of this type.
    #[must_use]
    pub fn methods(&self, peer: EntityType) -> &[u32] {
        match (self.own, peer) {
            (EntityType::CLIENT, _) => &self.client_methods,
            (_, EntityType::MON | EntityType::MGR) => &self.cluster_methods,
            _ => &self.service_methods,
        }
    }

    /// Methods that an authorizer of a peer of this type may use: unlike [`AuthPolicy::methods`], every daemon counts as
    /// part of the cluster.
    #[must_use]
    pub fn authorizer_methods(&self, peer: EntityType) -> &[u32] {
        match peer {
            EntityType::MON | EntityType::MGR | EntityType::MDS | EntityType::OSD => &self.cluster_methods,
            _ => &self.service_methods,
        }
    }

    /// Connection modes for a peer of this type. Method `none` has no keys, so it has CRC only.
    #[must_use]
    pub fn modes(&self, peer: EntityType, used: u32) -> Vec<u32> {
        let modes = match (self.own, peer) {
            (EntityType::CLIENT, EntityType::MON | EntityType::MGR) => &self.mon_client_modes,
            (EntityType::CLIENT, _) => &self.client_modes,
            (_, EntityType::MON | EntityType::MGR) => &self.mon_cluster_modes,
            _ => &self.mon_service_modes,
        };
        modes.iter().copied().filter(|m| used != method::NONE || *m == con_mode::CRC).collect()
    }

    /// The mode that an acceptor takes: the peer's first that is allowed here.
    #[must_use]
    pub fn pick_mode(&self, peer: EntityType, used: u32, preferred: &[u32]) -> Option<u32> {
        let allowed = self.modes(peer, used);
        preferred.iter().copied().find(|m| allowed.contains(m))
    }
}

/// A list of methods as the options spell it (`cephx none`); names that are unknown here come back as an error.
pub fn parse_methods(list: &str) -> Result<Vec<u32>, String> {
    parse(list, |name| match name {
        "cephx" => Some(method::CEPHX),
        "none" => Some(method::NONE),
        _ => None,
    })
}

/// A list of connection modes as the options spell it (`secure crc`).
pub fn parse_modes(list: &str) -> Result<Vec<u32>, String> {
    parse(list, |name| match name {
        "crc" => Some(con_mode::CRC),
        "secure" => Some(con_mode::SECURE),
        _ => None,
    })
}

fn parse(list: &str, known: impl Fn(&str) -> Option<u32>) -> Result<Vec<u32>, String> {
    let names = list.split([',', ';', ' ', '\t', '=']).filter(|n| !n.is_empty());
    let all: Result<Vec<u32>, String> =
        names.map(|n| known(n).ok_or_else(|| format!("{n:?} in {list:?} is not known here"))).collect();
    match all {
        Ok(found) if found.is_empty() => Err("the list is empty".to_owned()),
        other => other,
    }
}
