//! On-wire compression with a real OSD. Upstream compresses between OSDs only, so the test is one: it logs in with osd.0's key and
//! sends osd.1 a command whose answer is long. The OSD's own compressors pack what comes, and unpack what we send.
//!
//! It must be the OSD's cluster address: on the public one upstream counts a compressed message's bytes twice differently
//! (taken as they came, given back as they were unpacked), and its throttle ends the process.
//!
//! `AXON_REAL_DIR`: a folder with running clusters named after their releases; without it each test starts one of its own.

use anyhow::{Context, Result, bail, ensure};
use axon_cephx::{KeyRing, Principal};
use axon_launcher::{Cluster, Options, Release};
use axon_msgr::auth::{ClientAuth, con_mode};
use axon_msgr::{Algorithm, Compression, Limits, Local, Policy};
use axon_net::auth::{AuthContext, AuthPolicy, MonClientAuth, ServiceClientAuth};
use axon_net::connection::{Bounds, Connected, ConnectionEvent, Dial, connect, nonce};
use axon_proto::msgs::{command::MCommand, command_reply::MCommandReply};
use axon_proto::{AddrType, AuthEntity, EntityAddr, EntityType, Fsid, Message, Payload};
use axon_testkit::with_cluster;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

#[test]
#[ignore = "needs a real cluster"]
fn pacific_knows_no_compression_and_is_spoken_to_without() {
    run(Release::Pacific);
}

#[test]
#[ignore = "needs a real cluster"]
fn every_algorithm_with_an_osd_of_reef() {
    run(Release::Reef);
}

#[test]
#[ignore = "needs a real cluster"]
fn every_algorithm_with_an_osd_of_tentacle() {
    run(Release::Tentacle);
}

fn run(release: Release) {
    let options = |options| Options { osds: 2, mds: 0, data: false, ..options };
    with_cluster(release, options, scenario).unwrap();
}

async fn scenario(cluster: &Cluster) -> Result<()> {
    if cluster.release() == Release::Pacific {
        let session = osd_session(cluster, con_mode::CRC, forced(Algorithm::Snappy, false)).await?;
        ensure!(session.peer.compression.is_none());
        return ask(cluster, session).await.map(|_| ());
    }
    // Not just long frames: everything that has any bytes to win.
    cluster.ceph_ok(&["config", "set", "osd", "ms_osd_compress_mode", "force"])?;
    cluster.ceph_ok(&["config", "set", "osd", "ms_osd_compression_algorithm", "lz4 zstd zlib snappy"])?;
    cluster.ceph_ok(&["config", "set", "osd", "ms_osd_compress_min_size", "0"])?;
    cluster.ceph_ok(&["config", "set", "osd", "ms_compress_secure", "true"])?;
    sleep(Duration::from_secs(2)).await;
    let out = std::fs::read_to_string(cluster.dir().join("log/osd.1.out"))?;
    for algorithm in Algorithm::ALL {
        if out.contains(&format!("cannot load compressor of type {}", algorithm.name())) {
            println!("{:?}: {algorithm:?} is left out: the OSD cannot load it", cluster.release());
            continue;
        }
        for mode in [con_mode::CRC, con_mode::SECURE] {
            let session = osd_session(cluster, mode, forced(algorithm, true)).await?;
            ensure!(session.peer.con_mode == mode);
            let agreed = session.peer.compression;
            ensure!(agreed == Some(algorithm), "{algorithm:?} was offered, {agreed:?} agreed");
            let bytes = ask(cluster, session).await.with_context(|| format!("{algorithm:?}, mode {mode}"))?;
            println!("{:?}: {algorithm:?}, mode {mode}: {bytes} bytes", cluster.release());
        }
    }
    let session = osd_session(cluster, con_mode::SECURE, forced(Algorithm::Zstd, false)).await?;
    ensure!(session.peer.compression.is_none(), "not with encryption, unless that is allowed");
    Ok(())
}

