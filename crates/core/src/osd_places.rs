//! Where OSDs are in the CRUSH tree, as `ceph osd tree` shows it: each OSD's own line and its host's, found in one pass
//! over the tree (`mgr.get("osd_map_tree")` as `dashboard/controllers/osd.py` reads it).
//!
//! Invariant: an OSD that the tree holds more than once has its last place.

use axon_proto::osd_map::OSDMap;
use serde_json::Value;
use std::collections::HashMap;

/// The tree of one map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OsdPlaces {
    /// The lines of `osd tree`, in its order.
    pub nodes: Vec<Value>,
    /// An OSD's place in `nodes`.
    pub node_of: HashMap<i32, usize>,
    /// The place of the host that holds it.
    pub host_of: HashMap<i32, usize>,
}

impl OsdPlaces {
    /// Walks the tree.
    #[must_use]
    pub fn of(map: &OSDMap) -> Self {
        let tree = serde_json::to_value(map.tree()).unwrap_or_default();
        let nodes = match tree {
            Value::Object(mut tree) => tree.remove("nodes"),
            _ => None,
        };
        let Some(Value::Array(nodes)) = nodes else { return OsdPlaces::default() };
        let (mut node_of, mut host_of) = (HashMap::new(), HashMap::new());
        let id = |value: &Value| value.as_i64().and_then(|id| i32::try_from(id).ok());
        for (at, node) in nodes.iter().enumerate() {
            match node.get("type").and_then(Value::as_str) {
                Some("osd") => {
                    if let Some(osd) = node.get("id").and_then(id) {
                        node_of.insert(osd, at);
                    }
                }
                Some("host") => {
                    let children = node.get("children").and_then(Value::as_array).into_iter().flatten();
                    host_of.extend(children.filter_map(id).filter(|child| *child >= 0).map(|osd| (osd, at)));
                }
                _ => {}
            }
        }
        OsdPlaces { nodes, node_of, host_of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::crush::{Bucket, CrushMap, Weights};
    use axon_proto::osd_map::state;
    use std::sync::Arc;

    fn bucket(id: i32, type_id: u16, items: Vec<i32>) -> Option<Bucket> {
        let weights = Weights::Straw2 { item_weights: vec![0x10000; items.len()] };
        Some(Bucket { id, type_id, weight: 0x10000, items, hash: 0, weights })
    }

    fn map() -> OSDMap {
        let named =
            |names: &[(i32, &str)]| names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
        let mut crush = CrushMap::default();
        crush.buckets =
            vec![bucket(-1, 11, vec![-2, -3]), bucket(-2, 1, vec![0, 1]), bucket(-3, 1, vec![2, 0])];
        crush.max_devices = 4;
        crush.type_map = named(&[(0, "osd"), (1, "host"), (11, "root")]);
        crush.name_map = named(&[(-1, "default"), (-2, "alpha"), (-3, "beta")]);
        OSDMap {
            max_osd: 4,
            osd_state: Arc::new(vec![state::EXISTS; 4]),
            osd_weight: Arc::new(vec![0x10000; 4]),
            crush: Arc::new(crush),
            ..OSDMap::default()
        }
    }

    #[test]
    fn an_osd_has_its_last_place_and_a_stray_none() {
        let places = OsdPlaces::of(&map());
        let host = |osd: i32| places.host_of.get(&osd).map(|at| places.nodes[*at]["name"].as_str().unwrap());
        assert_eq!([host(0), host(1), host(2), host(3)], [Some("beta"), Some("alpha"), Some("beta"), None]);
        assert_eq!(places.nodes[places.node_of[&1]]["name"], "osd.1");
        assert!(!places.node_of.contains_key(&3));
        assert_eq!(places.nodes.len(), 7, "root, two hosts, two OSDs on each");
    }

    #[test]
    fn an_empty_map_has_no_places() {
        assert_eq!(OsdPlaces::of(&OSDMap::default()), OsdPlaces::default());
    }
}
