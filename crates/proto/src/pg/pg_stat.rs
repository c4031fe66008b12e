//! `pg_stat_t` (`src/osd/osd_types.{h,cc}`): what a PG's primary reports. Version 26 (Pacific), 29 (Reef), 30
//! (Tentacle), compat 22; read from 26 on, written as 30 as upstream does, since older readers skip the end.

use super::{EVersion, Intervals, ObjectStatSum, Pg, PgShard, PgState};
use crate::json::{Entries, List};
use crate::{Release, UTime};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::SerializeMap;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// `pg_scrubbing_status_t`: where the PG stands in its OSD's scrub queue (since Quincy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubSchedule {
    pub scheduled_at: UTime,
    pub duration_seconds: i32,
    /// `pg_scrub_sched_status_t`; unknown values survive.
    pub sched_status: u16,
    pub is_active: bool,
    pub is_deep: bool,
    pub is_periodic: bool,
    /// While replicas are being reserved (since Tentacle): the OSD that has not answered yet, …
    pub osd_to_respond: u16,
    pub ordinal_of_requested_replica: u8,
    /// … out of how many; 0 when none are being reserved.
    pub num_to_reserve: u8,
}

impl Default for ScrubSchedule {
    fn default() -> Self {
        ScrubSchedule {
            scheduled_at: UTime::ZERO,
            duration_seconds: 0,
            sched_status: 0,
            is_active: false,
            is_deep: false,
            is_periodic: true,
            osd_to_respond: 0,
            ordinal_of_requested_replica: 0,
            num_to_reserve: 0,
        }
    }
}

/// `pg_stat_t::dump_scrub_schedule`.
impl fmt::Display for ScrubSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BLOCKED: u16 = 5;
        let deep = if self.is_deep { "deep " } else { "" };
        let secs = self.duration_seconds;
        if self.is_active {
            return if self.sched_status == BLOCKED {
                write!(f, "Blocked! locked objects (for {secs}s)")
            } else if self.num_to_reserve != 0 {
                let (osd, nth) = (self.osd_to_respond, self.ordinal_of_requested_replica);
                write!(f, "Reserving. Waiting {secs}s for OSD.{osd} ({nth}/{})", self.num_to_reserve)
            } else {
                write!(f, "{deep}scrubbing for {secs}s")
            };
        }
        let origin = if self.is_periodic { "periodic" } else { "user requested" };
        match self.sched_status {
            0 => f.write_str("--"),
            1 => f.write_str("no scrub is scheduled"),
            3 => write!(f, "{origin} {deep}scrub scheduled @ {}", self.scheduled_at),
            4 => write!(f, "queued for {deep}scrub"),
            _ => f.write_str("SCRUB STATE MISMATCH!"),
        }
    }
}

/// `pg_stat_t`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PgStat {
    pub version: EVersion,
    pub reported_seq: u64,
    pub reported_epoch: u32,
    pub state: PgState,
    pub last_fresh: UTime,
    pub last_change: UTime,
    pub last_active: UTime,
    pub last_peered: UTime,
    pub last_clean: UTime,
    pub last_unstale: UTime,
    pub last_undegraded: UTime,
    pub last_fullsized: UTime,
    pub last_became_active: UTime,
    pub last_became_peered: UTime,
    pub log_start: EVersion,
    pub ondisk_log_start: EVersion,
    pub created: u32,
    pub last_epoch_clean: u32,
    pub mapping_epoch: u32,
    pub parent: Pg,
    pub parent_split_bits: u32,
    pub last_scrub: EVersion,
    pub last_scrub_stamp: UTime,
    pub last_deep_scrub: EVersion,
    pub last_deep_scrub_stamp: UTime,
    pub last_clean_scrub_stamp: UTime,
    /// Seconds (since Quincy).
    pub last_scrub_duration: i32,
    pub scrub_schedule: ScrubSchedule,
    pub objects_scrubbed: i64,
    /// Seconds (since Reef).
    pub scrub_duration: f64,
    pub objects_trimmed: i64,
    /// Seconds (since Reef).
    pub snaptrim_duration: f64,
    pub stats: ObjectStatSum,
    pub log_size: i64,
    pub ondisk_log_size: i64,
    pub log_dups_size: i64,
    pub up: Vec<i32>,
    pub acting: Vec<i32>,
    pub up_primary: i32,
    pub acting_primary: i32,
    /// OSDs that peering waits for.
    pub blocked_by: Vec<i32>,
    pub avail_no_missing: Vec<PgShard>,
    pub object_location_counts: BTreeMap<BTreeSet<PgShard>, i32>,
    pub snaptrimq_len: u32,
    pub purged_snaps: Intervals,
    pub stats_invalid: bool,
    pub dirty_stats_invalid: bool,
    pub omap_stats_invalid: bool,
    pub hitset_stats_invalid: bool,
    pub hitset_bytes_stats_invalid: bool,
    pub pin_stats_invalid: bool,
    pub manifest_stats_invalid: bool,
}

