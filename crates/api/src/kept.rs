//! Parts of answers that depend on map epochs only, kept until an epoch changes. Whole answers are kept by
//! `http::epoch_cache`; these are for answers that are put together for each caller, such as health.
//!
//! Invariant: a reader takes no lock and never waits for a writer; each part is kept for one pair of epochs.

use crate::http::epoch_cache::Epochs;
use arc_swap::ArcSwapOption;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::HashMap;
use std::sync::Arc;

/// JSON text that is ready to be put into an answer.
pub type Json = Arc<RawValue>;

/// A value as JSON text.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Json {
    // Map keys are strings and numbers are finite in every part; a `null` would show otherwise.
    to_raw_value(value).map_or_else(|_| Arc::from(RawValue::NULL.to_owned()), Arc::from)
}

/// Where OSDs are in the CRUSH tree, its lines as JSON text ([`axon_core::osd_places`]).
#[derive(Debug)]
pub struct OsdPlaces {
    pub nodes: Vec<Json>,
    node_of: HashMap<i32, usize>,
    host_of: HashMap<i32, usize>,
}

impl OsdPlaces {
    /// Of one map; costs a walk over its tree.
    pub fn of(map: &axon_proto::osd_map::OSDMap) -> Self {
        let places = axon_core::osd_places::OsdPlaces::of(map);
        let nodes = places.nodes.iter().map(json).collect();
        OsdPlaces { nodes, node_of: places.node_of, host_of: places.host_of }
    }

    /// An OSD's own line.
    pub fn node(&self, osd: i32) -> Option<&Json> {
        self.nodes.get(*self.node_of.get(&osd)?)
    }

    /// The line of the host that holds it.
    pub fn host(&self, osd: i32) -> Option<&Json> {
        self.nodes.get(*self.host_of.get(&osd)?)
    }
}

/// One part.
#[derive(Debug)]
pub struct Part<T>(ArcSwapOption<(Epochs, T)>);

impl<T> Default for Part<T> {
    fn default() -> Self {
        Part(ArcSwapOption::empty())
    }
}

impl<T: Clone> Part<T> {
    /// The part for these epochs: the kept one, or what `make` gives.
    pub fn at(&self, epochs: Epochs, make: impl FnOnce() -> T) -> T {
        match self.0.load().as_deref() {
            Some((kept, part)) if *kept == epochs => return part.clone(),
            _ => {}
        }
        let part = make();
        self.0.store(Some(Arc::new((epochs, part.clone()))));
        part
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Kept {
    /// By the OSD map: its dump by key, without what nobody shows.
    pub osd_map: Part<Arc<[(String, Json)]>>,
    pub osds_brief: Part<Json>,
    pub osd_places: Part<Arc<OsdPlaces>>,
    /// By the file systems' map.
    pub fs_map: Part<Json>,
    pub fs_map_brief: Part<Json>,
    /// By the manager map.
    pub mgr_map: Part<Json>,
    pub mgr_map_brief: Part<Json>,
    /// `mgr.get("df")`, by OSD map and PG map.
    pub df: Part<Arc<serde_json::Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_made_once_per_epoch() {
        let part = Part::default();
        assert_eq!(part.at([1, 0], || 7), 7);
        assert_eq!(part.at([1, 0], || 8), 7);
        assert_eq!(part.at([1, 1], || 9), 9);
    }

    #[test]
    fn json_goes_into_an_answer_as_it_is() {
        let part = json(&vec![1.5, 2.0]);
        assert_eq!(
            serde_json::json!({"part": 0}).to_string().replace('0', part.get()),
            r#"{"part":[1.5,2.0]}"#
        );
        assert_eq!(serde_json::to_string(&*part).unwrap(), "[1.5,2.0]");
    }
}
