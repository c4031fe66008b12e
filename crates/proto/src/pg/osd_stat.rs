//! `osd_stat_t` (`src/osd/osd_types.{h,cc}`, version 14, compat 2; oldest read 14, Pacific's) and what is in it:
//! `objectstore_perf_stat_t` (2; 1 for a peer without `OS_PERF_STAT_NS`) and the heartbeat times.

use super::{Pow2Hist, StoreStatfs};
use crate::features;
use crate::json::{Entries, List, Object, Then};
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeMap};
use std::collections::BTreeMap;

/// `objectstore_perf_stat_t`: the object store's latencies in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerfStat {
    pub commit_latency_ns: u64,
    pub apply_latency_ns: u64,
}

const NS_PER_MS: u64 = 1_000_000;

impl Encode for PerfStat {
    fn encode(&self, w: &mut Writer, features: Features) {
        let ms = |ns: u64| u32::try_from(ns / NS_PER_MS).unwrap_or(u32::MAX);
        if features.has(features::OS_PERF_STAT_NS) {
            w.envelope(2, 2, |w| {
                w.u64(self.commit_latency_ns);
                w.u64(self.apply_latency_ns);
            });
        } else {
            w.envelope(1, 1, |w| {
                w.u32(ms(self.commit_latency_ns));
                w.u32(ms(self.apply_latency_ns));
            });
        }
    }
}
impl Decode for PerfStat {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope(2, "objectstore_perf_stat_t")?;
        if version >= 2 {
            return Ok(PerfStat { commit_latency_ns: r.u64()?, apply_latency_ns: r.u64()? });
        }
        let (commit, apply) = (r.u32()?, r.u32()?);
        Ok(PerfStat {
            commit_latency_ns: u64::from(commit) * NS_PER_MS,
            apply_latency_ns: u64::from(apply) * NS_PER_MS,
        })
    }
}

impl PerfStat {
    fn combine(&mut self, o: &Self, with: fn(u64, u64) -> u64) {
        self.commit_latency_ns = with(self.commit_latency_ns, o.commit_latency_ns);
        self.apply_latency_ns = with(self.apply_latency_ns, o.apply_latency_ns);
    }

    /// `objectstore_perf_stat_t::dump`.
    #[must_use]
    pub fn dump(&self) -> impl Serialize + use<> {
        let ms = |ns: u64| ns as f64 / NS_PER_MS as f64;
        let (commit, apply) = (self.commit_latency_ns, self.apply_latency_ns);
        Object(Then(
            Then(("commit_latency_ms", ms(commit)), ("apply_latency_ms", ms(apply))),
            Then(("commit_latency_ns", commit), ("apply_latency_ns", apply)),
        ))
    }
}

/// `osd_stat_t::Interfaces`: times of pings to one peer in microseconds over 1, 5 and 15 minutes. A `front` average of 0
/// means that there is no second network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HbInterfaces {
    /// Seconds since the epoch.
    pub last_update: u32,
    pub back_pingtime: [u32; 3],
    pub back_min: [u32; 3],
    pub back_max: [u32; 3],
    pub back_last: u32,
    pub front_pingtime: [u32; 3],
    pub front_min: [u32; 3],
    pub front_max: [u32; 3],
    pub front_last: u32,
}

/// Three averages in a row.
#[derive(Clone, Copy)]
struct Three([u32; 3]);
impl Encode for Three {
    fn encode(&self, w: &mut Writer, _: Features) {
        self.0.iter().for_each(|time| w.u32(*time));
    }
}
impl Decode for Three {
    const BYTES_MIN: usize = 12;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Three([r.u32()?, r.u32()?, r.u32()?]))
    }
}

