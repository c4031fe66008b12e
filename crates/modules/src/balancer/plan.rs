//! What shall change: OSD map mappings, weights of the compat weight-set, weights of OSDs; as text, JSON and commands.

use super::mapping::Mapping;
use super::weights;
use crate::Action;
use crate::python::dumps;
use axon_core::Command;
use axon_core::pg_map::PgMap;
use axon_proto::crush::DEFAULT_CHOOSE_ARGS;
use axon_proto::osd_map::{Incremental, OSDMap};
use axon_proto::pg::Pg;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `Plan`, `MsPlan`.
#[derive(Clone)]
pub(super) struct Plan {
    pub name: String,
    pub mode: String,
    /// As it was when the plan was made.
    pub map: Arc<OSDMap>,
    pub pgs: Arc<PgMap>,
    /// Names; none means all.
    pub pools: Vec<String>,
    /// Mappings and OSDs' weights.
    pub inc: Incremental,
    /// By OSD.
    pub compat_ws: BTreeMap<i32, f64>,
}

impl Plan {
    pub fn new(name: String, mode: String, map: Arc<OSDMap>, pgs: Arc<PgMap>, pools: Vec<String>) -> Self {
        let inc = Incremental { fsid: map.fsid, epoch: map.epoch + 1, ..Incremental::default() };
        Plan { name, mode, map, pgs, pools, inc, compat_ws: BTreeMap::new() }
    }

    pub fn initial(&self) -> Mapping {
        Mapping::of(self.map.clone(), self.pgs.clone(), format!("plan {} initial", self.name))
    }

    /// Where everything is once the plan is carried out.
    pub fn final_state(&self, desc: String) -> Mapping {
        let mut map = OSDMap::clone(&self.map);
        if map.apply(&self.inc).is_err() {
            map = OSDMap::clone(&self.map);
        }
        if !self.compat_ws.is_empty() {
            map.crush = Arc::new(weights::with_compat_weights(&map.crush, &self.compat_ws));
        }
        Mapping::of(Arc::new(map), self.pgs.clone(), desc)
    }

    fn makes_weight_set(&self) -> bool {
        !self.compat_ws.is_empty() && !self.map.crush.choose_args.contains_key(&DEFAULT_CHOOSE_ARGS)
    }

    /// As commands to type, below what they start from.
    pub fn show(&self) -> String {
        let mut out = vec![
            format!("# starting osdmap epoch {}", self.map.epoch),
            format!("# starting crush version {}", self.map.crush_version),
            format!("# mode {}", self.mode),
        ];
        if self.makes_weight_set() {
            out.push("ceph osd crush weight-set create-compat".to_owned());
        }
        let inc = &self.inc;
        let compat = self.compat_ws.iter();
        out.extend(compat.map(|(osd, w)| format!("ceph osd crush weight-set reweight-compat {osd} {w:.6}")));
        out.extend(
            inc.new_weight.iter().map(|(osd, w)| format!("ceph osd reweight osd.{osd} {:.6}", fixed(*w))),
        );
        out.extend(inc.old_pg_upmap_items.iter().map(|pg| format!("ceph osd rm-pg-upmap-items {pg}")));
        out.extend(inc.new_pg_upmap_items.iter().map(|(pg, items)| {
            let osds: Vec<String> = items.iter().map(|(from, to)| format!("{from} {to}")).collect();
            format!("ceph osd pg-upmap-items {pg} {}", osds.join(" "))
        }));
        let primaries = inc.new_pg_upmap_primary.iter();
        out.extend(primaries.map(|(pg, osd)| format!("ceph osd pg-upmap-primary {pg} {osd}")));
        out.extend(inc.old_pg_upmap_primary.iter().map(|pg| format!("ceph osd rm-pg-upmap-primary {pg}")));
        out.join("\n")
    }

    /// The parts of `OSDMap::Incremental::dump` that a plan can have changed.
    pub fn dump(&self) -> String {
        let inc = &self.inc;
        let weight = |(osd, w): (&i32, &u32)| json!({"osd": osd, "weight": fixed(*w)});
        let out = json!({
            "epoch": inc.epoch,
            "fsid": inc.fsid,
            "new_weight": inc.new_weight.iter().map(weight).collect::<Vec<_>>(),
            "new_pg_upmap": [],
            "old_pg_upmap": [],
            "new_pg_upmap_items": self.items_added(),
            "old_pg_upmap_items": self.items_removed(),
            "new_pg_upmap_primaries": self.primaries_added(),
            "old_pg_upmap_primaries": self.primaries_removed(),
        });
        dumps(&out, true, 4)
    }

    pub fn items_added(&self) -> Value {
        let pair = |(from, to): &(i32, i32)| json!({"from": from, "to": to});
        let items = self.inc.new_pg_upmap_items.iter();
        items.map(|(pg, pairs)| json!({"pgid": pg.to_string(), "mappings": pairs.iter().map(pair).collect::<Vec<_>>()})).collect()
    }

    pub fn items_removed(&self) -> Value {
        self.inc.old_pg_upmap_items.iter().map(Pg::to_string).collect()
    }

    pub fn primaries_added(&self) -> Value {
        let primaries = self.inc.new_pg_upmap_primary.iter();
        primaries.map(|(pg, osd)| json!({"pgid": pg.to_string(), "primary_osd": osd})).collect()
    }

    pub fn primaries_removed(&self) -> Value {
        self.inc.old_pg_upmap_primary.iter().map(|pg| json!({"pgid": pg.to_string()})).collect()
    }

    /// The commands to the monitors (`execute`).
    pub fn actions(&self) -> Vec<Action> {
        let inc = &self.inc;
        let mut out = Vec::new();
        if self.makes_weight_set() {
            out.push(Command::json("osd crush weight-set create-compat"));
        }
        out.extend(self.compat_ws.iter().map(|(osd, weight)| {
            let command = Command::json("osd crush weight-set reweight-compat");
            command.arg("item", format!("osd.{osd}")).arg("weight", json!([weight]))
        }));
        if !inc.new_weight.is_empty() {
            let weights: BTreeMap<_, _> =
                inc.new_weight.iter().map(|(osd, weight)| (osd.to_string(), weight.to_string())).collect();
            out.push(Command::json("osd reweightn").arg("weights", json!(weights).to_string()));
        }
        let of_pg = |prefix: &str, pg: &Pg| Command::json(prefix).arg("pgid", pg.to_string());
        out.extend(inc.new_pg_upmap_items.iter().map(|(pg, items)| {
            let osds: Vec<i32> = items.iter().flat_map(|(from, to)| [*from, *to]).collect();
            of_pg("osd pg-upmap-items", pg).arg("id", osds)
        }));
        out.extend(inc.old_pg_upmap_items.iter().map(|pg| of_pg("osd rm-pg-upmap-items", pg)));
        let primaries = inc.new_pg_upmap_primary.iter();
        out.extend(primaries.map(|(pg, osd)| of_pg("osd pg-upmap-primary", pg).arg("id", *osd)));
        out.extend(inc.old_pg_upmap_primary.iter().map(|pg| of_pg("osd rm-pg-upmap-primary", pg)));
        out.into_iter().map(|command| Action::Mon(Box::new(command))).collect()
    }
}

/// 16.16 fixed point.
fn fixed(weight: u32) -> f64 {
    f64::from(weight) / 65_536.0
}
