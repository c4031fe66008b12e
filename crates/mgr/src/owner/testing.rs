//! Test support: an owner without a cluster, and sessions without sockets.

use super::{About, Effect, Owner, Session, SessionId};
use crate::modules::Modules;
use axon_core::caps::MgrCap;
use axon_core::{Cluster, Command, CommandError, CommandOutput, CommandSink, State, Target};
use axon_proto::mgr_map::MgrMap;
use axon_proto::msgs::mgr_map::MMgrMap;
use axon_proto::{EntityAddrVec, EntityName, EntityType, Message, UTime};
use futures::future::BoxFuture;
use serde_json::json;
use std::sync::Arc;

struct Nobody;

impl CommandSink for Nobody {
    fn command(&self, target: Target, _: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(async move { Err(CommandError::Lost { target: target.to_string() }) })
    }
}

/// A standby of global id 7.
pub fn standby() -> (Owner, Cluster) {
    let mut state = State::default();
    Arc::make_mut(&mut state.me).gid = 7;
    let cluster = Cluster::new(state.clone(), Arc::new(Nobody));
    (Owner::new(cluster.clone(), state, About::default(), Modules::default()), cluster)
}

/// One that the monitors have chosen, with OSDs 0 and 1 described and everything published.
pub fn chosen() -> (Owner, Cluster) {
    let (mut owner, cluster) = standby();
    let map = MgrMap { active_gid: 7, active_name: "x".to_owned(), ..Default::default() };
    owner.handle_mon_message(Message::from(MMgrMap { map }), at_ms(0));
    owner.handle_all_metadata(vec![(
        "osd",
        json!([{"id": 0, "hostname": "h", "ceph_version": "v"}, {"id": 1, "hostname": "h", "ceph_version": "v"}]),
    )]);
    owner.take_effects();
    owner.publish(at_ms(0));
    (owner, cluster)
}

pub fn session(entity: &str, num: i64) -> Session {
    let entity: axon_proto::AuthEntity = entity.parse().expect("a name");
    Session {
        name: EntityName::new(entity.kind, num),
        entity,
        addrs: EntityAddrVec::default(),
        caps: MgrCap::allow_all(),
        configured: false,
    }
}

/// `osd.N` at the other end of session N.
pub fn osd(owner: &mut Owner, n: u64) -> SessionId {
    let id = axon_net::listener::SessionId(n);
    owner.handle_session(id, session(&format!("osd.{n}"), i64::try_from(n).unwrap_or(0)));
    assert_eq!(owner.session(id).map(Session::kind), Some(EntityType::OSD));
    id
}

/// `MMgrReport::packed` without a counter: an empty envelope.
pub const NO_COUNTERS: &[u8] = &[1, 1, 0, 0, 0, 0];

/// A moment.
pub fn at_ms(ms: u32) -> UTime {
    UTime { sec: 1000 + ms / 1000, nsec: ms % 1000 * 1_000_000 }
}

/// The sessions that are to be closed.
pub fn closed(effects: &[Effect]) -> Vec<SessionId> {
    effects.iter().filter_map(|e| if let Effect::Close(id) = e { Some(*id) } else { None }).collect()
}

/// What is sent to a session, by name.
pub fn sent_to(effects: &[Effect], to: SessionId) -> Vec<&'static str> {
    let sent = effects.iter().filter_map(|e| match e {
        Effect::ToDaemon(id, message) if *id == to => Some(message.name()),
        _ => None,
    });
    sent.collect()
}