impl Encode for HbInterfaces {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.u32(self.last_update);
        for three in [self.back_pingtime, self.back_min, self.back_max] {
            w.value(&Three(three), features);
        }
        w.u32(self.back_last);
        for three in [self.front_pingtime, self.front_min, self.front_max] {
            w.value(&Three(three), features);
        }
        w.u32(self.front_last);
    }
}
impl Decode for HbInterfaces {
    const BYTES_MIN: usize = 84;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(HbInterfaces {
            last_update: r.u32()?,
            back_pingtime: r.value::<Three>()?.0,
            back_min: r.value::<Three>()?.0,
            back_max: r.value::<Three>()?.0,
            back_last: r.u32()?,
            front_pingtime: r.value::<Three>()?.0,
            front_min: r.value::<Three>()?.0,
            front_max: r.value::<Three>()?.0,
            front_last: r.u32()?,
        })
    }
}

/// `osd_stat_t`: what an OSD says about itself; also the sum over OSDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsdStat {
    pub statfs: StoreStatfs,
    pub hb_peers: Vec<i32>,
    pub snap_trim_queue_len: i32,
    pub num_snap_trimming: i32,
    pub num_shards_repaired: u64,
    pub op_queue_age_hist: Pow2Hist,
    pub os_perf_stat: PerfStat,
    /// By OSD (-1 in an OSD's own report): alert name and message.
    pub os_alerts: BTreeMap<i32, BTreeMap<String, String>>,
    /// Epoch of the OSD map in which the OSD came up.
    pub up_from: u32,
    pub seq: u64,
    pub num_pgs: u32,
    /// How many OSDs are in the sum.
    pub num_osds: u32,
    /// How many of them account for each pool's bytes.
    pub num_per_pool_osds: u32,
    pub num_per_pool_omap_osds: u32,
    pub hb_pingtime: BTreeMap<i32, HbInterfaces>,
}

impl Encode for OsdStat {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(14, 2, |w| {
            w.i64(self.statfs.kb());
            w.i64(self.statfs.kb_used_raw());
            w.i64(self.statfs.kb_avail());
            w.i32(self.snap_trim_queue_len);
            w.i32(self.num_snap_trimming);
            w.value(&self.hb_peers, features);
            // Peers outside the heartbeat set, gone since Luminous.
            w.u32(0);
            w.value(&self.op_queue_age_hist, features);
            w.value(&self.os_perf_stat, features);
            w.u32(self.up_from);
            w.u64(self.seq);
            w.u32(self.num_pgs);
            w.i64(self.statfs.kb_used_data());
            w.i64(self.statfs.kb_used_omap());
            w.i64(self.statfs.kb_used_meta());
            w.value(&self.statfs, features);
            w.value(&self.os_alerts, features);
            w.u64(self.num_shards_repaired);
            w.u32(self.num_osds);
            w.u32(self.num_per_pool_osds);
            w.u32(self.num_per_pool_omap_osds);
            w.value(&self.hb_pingtime, features);
        });
    }
}
impl Decode for OsdStat {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope_since(14, 14, "osd_stat_t")?;
        let mut stat = OsdStat::default();
        r.skip(3 * 8)?;
        stat.snap_trim_queue_len = r.i32()?;
        stat.num_snap_trimming = r.i32()?;
        stat.hb_peers = r.value()?;
        let _hb_out: Vec<i32> = r.value()?;
        stat.op_queue_age_hist = r.value()?;
        stat.os_perf_stat = r.value()?;
        stat.up_from = r.u32()?;
        stat.seq = r.u64()?;
        stat.num_pgs = r.u32()?;
        r.skip(3 * 8)?;
        stat.statfs = r.value()?;
        stat.os_alerts = r.value()?;
        stat.num_shards_repaired = r.u64()?;
        stat.num_osds = r.u32()?;
        stat.num_per_pool_osds = r.u32()?;
        stat.num_per_pool_omap_osds = r.u32()?;
        stat.hb_pingtime = r.value()?;
        Ok(stat)
    }
}