impl PgStat {
    /// A PG of which nothing was reported: no primaries.
    #[must_use]
    pub fn unreported() -> Self {
        PgStat { up_primary: -1, acting_primary: -1, ..Default::default() }
    }

    /// Orders reports of one PG (`get_version_pair`).
    #[must_use]
    pub fn version_pair(&self) -> (u32, u64) {
        (self.reported_epoch, self.reported_seq)
    }

    /// The epoch through which the PG is known to have been clean.
    #[must_use]
    pub fn effective_last_epoch_clean(&self) -> u32 {
        if self.state.has(PgState::CLEAN) { self.reported_epoch } else { self.last_epoch_clean }
    }
}

impl Encode for PgStat {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(30, 22, |w| {
            w.value(&self.version, features);
            w.u64(self.reported_seq);
            w.u32(self.reported_epoch);
            w.u32(self.state.0 as u32);
            w.value(&self.log_start, features);
            w.value(&self.ondisk_log_start, features);
            w.u32(self.created);
            w.u32(self.last_epoch_clean);
            w.value(&self.parent, features);
            w.u32(self.parent_split_bits);
            w.value(&self.last_scrub, features);
            w.value(&self.last_scrub_stamp, features);
            self.stats.encode_collection(w, features);
            w.i64(self.log_size);
            w.i64(self.ondisk_log_size);
            w.value(&self.up, features);
            w.value(&self.acting, features);
            for stamp in
                [self.last_fresh, self.last_change, self.last_active, self.last_clean, self.last_unstale]
            {
                w.value(&stamp, features);
            }
            w.u32(self.mapping_epoch);
            w.value(&self.last_deep_scrub, features);
            w.value(&self.last_deep_scrub_stamp, features);
            w.bool(self.stats_invalid);
            w.value(&self.last_clean_scrub_stamp, features);
            w.value(&self.last_became_active, features);
            w.bool(self.dirty_stats_invalid);
            w.i32(self.up_primary);
            w.i32(self.acting_primary);
            w.bool(self.omap_stats_invalid);
            w.bool(self.hitset_stats_invalid);
            w.value(&self.blocked_by, features);
            w.value(&self.last_undegraded, features);
            w.value(&self.last_fullsized, features);
            w.bool(self.hitset_bytes_stats_invalid);
            w.value(&self.last_peered, features);
            w.value(&self.last_became_peered, features);
            w.bool(self.pin_stats_invalid);
            w.u32(self.snaptrimq_len);
            w.u32((self.state.0 >> 32) as u32);
            w.value(&self.purged_snaps, features);
            w.bool(self.manifest_stats_invalid);
            w.value(&self.avail_no_missing, features);
            w.value(&self.object_location_counts, features);
            self.encode_scrub(w, features);
        });
    }
}

impl PgStat {
    /// What Quincy and later releases appended.
    fn encode_scrub(&self, w: &mut Writer, features: Features) {
        let schedule = &self.scrub_schedule;
        w.i32(self.last_scrub_duration);
        w.value(&schedule.scheduled_at, features);
        w.i32(schedule.duration_seconds);
        w.u16(schedule.sched_status);
        w.bool(schedule.is_active);
        w.bool(schedule.is_deep);
        w.bool(schedule.is_periodic);
        w.i64(self.objects_scrubbed);
        w.f64(self.scrub_duration);
        w.i64(self.objects_trimmed);
        w.f64(self.snaptrim_duration);
        w.i64(self.log_dups_size);
        w.u16(schedule.osd_to_respond);
        w.u8(schedule.ordinal_of_requested_replica);
        w.u8(schedule.num_to_reserve);
    }

