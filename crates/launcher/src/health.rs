//! Waiting for a cluster that is well: health OK and every PG active+clean.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::Cluster;

/// What `ceph -s` says, as far as waiting needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `HEALTH_OK`, `HEALTH_WARN` or `HEALTH_ERR`.
    pub status: String,
    /// `(code, summary)` of each check that is not muted.
    pub checks: Vec<(String, String)>,
    pub pgs: u64,
    pub pgs_active_clean: u64,
    /// PGs that the pools in the OSD map have; the manager may not have counted them yet.
    pub pgs_wanted: u64,
}

impl Health {
    /// Nothing but `allowed` codes stands, and the manager reports every PG as active+clean.
    pub fn is_well(&self, allowed: &[&str]) -> bool {
        let quiet = self.checks.iter().all(|(code, _)| allowed.contains(&code.as_str()));
        quiet && self.pgs == self.pgs_wanted && self.pgs == self.pgs_active_clean
    }

    fn of(status: &Value, pools: &Value) -> Health {
        let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |v: Option<&Value>| v.and_then(Value::as_u64).unwrap_or(0);
        let checks = status.pointer("/health/checks").and_then(Value::as_object);
        let states = status.pointer("/pgmap/pgs_by_state").and_then(Value::as_array);
        let clean = states.into_iter().flatten().filter(|s| text(s.get("state_name")) == "active+clean");
        Health {
            status: text(status.pointer("/health/status")),
            checks: checks
                .into_iter()
                .flatten()
                .filter(|(_, check)| check.get("muted").and_then(Value::as_bool) != Some(true))
                .map(|(code, check)| (code.clone(), text(check.pointer("/summary/message"))))
                .collect(),
            pgs: number(status.pointer("/pgmap/num_pgs")),
            pgs_active_clean: clean.map(|s| number(s.get("count"))).sum(),
            pgs_wanted: pools.as_array().into_iter().flatten().map(|p| number(p.get("pg_num"))).sum(),
        }
    }
}

impl Cluster {
    pub fn health(&self) -> Result<Health> {
        let ask = |prefix: &str, detail: Option<&str>| {
            let mut cmd = json!({"prefix": prefix, "format": "json"});
            if let (Some(detail), Value::Object(fields)) = (detail, &mut cmd) {
                fields.insert("detail".into(), detail.into());
            }
            crate::Op::mon(cmd)
        };
        let replies = self.batch_ok(&[ask("status", None), ask("osd pool ls", Some("detail"))], 30)?;
        match replies.as_slice() {
            [status, pools] => Ok(Health::of(&status.json()?, &pools.json()?)),
            _ => bail!("the monitors' answers are incomplete"),
        }
    }

    /// Waits until nothing but the codes in `allowed` stands and all PGs are active+clean.
    pub fn wait_well(&self, allowed: &[&str], at_most: Duration) -> Result<Health> {
        let begun = Instant::now();
        loop {
            let health = self.health()?;
            if health.is_well(allowed) {
                return Ok(health);
            }
            if begun.elapsed() > at_most {
                bail!("the cluster is not well after {} s: {health:?}", at_most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits for `HEALTH_OK` and all PGs active+clean.
    pub fn wait_health_ok(&self, at_most: Duration) -> Result<Health> {
        self.wait_well(&[], at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(clean: u64) -> Health {
        let status = json!({
            "health": {"status": "HEALTH_WARN", "checks": {
                "OSD_DOWN": {"summary": {"message": "1 osds down"}, "muted": false},
                "MUTED": {"summary": {"message": "quiet"}, "muted": true}}},
            "pgmap": {"num_pgs": 8, "pgs_by_state": [
                {"state_name": "active+clean", "count": clean},
                {"state_name": "peering", "count": 8 - clean}]},
        });
        Health::of(&status, &json!([{"pg_num": 8}]))
    }

    #[test]
    fn a_check_that_is_not_allowed_or_a_pg_that_is_not_clean_is_not_well() {
        assert!(!sample(8).is_well(&[]));
        assert!(sample(8).is_well(&["OSD_DOWN"]));
        assert!(!sample(7).is_well(&["OSD_DOWN"]));
    }

    #[test]
    fn pgs_that_no_manager_has_counted_yet_are_not_well() {
        let health = Health::of(&json!({"health": {"status": "HEALTH_OK"}}), &json!([{"pg_num": 8}]));
        assert!(!health.is_well(&[]));
    }
}