impl OsdStat {
    /// Adds an OSD's report to a sum.
    pub fn add(&mut self, o: &Self) {
        self.statfs.add(&o.statfs);
        self.snap_trim_queue_len = self.snap_trim_queue_len.wrapping_add(o.snap_trim_queue_len);
        self.num_snap_trimming = self.num_snap_trimming.wrapping_add(o.num_snap_trimming);
        self.num_shards_repaired = self.num_shards_repaired.wrapping_add(o.num_shards_repaired);
        self.op_queue_age_hist.add(&o.op_queue_age_hist);
        self.os_perf_stat.combine(&o.os_perf_stat, u64::wrapping_add);
        self.num_pgs = self.num_pgs.wrapping_add(o.num_pgs);
        self.num_osds = self.num_osds.wrapping_add(o.num_osds);
        self.num_per_pool_osds = self.num_per_pool_osds.wrapping_add(o.num_per_pool_osds);
        self.num_per_pool_omap_osds = self.num_per_pool_omap_osds.wrapping_add(o.num_per_pool_omap_osds);
        for (osd, alerts) in &o.os_alerts {
            let target = self.os_alerts.entry(*osd).or_default();
            for (name, message) in alerts {
                target.entry(name.clone()).or_insert_with(|| message.clone());
            }
        }
    }

    /// Takes an OSD's report, as it was added, out of a sum.
    pub fn sub(&mut self, o: &Self) {
        self.statfs.sub(&o.statfs);
        self.snap_trim_queue_len = self.snap_trim_queue_len.wrapping_sub(o.snap_trim_queue_len);
        self.num_snap_trimming = self.num_snap_trimming.wrapping_sub(o.num_snap_trimming);
        self.num_shards_repaired = self.num_shards_repaired.wrapping_sub(o.num_shards_repaired);
        self.op_queue_age_hist.sub(&o.op_queue_age_hist);
        self.os_perf_stat.combine(&o.os_perf_stat, u64::wrapping_sub);
        self.num_pgs = self.num_pgs.wrapping_sub(o.num_pgs);
        self.num_osds = self.num_osds.wrapping_sub(o.num_osds);
        self.num_per_pool_osds = self.num_per_pool_osds.wrapping_sub(o.num_per_pool_osds);
        self.num_per_pool_omap_osds = self.num_per_pool_omap_osds.wrapping_sub(o.num_per_pool_omap_osds);
        for (osd, alerts) in &o.os_alerts {
            let Some(target) = self.os_alerts.get_mut(osd) else { continue };
            target.retain(|name, _| !alerts.contains_key(name));
            if target.is_empty() {
                self.os_alerts.remove(osd);
            }
        }
    }

    /// `osd_stat_t::dump`; `with_net` adds the heartbeat times.
    pub fn dump(&self, with_net: bool) -> impl Entries {
        Dump(self, with_net)
    }
}

struct Dump<'a>(&'a OsdStat, bool);

impl Entries for Dump<'_> {
    fn entries<M: SerializeMap>(&self, out: &mut M) -> std::result::Result<(), M::Error> {
        let (stat, with_net) = (self.0, self.1);
        let statfs = &stat.statfs;
        let alerts = List(|| {
            stat.os_alerts.iter().flat_map(|(osd, alerts)| {
                alerts.iter().map(move |(name, message)| format!(" osd: {osd} {name}:{message}"))
            })
        });
        out.serialize_entry("up_from", &stat.up_from)?;
        out.serialize_entry("seq", &stat.seq)?;
        out.serialize_entry("num_pgs", &stat.num_pgs)?;
        out.serialize_entry("num_osds", &stat.num_osds)?;
        out.serialize_entry("num_per_pool_osds", &stat.num_per_pool_osds)?;
        out.serialize_entry("num_per_pool_omap_osds", &stat.num_per_pool_omap_osds)?;
        out.serialize_entry("kb", &statfs.kb())?;
        out.serialize_entry("kb_used", &statfs.kb_used_raw())?;
        out.serialize_entry("kb_used_data", &statfs.kb_used_data())?;
        out.serialize_entry("kb_used_omap", &statfs.kb_used_omap())?;
        out.serialize_entry("kb_used_meta", &statfs.kb_used_meta())?;
        out.serialize_entry("kb_avail", &statfs.kb_avail())?;
        out.serialize_entry("statfs", &statfs)?;
        out.serialize_entry("hb_peers", &stat.hb_peers)?;
        out.serialize_entry("snap_trim_queue_len", &stat.snap_trim_queue_len)?;
        out.serialize_entry("num_snap_trimming", &stat.num_snap_trimming)?;
        out.serialize_entry("num_shards_repaired", &stat.num_shards_repaired)?;
        out.serialize_entry("op_queue_age_hist", &stat.op_queue_age_hist)?;
        out.serialize_entry("perf_stat", &stat.os_perf_stat.dump())?;
        out.serialize_entry("alerts", &alerts)?;
        if with_net {
            let times = List(|| stat.hb_pingtime.iter().map(|(osd, times)| times.dump(*osd)));
            out.serialize_entry("network_ping_times", &times)?;
        }
        Ok(())
    }
}