    fn decode_scrub(&mut self, version: u8, r: &mut Reader<'_>) -> Result<()> {
        if version >= 27 {
            self.last_scrub_duration = r.i32()?;
            self.scrub_schedule = ScrubSchedule {
                scheduled_at: r.value()?,
                duration_seconds: r.i32()?,
                sched_status: r.u16()?,
                is_active: r.bool()?,
                is_deep: r.bool()?,
                is_periodic: r.bool()?,
                ..Default::default()
            };
            self.objects_scrubbed = r.i64()?;
        }
        if version >= 28 {
            self.scrub_duration = r.f64()?;
            self.objects_trimmed = r.i64()?;
            self.snaptrim_duration = r.f64()?;
        }
        if version >= 29 {
            self.log_dups_size = r.i64()?;
        }
        if version >= 30 {
            self.scrub_schedule.osd_to_respond = r.u16()?;
            self.scrub_schedule.ordinal_of_requested_replica = r.u8()?;
            self.scrub_schedule.num_to_reserve = r.u8()?;
        }
        Ok(())
    }
}

impl Decode for PgStat {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(26, 30, "pg_stat_t")?;
        let r = &mut r;
        let version_of_log = r.value()?;
        let reported_seq = r.u64()?;
        let mut s = PgStat { version: version_of_log, reported_seq, ..Default::default() };
        s.reported_epoch = r.u32()?;
        let state_low = r.u32()?;
        s.log_start = r.value()?;
        s.ondisk_log_start = r.value()?;
        s.created = r.u32()?;
        s.last_epoch_clean = r.u32()?;
        s.parent = r.value()?;
        s.parent_split_bits = r.u32()?;
        s.last_scrub = r.value()?;
        s.last_scrub_stamp = r.value()?;
        s.stats = ObjectStatSum::decode_collection(r)?;
        s.log_size = r.i64()?;
        s.ondisk_log_size = r.i64()?;
        s.up = r.value()?;
        s.acting = r.value()?;
        s.last_fresh = r.value()?;
        s.last_change = r.value()?;
        s.last_active = r.value()?;
        s.last_clean = r.value()?;
        s.last_unstale = r.value()?;
        s.mapping_epoch = r.u32()?;
        s.last_deep_scrub = r.value()?;
        s.last_deep_scrub_stamp = r.value()?;
        s.stats_invalid = r.bool()?;
        s.last_clean_scrub_stamp = r.value()?;
        s.last_became_active = r.value()?;
        s.dirty_stats_invalid = r.bool()?;
        s.up_primary = r.i32()?;
        s.acting_primary = r.i32()?;
        s.omap_stats_invalid = r.bool()?;
        s.hitset_stats_invalid = r.bool()?;
        s.blocked_by = r.value()?;
        s.last_undegraded = r.value()?;
        s.last_fullsized = r.value()?;
        s.hitset_bytes_stats_invalid = r.bool()?;
        s.last_peered = r.value()?;
        s.last_became_peered = r.value()?;
        s.pin_stats_invalid = r.bool()?;
        s.snaptrimq_len = r.u32()?;
        s.state = PgState(u64::from(state_low) | u64::from(r.u32()?) << 32);
        s.purged_snaps = r.value()?;
        s.manifest_stats_invalid = r.bool()?;
        s.avail_no_missing = r.value()?;
        s.object_location_counts = r.value()?;
        s.decode_scrub(version, r)?;
        Ok(s)
    }
}

/// `pg_stat_t::dump` as a release prints it.
struct Dump<'a>(&'a PgStat, Release);

impl Entries for Dump<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        let Dump(stat, release) = self;
        stat.dump_history(out)?;
        stat.dump_scrubs(*release, out)?;
        out.serialize_entry("stat_sum", &stat.stats)?;
        stat.dump_places(out)
    }
}

/// `pg_stat_t::dump_brief`.
struct Brief<'a>(&'a PgStat);

impl Entries for Brief<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        let stat = self.0;
        out.serialize_entry("state", &stat.state)?;
        out.serialize_entry("up", &stat.up)?;
        out.serialize_entry("acting", &stat.acting)?;
        out.serialize_entry("up_primary", &stat.up_primary)?;
        out.serialize_entry("acting_primary", &stat.acting_primary)
    }
}

impl PgStat {
    /// `pg_stat_t::dump` as `release` prints it.
    pub fn dump(&self, release: Release) -> impl Entries {
        Dump(self, release)
    }

    /// `pg_stat_t::dump_brief`.
    pub fn dump_brief(&self) -> impl Entries {
        Brief(self)
    }

