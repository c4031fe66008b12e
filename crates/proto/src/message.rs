//! Messages as msgr carries them (`src/msg/Message.{h,cc}`): a header and three sections, and the table of all messages
//! that Axon knows. A message outside the table stays a [`RawMessage`], so nothing is lost.

use crate::msgs;
use axon_denc::{Features, Reader, Result, Writer};
use bytes::Bytes;

/// `CEPH_MSG_PRIO_*`.
pub mod priority {
    pub const LOW: u16 = 64;
    pub const DEFAULT: u16 = 127;
    pub const HIGH: u16 = 196;
    pub const HIGHEST: u16 = 255;
}

/// What the protocol keeps about a message beside its sections. `seq` and `ack_seq` belong to the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageHeader {
    pub seq: u64,
    /// Transaction id: a reply carries its request's.
    pub tid: u64,
    /// `CEPH_MSG_*` / `MSG_*`.
    pub kind: u16,
    pub priority: u16,
    /// Version of the payload's encoding.
    pub version: u16,
    /// Oldest reader that understands it.
    pub compat_version: u16,
}

/// A message whose sections are not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMessage {
    pub header: MessageHeader,
    pub front: Bytes,
    pub middle: Bytes,
    pub data: Bytes,
}

impl RawMessage {
    /// The version of the payload's encoding; refused when it is before `oldest`.
    pub fn since(&self, oldest: u8, name: &'static str) -> Result<u16> {
        if self.header.version >= u16::from(oldest) {
            return Ok(self.header.version);
        }
        // Below `oldest`, so it fits.
        let version = self.header.version.min(255) as u8;
        Err(self.front_reader(name).error(axon_denc::Fault::TooOld { version, oldest }))
    }

    /// A reader over the front section whose errors name the message.
    #[must_use]
    pub fn front_reader(&self, name: &'static str) -> Reader<'_> {
        Reader::named(&self.front, name)
    }
}

/// What an encoder fills in. Version and compat start with the message's constants; an encoder that writes an older form
/// for an older peer lowers them.
#[derive(Debug)]
pub struct Parts {
    pub front: Writer,
    pub middle: Bytes,
    pub data: Bytes,
    pub tid: u64,
    pub priority: u16,
    pub version: u16,
    pub compat_version: u16,
}

/// One message type: its number, versions and codec.
pub trait Payload: Sized {
    /// Upstream's number of the message.
    const TYPE: u16;
    /// Upstream's name.
    const NAME: &'static str;
    /// `HEAD_VERSION`.
    const VERSION: u16;
    /// `COMPAT_VERSION`.
    const COMPAT: u16;
    /// Priority that upstream sends it with.
    const PRIORITY: u16 = priority::DEFAULT;

    /// Writes the sections for a peer with `features`.
    fn encode(&self, out: &mut Parts, features: Features);

    /// Reads the sections. `raw.header.version` says which form they have.
    fn decode(raw: &RawMessage) -> Result<Self>;

    /// Values for the test over the whole table: each form that the encoder has.
    #[cfg(test)]
    fn samples() -> Vec<Self> {
        Vec::new()
    }

    /// The message as the connection sends it.
    fn to_raw(&self, features: Features) -> RawMessage {
        let mut out = Parts {
            front: Writer::new(),
            middle: Bytes::new(),
            data: Bytes::new(),
            tid: 0,
            priority: Self::PRIORITY,
            version: Self::VERSION,
            compat_version: Self::COMPAT,
        };
        self.encode(&mut out, features);
        RawMessage {
            header: MessageHeader {
                seq: 0,
                tid: out.tid,
                kind: Self::TYPE,
                priority: out.priority,
                version: out.version,
                // A sender that names no compat is readable by its own version only (`Message::encode`).
                compat_version: if out.compat_version == 0 { out.version } else { out.compat_version },
            },
            front: out.front.into_bytes(),
            middle: out.middle,
            data: out.data,
        }
    }
}

/// Implements [`Payload`] for a message whose front section is its fields in order, in one version.
/// `payload_fields!(MGetConfig = 63, version 1; name, host, device_class; samples [MGetConfig { .. }]);`
macro_rules! payload_fields {
    ($name:ident = $type:literal, version $version:literal; $($field:ident),*; samples [$($sample:expr),* $(,)?]) => {
        impl $crate::message::Payload for $name {
            const TYPE: u16 = $type;
            const NAME: &'static str = stringify!($name);
            const VERSION: u16 = $version;
            // Upstream's "not readable by older ones": a sender that names no compat sends the version.
            const COMPAT: u16 = $version;

            fn encode(&self, out: &mut $crate::message::Parts, features: axon_denc::Features) {
                $( out.front.value(&self.$field, features); )*
            }

            fn decode(raw: &$crate::message::RawMessage) -> axon_denc::Result<Self> {
                let mut r = raw.front_reader(Self::NAME);
                Ok($name { $( $field: r.value()? ),* })
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                vec![$($sample),*]
            }
        }
    };
}
pub(crate) use payload_fields;

macro_rules! message_table {
    ($($(#[$doc:meta])* $name:ident in $file:ident;)*) => {
        /// A message of the table, decoded, or any other one as it came.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $( $(#[$doc])* $name(Box<msgs::$file::$name>), )*
            /// A message that is not in the table.
            Unknown(RawMessage),
        }

        impl Message {
            /// Decodes by the header's type.
            pub fn decode(raw: RawMessage) -> Result<Self> {
                match raw.header.kind {
                    $( msgs::$file::$name::TYPE => {
                        if raw.header.compat_version > msgs::$file::$name::VERSION {
                            let known = msgs::$file::$name::VERSION.min(255) as u8;
                            let compat = raw.header.compat_version.min(255) as u8;
                            return Err(raw.front_reader(msgs::$file::$name::NAME)
                                .error(axon_denc::Fault::TooNew { compat, known }));
                        }
                        msgs::$file::$name::decode(&raw).map(|m| Message::$name(Box::new(m)))
                    } )*
                    _ => Ok(Message::Unknown(raw)),
                }
            }

            /// The message as the connection sends it to a peer with `features`.
            #[must_use]
            pub fn to_raw(&self, features: Features) -> RawMessage {
                match self {
                    $( Message::$name(m) => m.to_raw(features), )*
                    Message::Unknown(raw) => raw.clone(),
                }
            }

            /// A value of each message and each of its forms.
            #[cfg(test)]
            fn samples() -> Vec<(&'static str, Vec<Message>)> {
                vec![$( (
                    msgs::$file::$name::NAME,
                    msgs::$file::$name::samples().into_iter().map(Message::from).collect(),
                ), )*]
            }

            /// Upstream's name, or `unknown`.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $( Message::$name(_) => msgs::$file::$name::NAME, )*
                    Message::Unknown(_) => "unknown",
                }
            }
        }

        $(
            impl From<msgs::$file::$name> for Message {
                fn from(m: msgs::$file::$name) -> Message {
                    Message::$name(Box::new(m))
                }
            }
        )*

        /// Upstream's names of all messages in the table with their numbers.
        pub const TABLE: &[(&str, u16)] = &[ $( (msgs::$file::$name::NAME, msgs::$file::$name::TYPE), )* ];
    };
}