impl HbInterfaces {
    /// An entry of `osd_stat_t::dump_ping_time`.
    #[must_use]
    pub fn dump(&self, osd: i32) -> impl Serialize + use<> {
        let back = interface("back", [self.back_pingtime, self.back_min, self.back_max], self.back_last);
        let has_front = self.front_pingtime.first().is_some_and(|average| *average != 0);
        let times = [self.front_pingtime, self.front_min, self.front_max];
        let front = has_front.then(|| interface("front", times, self.front_last));
        let interfaces = List(move || [Some(back), front].into_iter().flatten());
        let head = Then(("osd", osd), ("last update", ctime(self.last_update)));
        Object(Then(head, ("interfaces", interfaces)))
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

fn interface(
    name: &'static str,
    [average, min, max]: [[u32; 3]; 3],
    last: u32,
) -> impl Serialize + Copy + use<> {
    let three = |[one, five, fifteen]: [u32; 3]| {
        Object(Then(Then(("1min", ms(one)), ("5min", ms(five))), ("15min", ms(fifteen))))
    };
    Object(Then(
        Then(("interface", name), ("average", three(average))),
        Then(Then(("min", three(min)), ("max", three(max))), ("last", ms(last))),
    ))
}

/// C's `ctime` in UTC without the newline: `Mon Nov 23 23:48:45 2026`.
pub fn ctime(secs: u32) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, min, sec) = crate::UTime { sec: secs, nsec: 0 }.civil();
    let weekday = DAYS.get((secs / 86_400 % 7) as usize).copied().unwrap_or_default();
    let month = MONTHS.get(month.saturating_sub(1) as usize).copied().unwrap_or_default();
    format!("{weekday} {month} {day:2} {hour:02}:{min:02}:{sec:02} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_times_and_latencies_read_as_upstream_prints_them() {
        let times = HbInterfaces {
            last_update: 1_795_475_472,
            back_pingtime: [1500, 2, 3],
            back_max: [4, 5, 6000],
            back_last: 7,
            ..HbInterfaces::default()
        };
        let back = r#"{"interface":"back","average":{"1min":1.5,"5min":0.002,"15min":0.003},"min":{"1min":0.0,"5min":0.0,"15min":0.0},"max":{"1min":0.004,"5min":0.005,"15min":6.0},"last":0.007}"#;
        let head = r#"{"osd":4,"last update":"Mon Nov 23 23:11:12 2026","interfaces":["#;
        assert_eq!(serde_json::to_string(&times.dump(4)).unwrap(), format!("{head}{back}]}}"));
        let both = HbInterfaces { front_pingtime: [1, 0, 0], ..times };
        let text = serde_json::to_string(&both.dump(4)).unwrap();
        assert!(text.starts_with(&format!("{head}{back},{{\"interface\":\"front\"")), "{text}");

        let perf = PerfStat { commit_latency_ns: 2_500_000, apply_latency_ns: 0 };
        assert_eq!(
            serde_json::to_string(&perf.dump()).unwrap(),
            r#"{"commit_latency_ms":2.5,"apply_latency_ms":0.0,"commit_latency_ns":2500000,"apply_latency_ns":0}"#
        );
    }
}