    fn dump_history<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        out.serialize_entry("version", &self.version)?;
        out.serialize_entry("reported_seq", &self.reported_seq)?;
        out.serialize_entry("reported_epoch", &self.reported_epoch)?;
        out.serialize_entry("state", &self.state)?;
        out.serialize_entry("last_fresh", &self.last_fresh)?;
        out.serialize_entry("last_change", &self.last_change)?;
        out.serialize_entry("last_active", &self.last_active)?;
        out.serialize_entry("last_peered", &self.last_peered)?;
        out.serialize_entry("last_clean", &self.last_clean)?;
        out.serialize_entry("last_became_active", &self.last_became_active)?;
        out.serialize_entry("last_became_peered", &self.last_became_peered)?;
        out.serialize_entry("last_unstale", &self.last_unstale)?;
        out.serialize_entry("last_undegraded", &self.last_undegraded)?;
        out.serialize_entry("last_fullsized", &self.last_fullsized)?;
        out.serialize_entry("mapping_epoch", &self.mapping_epoch)?;
        out.serialize_entry("log_start", &self.log_start)?;
        out.serialize_entry("ondisk_log_start", &self.ondisk_log_start)?;
        out.serialize_entry("created", &self.created)?;
        out.serialize_entry("last_epoch_clean", &self.last_epoch_clean)?;
        out.serialize_entry("parent", &self.parent)?;
        out.serialize_entry("parent_split_bits", &self.parent_split_bits)?;
        Ok(())
    }

    fn dump_scrubs<M: SerializeMap>(
        &self,
        release: Release,
        out: &mut M,
    ) -> std::result::Result<(), M::Error> {
        let reef = release >= Release::Reef;
        out.serialize_entry("last_scrub", &self.last_scrub)?;
        out.serialize_entry("last_scrub_stamp", &self.last_scrub_stamp)?;
        out.serialize_entry("last_deep_scrub", &self.last_deep_scrub)?;
        out.serialize_entry("last_deep_scrub_stamp", &self.last_deep_scrub_stamp)?;
        out.serialize_entry("last_clean_scrub_stamp", &self.last_clean_scrub_stamp)?;
        if reef {
            out.serialize_entry("objects_scrubbed", &self.objects_scrubbed)?;
        }
        out.serialize_entry("log_size", &self.log_size)?;
        if reef {
            out.serialize_entry("log_dups_size", &self.log_dups_size)?;
        }
        out.serialize_entry("ondisk_log_size", &self.ondisk_log_size)?;
        out.serialize_entry("stats_invalid", &self.stats_invalid)?;
        out.serialize_entry("dirty_stats_invalid", &self.dirty_stats_invalid)?;
        out.serialize_entry("omap_stats_invalid", &self.omap_stats_invalid)?;
        out.serialize_entry("hitset_stats_invalid", &self.hitset_stats_invalid)?;
        out.serialize_entry("hitset_bytes_stats_invalid", &self.hitset_bytes_stats_invalid)?;
        out.serialize_entry("pin_stats_invalid", &self.pin_stats_invalid)?;
        out.serialize_entry("manifest_stats_invalid", &self.manifest_stats_invalid)?;
        out.serialize_entry("snaptrimq_len", &self.snaptrimq_len)?;
        if reef {
            out.serialize_entry("last_scrub_duration", &self.last_scrub_duration)?;
            out.serialize_entry("scrub_schedule", &self.scrub_schedule.to_string())?;
            out.serialize_entry("scrub_duration", &self.scrub_duration)?;
            out.serialize_entry("objects_trimmed", &self.objects_trimmed)?;
            out.serialize_entry("snaptrim_duration", &self.snaptrim_duration)?;
        }
        Ok(())
    }

    fn dump_places<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        let locations = List(|| {
            self.object_location_counts.iter().map(|(shards, objects)| {
                let shards: Vec<String> = shards.iter().map(ToString::to_string).collect();
                json!({ "shards": shards.join(","), "objects": objects })
            })
        });
        out.serialize_entry("up", &self.up)?;
        out.serialize_entry("acting", &self.acting)?;
        out.serialize_entry("avail_no_missing", &self.avail_no_missing)?;
        out.serialize_entry("object_location_counts", &locations)?;
        out.serialize_entry("blocked_by", &self.blocked_by)?;
        out.serialize_entry("up_primary", &self.up_primary)?;
        out.serialize_entry("acting_primary", &self.acting_primary)?;
        out.serialize_entry("purged_snaps", &self.purged_snaps)?;
        Ok(())
    }
}
