//! Health checks (`src/mon/health_check.h`) and what daemons report for them (`src/mgr/DaemonHealthMetric.h`).
//! `health_check_t` 2 (compat 1), `health_check_map_t` 1, `DaemonHealthMetric` 1.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// `health_status_t`. Unknown values survive; the order is from bad to good, as upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealthStatus(pub u8);

impl HealthStatus {
    pub const ERR: HealthStatus = HealthStatus(0);
    pub const WARN: HealthStatus = HealthStatus(1);
    pub const OK: HealthStatus = HealthStatus(2);
}
impl Encode for HealthStatus {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(self.0);
    }
}
impl Decode for HealthStatus {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.u8().map(HealthStatus)
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            HealthStatus::ERR => "HEALTH_ERR",
            HealthStatus::WARN => "HEALTH_WARN",
            HealthStatus::OK => "HEALTH_OK",
            _ => "HEALTH_???",
        })
    }
}
impl Serialize for HealthStatus {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// `health_check_t`: one check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub severity: HealthStatus,
    pub summary: String,
    pub detail: Vec<String>,
    /// Of what the check is about, for muting: a mute ends when it grows.
    pub count: i64,
}

impl Encode for HealthCheck {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(2, 1, |w| {
            w.value(&self.severity, features);
            w.string(&self.summary);
            w.value(&self.detail, features);
            w.i64(self.count);
        });
    }
}
impl Decode for HealthCheck {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(1, 2, "health_check_t")?;
        Ok(HealthCheck {
            severity: r.value()?,
            summary: r.value()?,
            detail: r.value()?,
            count: if version >= 2 { r.i64()? } else { 0 },
        })
    }
}

/// `health_check_t::dump` with details.
impl Serialize for HealthCheck {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Summary<'a> {
            message: &'a str,
            count: i64,
        }
        #[derive(Serialize)]
        struct Detail<'a> {
            message: &'a str,
        }
        let mut out = s.serialize_struct("health_check_t", 3)?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("summary", &Summary { message: &self.summary, count: self.count })?;
        let detail: Vec<_> = self.detail.iter().map(|message| Detail { message }).collect();
        out.serialize_field("detail", &detail)?;
        out.end()
    }
}

/// `health_check_map_t`: checks by code (`PG_DEGRADED`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HealthCheckMap {
    pub checks: BTreeMap<String, HealthCheck>,
}
denc_struct!(health_check_map_t, 1, 1; HealthCheckMap { checks });

impl HealthCheckMap {
    /// Adds a check and gives it, to fill in its detail. One of that code that is there is replaced.
    pub fn add(
        &mut self,
        code: &str,
        severity: HealthStatus,
        summary: impl Into<String>,
        count: i64,
    ) -> &mut HealthCheck {
        let check = HealthCheck { severity, summary: summary.into(), detail: Vec::new(), count };
        let place = self.checks.entry(code.to_owned()).or_insert_with(|| check.clone());
        *place = check;
        place
    }

    /// Joins another source's checks: details of the same code behind each other, counts added.
    pub fn merge(&mut self, other: HealthCheckMap) {
        for (code, check) in other.checks {
            match self.checks.get_mut(&code) {
                Some(mine) => {
                    mine.detail.extend(check.detail);
                    mine.count = mine.count.saturating_add(check.count);
                }
                None => {
                    self.checks.insert(code, check);
                }
            }
        }
    }
}

/// `daemon_metric`: what a daemon counts about itself. Unknown values survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaemonMetric(pub u8);

impl DaemonMetric {
    /// Number of slow requests and the oldest one's age in milliseconds.
    pub const SLOW_OPS: DaemonMetric = DaemonMetric(0);
    pub const PENDING_CREATING_PGS: DaemonMetric = DaemonMetric(1);
    pub const NONE: DaemonMetric = DaemonMetric(2);

    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DaemonMetric::SLOW_OPS => "SLOW_OPS",
            DaemonMetric::PENDING_CREATING_PGS => "PENDING_CREATING_PGS",
            DaemonMetric::NONE => "NONE",
            _ => "???",
        }
    }
}
impl Encode for DaemonMetric {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.u8(self.0);
    }
}
impl Decode for DaemonMetric {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        r.u8().map(DaemonMetric)
    }
}

/// `DaemonHealthMetric`: a metric and its two 32-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaemonHealthMetric {
    pub metric: DaemonMetric,
    pub n1: u32,
    pub n2: u32,
}
denc_struct!(DaemonHealthMetric, 1, 1; DaemonHealthMetric { metric, n1, n2 });

/// `DaemonHealthMetric::dump`: the numbers as one of 64 bits, too.
impl Serialize for DaemonHealthMetric {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("DaemonHealthMetric", 4)?;
        out.serialize_field("type", self.metric.name())?;
        out.serialize_field("n", &(u64::from(self.n1) | u64::from(self.n2) << 32))?;
        out.serialize_field("n1", &self.n1)?;
        out.serialize_field("n2", &self.n2)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_upstreams() {
        let mut checks = HealthCheckMap::default();
        checks.add("SLOW_OPS", HealthStatus::WARN, "1 slow op", 1).detail.push("osd.0".into());
        assert_eq!(
            serde_json::to_string(&checks).unwrap(),
            r#"{"SLOW_OPS":{"severity":"HEALTH_WARN","summary":{"message":"1 slow op","count":1},"detail":[{"message":"osd.0"}]}}"#
        );
        let metric = DaemonHealthMetric { metric: DaemonMetric(77), n1: 5, n2: 3 };
        assert_eq!(
            serde_json::to_string(&metric).unwrap(),
            r#"{"type":"???","n":12884901893,"n1":5,"n2":3}"#
        );
    }

    #[test]
    fn checks_of_one_code_from_two_sources_become_one() {
        let mut a = HealthCheckMap::default();
        a.add("SLOW_OPS", HealthStatus::WARN, "1 slow ops", 1).detail.push("osd.0".to_owned());
        let mut b = HealthCheckMap::default();
        b.add("SLOW_OPS", HealthStatus::WARN, "2 slow ops", 2).detail.push("mon.a".to_owned());
        b.add("PG_DEGRADED", HealthStatus::WARN, "x", 3);
        a.merge(b);
        let slow = &a.checks["SLOW_OPS"];
        assert_eq!((slow.count, slow.detail.as_slice()), (3, &["osd.0".to_owned(), "mon.a".to_owned()][..]));
        assert_eq!(a.checks.len(), 2);
    }

    #[test]
    fn a_check_of_version_1_has_no_count() {
        let check = HealthCheck {
            severity: HealthStatus::WARN,
            summary: "s".to_owned(),
            detail: vec!["d".to_owned()],
            count: 0,
        };
        let mut w = Writer::new();
        w.envelope(1, 1, |w| {
            w.u8(1);
            w.string("s");
            w.value(&check.detail, Features::ALL);
        });
        assert_eq!(HealthCheck::from_bytes(w.as_slice()), Ok(check));
    }
}