fn forced(algorithm: Algorithm, secure: bool) -> Compression {
    Compression { osds: true, algorithms: vec![algorithm], bytes_min: 0, secure }
}

/// A session with osd.1 as osd.0.
async fn osd_session(cluster: &Cluster, mode: u32, compression: Compression) -> Result<Connected> {
    let name: AuthEntity = "osd.0".parse()?;
    let text = cluster.ceph_ok(&["auth", "get", "osd.0"])?;
    let key = KeyRing::parse(&text, Path::new("auth"))?.key(&name, Path::new("auth"))?;
    let context = AuthContext::new(Principal { name, key }, 0x05);
    let policy = Arc::new(AuthPolicy::new(EntityType::OSD).with_mode(mode));
    let mon = EntityAddr::v2(SocketAddr::from(([127, 0, 0, 1], cluster.state().ports.mon(0))));
    let (login, slot) = MonClientAuth::new(context.clone(), policy.clone());
    let session = dial(EntityType::MON, mon, compression.clone(), login).await?;
    ensure!(session.peer.compression.is_none(), "monitors are never compressed towards");
    context.adopt(slot.take().context("the login left no credentials")?);
    let auth = ServiceClientAuth::new(context, policy, EntityType::OSD);
    dial(EntityType::OSD, osd_addr(cluster)?, compression, auth).await
}

async fn dial(
    peer: EntityType,
    target: EntityAddr,
    compression: Compression,
    auth: impl ClientAuth + 'static,
) -> Result<Connected> {
    let dial = Dial {
        local: Local { kind: EntityType::OSD, nonce: nonce()?, ..Local::default() },
        peer,
        target,
        policy: if peer == EntityType::OSD { Policy::lossless_client(0) } else { Policy::lossy_client(0) },
        limits: Limits::default(),
        compression,
        bounds: Bounds::default(),
        deadline: Duration::from_secs(10),
        global_seq: Arc::default(),
        connections: Default::default(),
        detour: None,
    };
    Ok(connect(dial, Box::new(auth)).await?)
}

fn osd_addr(cluster: &Cluster) -> Result<EntityAddr> {
    let dump = cluster.ceph_json(&["osd", "dump"])?;
    let addrs = dump["osds"][1]["cluster_addrs"]["addrvec"].as_array().context("osd.1 has addresses")?;
    let v2 = addrs.iter().find(|a| a["type"] == "v2").context("osd.1 speaks msgr v2")?;
    let sock: SocketAddr = v2["addr"].as_str().context("address")?.parse()?;
    Ok(EntityAddr::new(AddrType::MSGR2, sock, u32::try_from(v2["nonce"].as_u64().context("nonce")?)?))
}

/// `perf schema`, asked with much blank space, so that there is something to pack in both directions; the answer's length.
async fn ask(cluster: &Cluster, mut session: Connected) -> Result<usize> {
    let fsid: Fsid = cluster.state().fsid.parse()?;
    let blank = " ".repeat(20_000);
    for tid in 1..=3 {
        let cmd = vec![format!("{{{blank}\"prefix\": \"perf schema\"}}")];
        session.handle.send(Message::from(MCommand { tid, fsid, cmd, ..MCommand::default() })).await?;
    }
    let (mut bytes, mut answers) = (0, 0);
    while answers < 3 {
        match timeout(Duration::from_secs(10), session.events.recv()).await?.context("the session is gone")? {
            ConnectionEvent::Message(raw) if raw.header.kind == MCommandReply::TYPE => {
                let reply = MCommandReply::decode(&raw)?;
                ensure!(reply.r == 0, "{} {}", reply.r, reply.rs);
                let schema: serde_json::Value = serde_json::from_slice(&reply.data)?;
                ensure!(schema.get("osd").is_some(), "no counters of the OSD");
                (bytes, answers) = (reply.data.len(), answers + 1);
            }
            ConnectionEvent::Closed(why) => bail!("the OSD closed the session: {why:?}"),
            _ => {}
        }
    }
    Ok(bytes)
}
