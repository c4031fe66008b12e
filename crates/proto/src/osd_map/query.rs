//! Questions about the map that cost no walk over the cluster, and the few that do.

use super::{OSDMap, PgPool, WEIGHT_IN, addrs, map_flag, pool_flag, state};
use crate::crush::op;
use crate::{AddrType, EntityAddr, EntityAddrVec, Fsid, Release};
use std::collections::BTreeMap;
use std::net::SocketAddr;

impl OSDMap {
    /// The pool with that id.
    #[must_use]
    pub fn pool(&self, id: i64) -> Option<&PgPool> {
        self.pools.get(&id).map(AsRef::as_ref)
    }

    /// The id of the pool of that name.
    #[must_use]
    pub fn pool_id(&self, name: &str) -> Option<i64> {
        self.pool_name.iter().find(|(_, n)| *n == name).map(|(id, _)| *id)
    }

    /// The pool of that name with its id.
    #[must_use]
    pub fn pool_by_name(&self, name: &str) -> Option<(i64, &PgPool)> {
        let id = self.pool_id(name)?;
        Some((id, self.pool(id)?))
    }

    fn at<T: Copy>(column: &[T], osd: i32) -> Option<T> {
        column.get(usize::try_from(osd).ok()?).copied()
    }

    /// [`state`] bits of an OSD; 0 when there is none.
    #[must_use]
    pub fn state(&self, osd: i32) -> u32 {
        Self::at(&self.osd_state, osd).unwrap_or_default()
    }

    #[must_use]
    pub fn exists(&self, osd: i32) -> bool {
        self.state(osd) & state::EXISTS != 0
    }

    #[must_use]
    pub fn is_up(&self, osd: i32) -> bool {
        self.exists(osd) && self.state(osd) & state::UP != 0
    }

    #[must_use]
    pub fn is_down(&self, osd: i32) -> bool {
        !self.is_up(osd)
    }

    #[must_use]
    pub fn is_destroyed(&self, osd: i32) -> bool {
        self.exists(osd) && self.state(osd) & state::DESTROYED != 0
    }

    /// Reweight, 16.16 fixed point.
    #[must_use]
    pub fn weight(&self, osd: i32) -> u32 {
        Self::at(&self.osd_weight, osd).unwrap_or_default()
    }

    /// Reweight between 0 and 1.
    #[must_use]
    pub fn weightf(&self, osd: i32) -> f32 {
        self.weight(osd) as f32 / WEIGHT_IN as f32
    }

    #[must_use]
    pub fn is_in(&self, osd: i32) -> bool {
        self.exists(osd) && self.weight(osd) != 0
    }

    #[must_use]
    pub fn is_out(&self, osd: i32) -> bool {
        !self.is_in(osd)
    }

    /// Primary affinity, 16.16 fixed point.
    #[must_use]
    pub fn primary_affinity(&self, osd: i32) -> u32 {
        self.osd_primary_affinity.as_ref().and_then(|a| Self::at(a, osd)).unwrap_or(WEIGHT_IN)
    }

    /// Primary affinity between 0 and 1.
    #[must_use]
    pub fn primary_affinityf(&self, osd: i32) -> f32 {
        self.primary_affinity(osd) as f32 / WEIGHT_IN as f32
    }

    /// Ids of all OSDs that exist, ascending.
    pub fn osds(&self) -> impl Iterator<Item = i32> {
        let exists = |(id, bits): (i32, &u32)| (bits & state::EXISTS != 0).then_some(id);
        (0..self.max_osd.max(0)).zip(self.osd_state.iter()).filter_map(exists)
    }

