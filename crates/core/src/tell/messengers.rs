//! `messenger dump`: the process's connections (`AsyncMessengerSocketHook`, `AsyncMessenger::dump`, `AsyncConnection::dump`,
//! `ProtocolV2::dump`, `src/msg/async/`). Since 20.2.
//!
//! Invariants: the manager has upstream's messengers, that of its own sessions with daemons and, while it is active, that which listens;
//! the second is named by its nonce. Connections that keep no session are anonymous, as upstream has them.
//!
//! Where Axon has no such thing: tasks serve connections, not workers (`worker_id` is -1) and timers have no number; nobody speaks to
//! itself (`local_connection` is empty) and what is closed is gone at once (`deleted_conns` is empty); the kernel's `tcp_info` is not
//! read (upstream's value for that is null).

use super::{Answer, Ask, ENOENT, Row, row, since};
use axon_proto::{AddrType, AuthEntity, EntityAddr, EntityAddrVec, EntityName, EntityType, Release};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) const ROWS: &[Row] = &[since(Release::Tentacle, row(DUMP, "dump messenger status", dump))];

const DUMP: &str = "messenger dump name=msgr,type=CephString,req=false \
                    name=dumpcontents,type=CephChoices,\
                    strings=all|listen_sockets|connections|anon_conns|accepting_conns|deleted_conns,n=N,req=false \
                    name=tcp_info,type=CephBool,req=false";

/// One messenger at a moment.
#[derive(Clone, Debug, Default)]
pub struct Messenger {
    pub nonce: u64,
    pub my_name: EntityName,
    pub my_addrs: EntityAddrVec,
    /// File descriptors.
    pub listen_sockets: Vec<i32>,
    pub connections: Vec<Connection>,
    /// Messages and other events that have come in and wait for who acts on them.
    pub queued: usize,
}

/// One connection at a moment.
#[derive(Clone, Debug)]
pub struct Connection {
    pub conn_id: u64,
    /// The peer called.
    pub accepted: bool,
    /// It ends with its socket, and nobody comes back to it.
    pub lossy: bool,
    /// `ready`, or the part of the handshake that is under way; `standby`: without a socket.
    pub phase: &'static str,
    pub socket_fd: Option<i32>,
    /// Who an accepted peer has proved to be.
    pub entity: Option<AuthEntity>,
    pub peer: EntityName,
    pub global_id: u64,
    pub addrs: EntityAddrVec,
    /// Our own, which the peer called.
    pub socket_addr: EntityAddr,
    pub target_addr: EntityAddr,
    pub con_mode: &'static str,
    pub secure: bool,
    pub compression: Option<&'static str>,
    pub rev1: bool,
    pub connect_seq: u64,
    pub peer_global_seq: u64,
    pub started_ago: Duration,
    /// Since bytes last moved.
    pub active_ago: Duration,
}

/// Upstream's name of both; the second to be made gets its nonce.
const NAME: &str = "mgr";

fn named<'a>(ask: &'a Ask<'_>) -> impl Iterator<Item = (String, &'a Messenger)> {
    ask.own.messengers.iter().enumerate().map(|(at, messenger)| match at {
        0 => (NAME.to_owned(), messenger),
        _ => (format!("{NAME}-{}", messenger.nonce), messenger),
    })
}

fn dump(ask: &Ask<'_>) -> Answer {
    let Some(wanted) = ask.command.args.get("msgr").and_then(Value::as_str) else {
        let names: Vec<String> = named(ask).map(|(name, _)| name).collect();
        return Answer::json(json!({ "messengers": names }));
    };
    let Some((name, messenger)) = named(ask).find(|(name, _)| name == wanted) else {
        return Answer::refuse(ENOENT, "");
    };
    let contents: Vec<&str> = match ask.command.args.get("dumpcontents") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => vec!["all"],
    };
    let wants = |part: &str| contents.contains(&"all") || contents.contains(&part);
    Answer::json(json!({ "name": name, "messenger": messenger.json(wants) }))
}

impl Messenger {
    fn json(&self, wants: impl Fn(&str) -> bool) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("nonce", self.nonce.into());
        put("my_name", json!({ "type": self.my_name.kind.name(), "num": self.my_name.num }));
        put("my_addrs", json!(self.my_addrs));
        if wants("listen_sockets") {
            let sockets = self.listen_sockets.iter();
            let sockets: Vec<Value> = sockets.map(|fd| json!({ "socket_fd": fd, "worker_id": -1 })).collect();
            put("listen_sockets", sockets.into());
        }
        // How long the oldest has waited is not noted.
        let age = if self.queued == 0 { Value::from(timespan(Duration::ZERO)) } else { Value::Null };
        put("dispatch_queue", json!({ "length": self.queued, "max_age_ago": age }));
        let of = |key: &str| self.connections.iter().filter(|c| c.kept_in() == key).collect::<Vec<_>>();
        put("connections_count", of("connections").len().into());
        if wants("connections") {
            let connections = of("connections")
                .into_iter()
                .map(|c| json!({ "addrvec": c.addrs.0, "async_connection": c.json(self.nonce) }));
            put("connections", connections.collect());
        }
        for key in ["anon_conns", "accepting_conns"] {
            if wants(key) {
                put(key, of(key).into_iter().map(|c| c.json(self.nonce)).collect());
            }
        }
        if wants("deleted_conns") {
            put("deleted_conns", json!([]));
        }
        put("local_connection", json!([]));
        out.into()
    }
}