message_table! {
    MAuth in auth;
    MAuthReply in auth_reply;
    MCommand in command;
    MCommandReply in command_reply;
    MConfig in config;
    MFSMap in fs_map;
    MFSMapUser in fs_map_user;
    MGetConfig in get_config;
    MKVData in kv_data;
    MLog in log;
    MLogAck in log_ack;
    MMDSMap in mds_map;
    MMgrBeacon in mgr_beacon;
    MMgrClose in mgr_close;
    MMgrCommand in mgr_command;
    MMgrCommandReply in mgr_command_reply;
    MMgrConfigure in mgr_configure;
    MMgrDigest in mgr_digest;
    MMgrMap in mgr_map;
    MMgrOpen in mgr_open;
    MMgrReport in mgr_report;
    MMgrUpdate in mgr_update;
    MMonCommand in mon_command;
    MMonCommandAck in mon_command_ack;
    MMonGetMap in mon_get_map;
    MMonGetOSDMap in mon_get_osd_map;
    MMonGetVersion in mon_get_version;
    MMonGetVersionReply in mon_get_version_reply;
    MMonMap in mon_map;
    MMonMgrReport in mon_mgr_report;
    MMonSubscribe in mon_subscribe;
    MMonSubscribeAck in mon_subscribe_ack;
    MOSDForceRecovery in osd_force_recovery;
    MOSDMap in osd_map;
    MOSDScrub2 in osd_scrub2;
    MPGStats in pg_stats;
    MPing in ping;
    MServiceMap in service_map;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_outside_the_table_survives() {
        let raw = RawMessage {
            header: MessageHeader { kind: 0xfff0, ..Default::default() },
            front: Bytes::from_static(b"abc"),
            ..Default::default()
        };
        assert_eq!(Message::decode(raw.clone()).unwrap().to_raw(Features::ALL), raw);
    }

    /// Headers, middle and data sections round trip with the rest; only the front section carries lengths that a
    /// truncation can hit.
    #[test]
    fn every_message_round_trips_and_refuses_every_truncation_of_its_front() {
        for (name, samples) in Message::samples() {
            assert!(!samples.is_empty(), "{name} has no sample: implement Payload::samples");
            for sample in samples {
                for features in [Features(crate::features::SUPPORTED), Features::ALL] {
                    let raw = sample.to_raw(features);
                    assert_eq!(Message::decode(raw.clone()).unwrap(), sample, "{name}");
                    for len in 0..raw.front.len() {
                        let short = RawMessage { front: raw.front.slice(..len), ..raw.clone() };
                        assert!(
                            Message::decode(short).is_err(),
                            "{name}: {len} of {} bytes",
                            raw.front.len()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_damaged_byte_gives_a_message_or_an_error() {
        for (_, samples) in Message::samples() {
            for sample in samples {
                let raw = sample.to_raw(Features::ALL);
                for at in 0..raw.front.len() {
                    for damage in [0x00, 0x7f, 0xff] {
                        let mut front = raw.front.to_vec();
                        front[at] = damage;
                        let _ = Message::decode(RawMessage { front: front.into(), ..raw.clone() });
                    }
                }
            }
        }
    }

    #[test]
    fn a_newer_compat_than_known_is_refused() {
        for (name, samples) in Message::samples() {
            for sample in samples {
                let mut raw = sample.to_raw(Features::ALL);
                raw.header.compat_version = 250;
                assert!(Message::decode(raw).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn no_number_stands_twice_in_the_table() {
        let mut numbers: Vec<u16> = TABLE.iter().map(|(_, n)| *n).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), TABLE.len());
    }
}
