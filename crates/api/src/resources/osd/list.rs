//! The list of OSDs: the map's entry, statistics, place in the tree, host, counters with rates. One pass over the OSDs
//! of the page; what depends on the map alone is kept per epoch, and the whole list for a second. It is written in one go
//! on a thread of its own when it is long, so that other requests do not wait for it.

use super::OPERATIONAL_STATUS;
use crate::http::operation::Answer;
use crate::http::page::Page;
use crate::http::{ApiError, Call};
use crate::kept::OsdPlaces;
use crate::release::Release;
use axon_core::State;
use axon_core::daemons::DaemonKey;
use axon_core::perf::DaemonPerf;
use axon_proto::json::{Object, Then};
use axon_proto::osd_map::OSDMap;
use http::{HeaderName, HeaderValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Counters that are shown as rates, then those that are shown as they are.
const RATES: [&str; 4] = ["op_w", "op_in_bytes", "op_r", "op_out_bytes"];
const GAUGES: [&str; 3] = ["numpg", "stat_bytes", "stat_bytes_used"];

/// Longer lists are written on a thread where waiting is allowed.
const INLINE_OSDS_MAX: usize = 100;

pub async fn list(call: Call) -> Answer {
    let map = call.state.osd_map.clone();
    let total = map.osds().count();
    let epochs = [u64::from(map.epoch), 0];
    if call.dash.release() < Release::Reef {
        let make = async || written(&call, map.osds().collect()).await;
        return call.recent("", epochs, make).await;
    }
    let page = Page::of(&call, 10)?;
    let variant = format!("{} {} {} {}", page.offset, page.limit, page.sort, page.search);
    let make = async || written(&call, on_page(&page, map.osds().collect())).await;
    let reply = call.recent(&variant, epochs, make).await?;
    Ok(reply.header(HeaderName::from_static("x-total-count"), HeaderValue::from(total)))
}

/// The OSDs of a page, ascending: the order only decides which ones are on it.
fn on_page(page: &Page, mut ids: Vec<i32>) -> Vec<i32> {
    if !page.search.is_empty() {
        ids.retain(|id| page.search_numbers && id.to_string().contains(&page.search));
    }
    if page.descending() {
        ids.reverse();
    }
    let range = page.range(ids.len());
    let mut ids = ids.get(range).map(<[i32]>::to_vec).unwrap_or_default();
    ids.sort_unstable();
    ids
}

async fn written(call: &Call, ids: Vec<i32>) -> Result<Box<RawValue>, ApiError> {
    if ids.len() <= INLINE_OSDS_MAX {
        return write(call, &ids);
    }
    let call = call.clone();
    let work = tokio::task::spawn_blocking(move || write(&call, &ids));
    work.await.map_err(|why| ApiError::internal(format!("the list could not be written: {why}")))?
}

fn write(call: &Call, ids: &[i32]) -> Result<Box<RawValue>, ApiError> {
    let state = &*call.state;
    let epochs = [u64::from(state.osd_map.epoch), 0];
    let places = call.dash.kept.osd_places.at(epochs, || Arc::new(OsdPlaces::of(&state.osd_map)));
    let rows: Vec<Row<'_>> = ids.iter().map(|osd| Row { state, places: &places, osd: *osd }).collect();
    to_raw_value(&rows).map_err(|why| ApiError::internal(format!("the list could not be written: {why}")))
}

/// An OSD as the map has it, with `id`.
pub struct InMap<'a>(&'a OSDMap, i32);

pub fn in_map(map: &OSDMap, osd: i32) -> InMap<'_> {
    InMap(map, osd)
}

impl InMap<'_> {
    fn fields<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        self.0.dump_osd_fields(self.1, out)?;
        out.serialize_entry("id", &self.1)
    }
}

impl Serialize for InMap<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        self.fields(&mut out)?;
        out.end()
    }
}

struct Row<'a> {
    state: &'a State,
    places: &'a OsdPlaces,
    osd: i32,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        in_map(&self.state.osd_map, self.osd).fields(&mut out)?;
        if let Some(stat) = self.state.pg_map.osd_stat.get(&self.osd) {
            out.serialize_entry("osd_stats", &Object(Then(("osd", self.osd), stat.dump(false))))?;
        }
        if let Some(node) = self.places.node(self.osd) {
            out.serialize_entry("tree", &**node)?;
        }
        if let Some(host) = self.places.host(self.osd) {
            out.serialize_entry("host", &**host)?;
        }
        let perf = self.state.perf.daemon(&DaemonKey::new("osd", self.osd.to_string()));
        let counters = Counters::of(perf.map(AsRef::as_ref));
        out.serialize_entry("stats", &counters.stats)?;
        out.serialize_entry("stats_history", &counters.history)?;
        out.serialize_entry("operational_status", OPERATIONAL_STATUS)?;
        out.end()
    }
}

/// What the daemon itself counts; zeros and nothing when it has not reported.
struct Counters {
    stats: Map<String, Value>,
    history: History,
}

struct History([Vec<(f64, f64)>; 4]);

impl Counters {
    fn of(perf: Option<&DaemonPerf>) -> Self {
        let history = RATES.map(|name| perf.map(|p| p.rates(&format!("osd.{name}"))).unwrap_or_default());
        let newest = |rates: &Vec<(f64, f64)>| rates.last().map_or(0.0, |(_, rate)| *rate);
        let rates = RATES.iter().zip(&history).map(|(name, rates)| (*name, Value::from(newest(rates))));
        let gauges = GAUGES.iter().map(|name| {
            let point = perf.and_then(|p| p.latest(&format!("osd.{name}")));
            (*name, Value::from(point.map_or(0, |point| point.value)))
        });
        let stats = rates.chain(gauges).map(|(name, value)| (name.to_owned(), value)).collect();
        Counters { stats, history: History(history) }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(RATES.iter().zip(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_decides_who_is_on_a_page_but_not_their_order() {
        let page = |offset, limit, search: &str, sort: &str| Page {
            offset,
            limit,
            search: search.to_owned(),
            sort: sort.to_owned(),
            search_numbers: true,
        };
        let ids = || vec![0, 1, 2, 5, 11];
        assert_eq!(on_page(&page(0, 2, "", "-id"), ids()), [5, 11]);
        assert_eq!(on_page(&page(1, 2, "", "+id"), ids()), [1, 2]);
        assert_eq!(on_page(&page(0, -1, "1", "-uuid"), ids()), [1, 11]);
        assert_eq!(on_page(&page(9, 2, "", ""), ids()), [0; 0]);
        let before_tentacle = Page { search_numbers: false, ..page(0, -1, "1", "") };
        assert_eq!(on_page(&before_tentacle, ids()), [0; 0]);
    }
}
