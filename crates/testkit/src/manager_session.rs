//! A session of somebody's with the manager that is active, over which made-up daemons report.

use crate::config;
use anyhow::{Context, Result};
use axon_launcher::Cluster;
use axon_msgr::auth::con_mode;
use axon_msgr::{Compression, Limits, Local, Policy};
use axon_net::auth::{AuthPolicy, ServiceClientAuth};
use axon_net::connection::{Bounds, Connected, Dial, GlobalSeq, connect, nonce};
use axon_proto::{AddrType, AuthEntity, EntityAddr, EntityType};
use std::sync::Arc;
use std::time::Duration;

const CONNECTED_AT_MOST: Duration = Duration::from_secs(30);

/// The session, and the client whose ticket it shows.
pub(crate) struct ManagerSession {
    pub connected: Connected,
    _client: axon_net::Client,
}

impl ManagerSession {
    /// As `name`, whose key the cluster has; `replaced` options of its `ceph.conf`, such as `keyring`.
    pub async fn open(cluster: &Cluster, name: &str, replaced: &[(&str, &str)]) -> Result<Self> {
        let settings = config(cluster, name, replaced).await?;
        let who: AuthEntity = name.parse()?;
        let num = (who.kind != EntityType::CLIENT).then(|| who.id.parse()).transpose()?;
        let (client, mut events) = axon_net::connect(settings)?;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        client.ready(CONNECTED_AT_MOST).await?;
        let dial = Dial {
            local: Local { kind: who.kind, num, nonce: nonce()?, ..Local::default() },
            peer: EntityType::MGR,
            target: active_manager(cluster)?,
            policy: Policy::lossy_client(0),
            limits: Limits::default(),
            compression: Compression::default(),
            bounds: Bounds::default(),
            deadline: CONNECTED_AT_MOST,
            global_seq: Arc::new(GlobalSeq::default()),
            connections: Arc::default(),
            detour: None,
        };
        let policy = Arc::new(AuthPolicy::new(who.kind).with_mode(con_mode::CRC));
        let auth = ServiceClientAuth::new(client.auth(), policy, EntityType::MGR);
        Ok(ManagerSession { connected: connect(dial, Box::new(auth)).await?, _client: client })
    }
}

fn active_manager(cluster: &Cluster) -> Result<EntityAddr> {
    let dump = cluster.ceph_json(&["mgr", "dump"])?;
    let mut addrs = dump["active_addrs"]["addrvec"].as_array().into_iter().flatten();
    let v2 = addrs.find(|addr| addr["type"] == "v2").context("no manager is active")?;
    let sock = v2["addr"].as_str().context("an address without a socket's")?.parse()?;
    // The manager refuses who means another nonce.
    let nonce =
        v2["nonce"].as_u64().and_then(|nonce| nonce.try_into().ok()).context("an address without a nonce")?;
    Ok(EntityAddr::new(AddrType::MSGR2, sock, nonce))
}
