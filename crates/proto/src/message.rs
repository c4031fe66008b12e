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
                compat_version: out.compat_version,
            },
            front: out.front.into_bytes(),
            middle: out.middle,
            data: out.data,
        }
    }
}

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
    MMonCommand in mon_command;
    MMonCommandAck in mon_command_ack;
    MMonGetMap in mon_get_map;
    MMonGetVersion in mon_get_version;
    MMonGetVersionReply in mon_get_version_reply;
    MMonSubscribe in mon_subscribe;
    MMonSubscribeAck in mon_subscribe_ack;
    MPing in ping;
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

    #[test]
    fn no_number_stands_twice_in_the_table() {
        let mut numbers: Vec<u16> = TABLE.iter().map(|(_, n)| *n).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), TABLE.len());
    }
}
