//! Performance queries of OSDs and MDSs as modules ask for them (`add_osd_perf_query`, `get_mds_perf_counters`, …). The queries
//! themselves: `axon_core::perf_queries`.
//!
//! Invariant: the queries of a process end with it.

use super::arguments::Arguments;
use super::{Answered, Caller, Desk};
use crate::link::Refusal;
use axon_core::Cluster;
use axon_core::perf_queries::{Kind, parse};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

/// How many a module may have.
const QUERIES_MAX: usize = 256;

impl Desk {
    /// The query's number; `None` for one that is none, as upstream.
    pub(super) fn add_query(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let kind = kind(args)?;
        let (query, limit) = match parse(kind, args.value(1)) {
            Ok(parsed) => parsed,
            Err(why) => {
                tracing::warn!(module = %caller.module, %why, "a performance query that is none");
                return Ok(Value::Null.into());
            }
        };
        let mut queries = caller.queries.lock().unwrap_or_else(PoisonError::into_inner);
        if queries.len() >= QUERIES_MAX {
            let why = format!("the module has {QUERIES_MAX} performance queries already");
            return Err(Refusal::new("MemoryError", why));
        }
        let id = self.cluster.perf_queries().add(kind, query, limit);
        queries.insert((kind, id));
        Ok(json!(id).into())
    }

    pub(super) fn remove_query(&self, caller: &Arc<Caller>, args: Arguments<'_>) -> Answered {
        let kind = kind(args)?;
        let known = u64::try_from(args.number(1)?).is_ok_and(|id| {
            caller.queries.lock().unwrap_or_else(PoisonError::into_inner).remove(&(kind, id));
            self.cluster.perf_queries().remove(kind, id)
        });
        if !known {
            tracing::warn!(module = %caller.module, ?kind, id = %args.value(1), "no such performance query");
        }
        Ok(Value::Null.into())
    }

    /// What has come since the last time; `None`: no such query.
    pub(super) fn query_counters(&self, args: Arguments<'_>) -> Answered {
        let kind = kind(args)?;
        let found = u64::try_from(args.number(1)?).ok();
        let found = found.and_then(|id| self.cluster.perf_queries().take_json(kind, id));
        Ok(found.unwrap_or_default().into())
    }
}

impl Caller {
    /// Forgets what a process that has ended asked for.
    pub fn end_queries(&self, cluster: &Cluster) {
        let queries = std::mem::take(&mut *self.queries.lock().unwrap_or_else(PoisonError::into_inner));
        for (kind, id) in queries {
            cluster.perf_queries().remove(kind, id);
        }
    }
}

fn kind(args: Arguments<'_>) -> Result<Kind, Refusal> {
    match args.text(0)? {
        "osd" => Ok(Kind::Osd),
        "mds" => Ok(Kind::Mds),
        other => Err(Refusal::new("ValueError", format!("no performance queries of {other}"))),
    }
}