impl Connection {
    fn is_ready(&self) -> bool {
        self.phase == "ready"
    }

    /// In which of upstream's lists it is.
    fn kept_in(&self) -> &'static str {
        match (self.accepted, self.phase, self.lossy) {
            (true, "ready" | "standby", true) => "anon_conns",
            (true, "ready" | "standby", false) | (false, ..) => "connections",
            (true, ..) => "accepting_conns",
        }
    }

    fn json(&self, nonce: u64) -> Value {
        let state = match (self.phase, self.accepted) {
            ("ready", _) => "STATE_CONNECTION_ESTABLISHED",
            ("standby", _) => "STATE_NONE",
            (_, false) => "STATE_CONNECTING",
            (_, true) => "STATE_ACCEPTING",
        };
        let (kind, id) = match &self.entity {
            Some(entity) => (entity.kind, entity.id.as_str()),
            None => (EntityType(0), ""),
        };
        json!({
            "state": state,
            "messenger_nonce": nonce,
            "status": { "connected": self.is_ready(), "loopback": false },
            "socket_fd": self.socket_fd,
            "tcp_info": null,
            "conn_id": self.conn_id,
            "peer": {
                "entity_name": { "type": kind.0, "type_str": if kind.0 == 0 { "unknown" } else { kind.name() }, "id": id },
                "type": self.peer.kind.name(),
                "id": self.peer.num,
                "global_id": self.global_id,
                "addr": { "addrvec": self.addrs.0 },
            },
            "last_connect_started_ago": timespan(self.started_ago),
            "last_active_ago": timespan(self.active_ago),
            "recv_start_time_ago": timespan(self.active_ago),
            "last_tick_id": 0,
            "socket_addr": self.socket_addr,
            "target_addr": self.target_addr,
            "port": -1,
            "protocol": self.protocol(),
            "worker_id": -1,
        })
    }

    fn protocol(&self) -> Value {
        if self.target_addr.kind == AddrType::LEGACY {
            return json!({ "v1": {
                "state": self.state_v1(), "connect_seq": self.connect_seq, "peer_global_seq": self.peer_global_seq,
                "con_mode": self.con_mode,
            }});
        }
        let crypto = if self.is_ready() && self.secure { "AES-128-GCM" } else { "PLAIN" };
        let compressor = self.compression.unwrap_or("UNCOMPRESSED");
        json!({ "v2": {
            "state": self.state_v2(),
            "con_mode": self.con_mode,
            "rev1": self.rev1,
            "connect_seq": self.connect_seq,
            "peer_global_seq": self.peer_global_seq,
            "crypto": { "rx": crypto, "tx": crypto },
            "compression": { "rx": compressor, "tx": compressor },
        }})
    }

    fn state_v2(&self) -> &'static str {
        match (self.phase, self.accepted) {
            ("ready", _) => "READY",
            ("standby", _) => "STANDBY",
            ("banner", false) => "BANNER_CONNECTING",
            ("hello", false) => "HELLO_CONNECTING",
            ("auth", false) => "AUTH_CONNECTING",
            ("signature", false) => "AUTH_CONNECTING_SIGN",
            ("compression", false) => "COMPRESSION_CONNECTING",
            ("ident", false) => "SESSION_CONNECTING",
            ("reconnect", false) => "SESSION_RECONNECTING",
            ("banner", true) => "BANNER_ACCEPTING",
            ("hello", true) => "HELLO_ACCEPTING",
            ("auth", true) => "AUTH_ACCEPTING",
            ("signature", true) => "AUTH_ACCEPTING_SIGN",
            ("compression", true) => "COMPRESSION_ACCEPTING",
            ("ident" | "reconnect", true) => "SESSION_ACCEPTING",
            ("closed", _) => "CLOSED",
            (_, false) => "START_CONNECT",
            (_, true) => "START_ACCEPT",
        }
    }

    fn state_v1(&self) -> &'static str {
        match (self.phase, self.accepted) {
            ("ready", _) => "OPENED",
            ("standby", _) => "STANDBY",
            ("closed", _) => "CLOSED",
            (_, false) => "START_CONNECT",
            (_, true) => "START_ACCEPT",
        }
    }
}

/// `timespan_str`: seconds with a fraction below two, then whole ones of the largest unit of which there are enough.
fn timespan(span: Duration) -> String {
    let secs = span.as_secs();
    if secs < 2 {
        let text = format!("{:.6}", span.as_secs_f32());
        return format!("{}s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86400);
    match () {
        () if secs < 120 => format!("{secs}s"),
        () if mins < 120 => format!("{mins}m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 14 => format!("{days}d"),
        () if days / 7 < 12 => format!("{}w", days / 7),
        () if days / 30 < 24 => format!("{}M", days / 30),
        () => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_as_upstream_does() {
        let of = |millis| timespan(Duration::from_millis(millis));
        assert_eq!([of(0), of(424), of(1500), of(2000)], ["0s", "0.424s", "1.5s", "2s"]);
        assert_eq!([of(119_999), of(120_000), of(7_200_000)], ["119s", "2m", "2h"]);
        assert_eq!([of(200_000_000), of(1_500_000_000)], ["2d", "2w"]);
    }
}