    /// How many exist, are up, are in.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        self.osds().fold((0, 0, 0), |(all, up, inside), osd| {
            (all + 1, up + usize::from(self.is_up(osd)), inside + usize::from(self.is_in(osd)))
        })
    }

    #[must_use]
    pub fn uuid(&self, osd: i32) -> Fsid {
        Self::at(&self.osd_uuid, osd).unwrap_or_default()
    }

    /// The OSD with that uuid.
    #[must_use]
    pub fn osd_by_uuid(&self, uuid: Fsid) -> Option<i32> {
        self.osds().find(|osd| self.uuid(*osd) == uuid)
    }

    /// Public addresses of an OSD.
    #[must_use]
    pub fn addrs(&self, osd: i32) -> Option<&EntityAddrVec> {
        self.client_addrs.get(usize::try_from(osd).ok()?).map(AsRef::as_ref)
    }

    /// Whether an address may not talk to OSDs: listed itself, with its whole node (port and nonce 0), or by a range.
    #[must_use]
    pub fn is_blocklisted(&self, addr: &EntityAddr) -> bool {
        // Entries have no protocol of their own.
        let any = EntityAddr { kind: AddrType::ANY, ..*addr };
        if self.blocklist.contains_key(&any) {
            return true;
        }
        let Some(ip) = addr.sock.map(|s| s.ip()) else { return false };
        self.blocklist.contains_key(&EntityAddr::new(AddrType::ANY, SocketAddr::new(ip, 0), 0))
            || self.range_blocklist.keys().any(|range| addrs::range_contains(range, ip))
    }

    /// Flags of an OSD from itself, its class and the CRUSH nodes above it (`get_osd_crush_node_flags` and kin).
    #[must_use]
    pub fn flags_of(&self, osd: i32) -> u32 {
        const SETTABLE: u32 = state::NOUP | state::NODOWN | state::NOIN | state::NOOUT;
        let class = self.crush.class_map.get(&osd).and_then(|c| self.device_class_flags.get(c));
        let above = self.crush.ancestors(osd);
        let nodes = above.iter().chain([&osd]).filter_map(|id| self.crush_node_flags.get(id));
        nodes.chain(class).fold(self.state(osd) & SETTABLE, |bits, more| bits | more)
    }

    /// Whether a flag of [`map_flag`] is set.
    #[must_use]
    pub fn has_flag(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The map's flags joined by commas.
    #[must_use]
    pub fn flags_text(&self) -> String {
        map_flag::text(self.flags)
    }

    /// Location of an OSD in the CRUSH tree: type name to bucket name.
    #[must_use]
    pub fn location(&self, osd: i32) -> BTreeMap<String, String> {
        self.crush.location(osd)
    }

    /// The oldest client that understands the map, as the daemons of `release` see it (`get_min_compat_client`).
    #[must_use]
    pub fn min_compat_client(&self, release: Release) -> &'static str {
        let t = &self.crush.tunables;
        let crush = &self.crush;
        let pool_rule_has = |op: u32| {
            self.pools.values().filter_map(|p| crush.rule(p.crush_rule.into())).any(|r| r.has_op(&[op]))
        };
        let pools = || self.pools.values();
        if release >= Release::Squid && (crush.has_msr_rules() || t.needs_msr()) {
            "squid"
        } else if release >= Release::Reef && !self.pg_upmap_primaries.is_empty() {
            "reef"
        } else if !self.pg_upmap.is_empty()
            || !self.pg_upmap_items.is_empty()
            || crush.has_incompat_choose_args()
        {
            "luminous"
        } else if t.needs_feature_5() || pool_rule_has(op::SET_CHOOSELEAF_STABLE) {
            "jewel"
        } else if crush.has_v4_buckets() {
            "hammer"
        } else if t.needs_feature_3()
            || pool_rule_has(op::SET_CHOOSELEAF_VARY_R)
            || self.any_affinity()
            || pools().any(|p| !p.tiers.is_empty() || p.tier_of >= 0)
        {
            "firefly"
        } else if t.needs_feature_2() || pools().any(|p| p.flags & pool_flag::HASHPSPOOL != 0) {
            "dumpling"
        } else {
            "argonaut"
        }
    }

    fn any_affinity(&self) -> bool {
        self.osd_primary_affinity.as_ref().is_some_and(|a| a.iter().any(|a| *a != WEIGHT_IN))
    }
}
