//! `entity_name_t` (`src/msg/msg_types.h`) and the entity types (`CEPH_ENTITY_TYPE_*` in `src/include/msgr.h`).
//! The textual name of an auth identity (`mgr.x`, `client.admin`) is cephx's `EntityName`; see `AuthEntity` below.

use axon_denc::{Decode, Encode, Features, Reader, Writer};
use std::fmt;
use std::str::FromStr;

/// Kind of a daemon or client; a bit each, as masks of services use them. Unknown values survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityType(pub u8);

impl EntityType {
    pub const NONE: EntityType = EntityType(0);
    pub const MON: EntityType = EntityType(0x01);
    pub const MDS: EntityType = EntityType(0x02);
    pub const OSD: EntityType = EntityType(0x04);
    pub const CLIENT: EntityType = EntityType(0x08);
    pub const MGR: EntityType = EntityType(0x10);
    pub const AUTH: EntityType = EntityType(0x20);

    /// Upstream's name of the type (`ceph_entity_type_name`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EntityType::MON => "mon",
            EntityType::MDS => "mds",
            EntityType::OSD => "osd",
            EntityType::CLIENT => "client",
            EntityType::MGR => "mgr",
            EntityType::AUTH => "auth",
            _ => "???",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::MON, Self::MDS, Self::OSD, Self::CLIENT, Self::MGR, Self::AUTH]
            .into_iter()
            .find(|t| t.name() == name)
    }
}

/// `entity_name_t`: type and number; a negative number means "not assigned yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityName {
    pub kind: EntityType,
    pub num: i64,
}

impl EntityName {
    /// The number of an entity that has none yet.
    pub const NEW: i64 = -1;

    #[must_use]
    pub fn new(kind: EntityType, num: i64) -> Self {
        EntityName { kind, num }
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.num < 0 {
            write!(f, "{}.?", self.kind.name())
        } else {
            write!(f, "{}.{}", self.kind.name(), self.num)
        }
    }
}

impl Encode for EntityName {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(self.kind.0);
        w.i64(self.num);
    }
}
impl Decode for EntityName {
    const BYTES_MIN: usize = 9;
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        Ok(EntityName { kind: EntityType(r.u8()?), num: r.i64()? })
    }
}

/// The name of an identity in the monitors' key database (`EntityName` in `src/common/entity_name.h`): `mgr.x`,
/// `client.admin`, `osd.0`. On the wire: type as 32 bits, id as string.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthEntity {
    pub kind: EntityType,
    pub id: String,
}

impl AuthEntity {
    #[must_use]
    pub fn new(kind: EntityType, id: impl Into<String>) -> Self {
        AuthEntity { kind, id: id.into() }
    }
}

impl fmt::Display for AuthEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.name(), self.id)
    }
}

/// The text is not `type.id` with a known type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntity(pub String);
impl fmt::Display for BadEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an entity name such as mgr.x or client.admin", self.0)
    }
}
impl std::error::Error for BadEntity {}

impl FromStr for AuthEntity {
    type Err = BadEntity;
    fn from_str(s: &str) -> Result<Self, BadEntity> {
        let (kind, id) = s.split_once('.').ok_or_else(|| BadEntity(s.to_owned()))?;
        let kind = EntityType::from_name(kind).ok_or_else(|| BadEntity(s.to_owned()))?;
        Ok(AuthEntity { kind, id: id.to_owned() })
    }
}

impl Encode for AuthEntity {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u32(u32::from(self.kind.0));
        w.string(&self.id);
    }
}
impl Decode for AuthEntity {
    const BYTES_MIN: usize = 8;
    fn decode(r: &mut Reader<'_>) -> axon_denc::Result<Self> {
        let kind = r.u32()?;
        let kind = u8::try_from(kind).map_err(|_| r.bad_value("entity type", kind))?;
        Ok(AuthEntity { kind: EntityType(kind), id: r.value()? })
    }
}
