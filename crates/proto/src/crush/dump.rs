//! `CrushWrapper::dump` (`ceph osd crush dump`) and `dump_rule` (`ceph osd crush rule dump`).

use super::{CrushMap, Rule, Step, op};
use crate::release::{Dump, Release};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::json;

/// 16.16 fixed point as a number.
pub(super) fn float(weight: u32) -> f32 {
    weight as f32 / 65536.0
}

impl Dump for CrushMap {
    fn dump<S: Serializer>(&self, release: Release, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        let devices: Vec<_> = (0..self.max_devices).map(|id| self.device(id)).collect();
        out.serialize_entry("devices", &devices)?;
        out.serialize_entry("types", &self.types())?;
        out.serialize_entry("buckets", &Buckets(self))?;
        out.serialize_entry("rules", &Rules(self, release))?;
        out.serialize_entry("tunables", &self.tunables_json(release))?;
        out.serialize_entry("choose_args", &self.choose_args_json())?;
        out.end()
    }
}

impl CrushMap {
    fn device(&self, id: i32) -> serde_json::Value {
        let name = self.item_name(id).map_or_else(|| format!("device{id}"), str::to_owned);
        match self.item_class(id) {
            Some(class) => json!({"id": id, "name": name, "class": class}),
            None => json!({"id": id, "name": name}),
        }
    }

    fn types(&self) -> Vec<serde_json::Value> {
        let mut list = Vec::new();
        if !self.type_map.is_empty() && !self.type_map.contains_key(&0) {
            list.push(json!({"type_id": 0, "name": "device"}));
        }
        list.extend(self.type_map.iter().map(|(id, name)| json!({"type_id": id, "name": name})));
        list
    }

    fn tunables_json(&self, release: Release) -> serde_json::Value {
        let t = &self.tunables;
        let mut out = serde_json::Map::new();
        let mut put = |key: &str, value: serde_json::Value| out.insert(key.to_owned(), value);
        put("choose_local_tries", t.choose_local_tries.into());
        put("choose_local_fallback_tries", t.choose_local_fallback_tries.into());
        put("choose_total_tries", t.choose_total_tries.into());
        put("chooseleaf_descend_once", t.chooseleaf_descend_once.into());
        put("chooseleaf_vary_r", t.chooseleaf_vary_r.into());
        put("chooseleaf_stable", t.chooseleaf_stable.into());
        if release >= Release::Squid {
            put("msr_descents", t.msr_descents.into());
            put("msr_collision_tries", t.msr_collision_tries.into());
        }
        put("straw_calc_version", t.straw_calc_version.into());
        put("allowed_bucket_algs", t.allowed_bucket_algs.into());
        let profile = t.profile();
        put("profile", profile.into());
        put("optimal_tunables", i32::from(profile == "jewel").into());
        put("legacy_tunables", i32::from(profile == "argonaut").into());
        put("minimum_required_version", self.min_required_version().into());
        for (key, value) in [
            ("require_feature_tunables", t.needs_feature_1()),
            ("require_feature_tunables2", t.needs_feature_2()),
            ("has_v2_rules", self.has_v2_rules()),
            ("require_feature_tunables3", t.needs_feature_3()),
            ("has_v3_rules", self.has_v3_rules()),
            ("has_v4_buckets", self.has_v4_buckets()),
            ("require_feature_tunables5", t.needs_feature_5()),
            ("has_v5_rules", self.has_v5_rules()),
        ] {
            put(key, i32::from(value).into());
        }
        if release >= Release::Squid {
            put("has_msr_rules", i32::from(self.has_msr_rules()).into());
        }
        out.into()
    }

    fn choose_args_json(&self) -> serde_json::Value {
        let mut out = serde_json::Map::new();
        for (key, args) in &self.choose_args {
            let of_bucket = |(slot, arg): (&u32, &super::ChooseArg)| {
                let mut o = serde_json::Map::new();
                o.insert("bucket_id".to_owned(), (-1 - i64::from(*slot)).into());
                if !arg.weight_set.is_empty() {
                    let floats = |w: &Vec<u32>| w.iter().map(|w| f64::from(float(*w))).collect::<Vec<_>>();
                    let sets: Vec<_> = arg.weight_set.iter().map(floats).collect();
                    o.insert("weight_set".to_owned(), json!(sets));
                }
                if !arg.ids.is_empty() {
                    o.insert("ids".to_owned(), json!(arg.ids));
                }
                serde_json::Value::from(o)
            };
            out.insert(key.to_string(), args.iter().map(of_bucket).collect::<Vec<_>>().into());
        }
        out.into()
    }

    /// One rule as `ceph osd crush rule dump NAME` shows it.
    #[must_use]
    pub fn dump_rule(&self, id: i32, release: Release) -> Option<serde_json::Value> {
        self.rule(id).map(|rule| self.rule_json(id, rule, release))
    }

    fn rule_json(&self, id: i32, rule: &Rule, release: Release) -> serde_json::Value {
        let mut out = serde_json::Map::new();
        out.insert("rule_id".to_owned(), id.into());
        if let Some(name) = self.rule_name(id) {
            out.insert("rule_name".to_owned(), name.into());
        }
        if release <= Release::Pacific {
            out.insert("ruleset".to_owned(), id.into());
        }
        out.insert("type".to_owned(), rule.rule_type.into());
        if release <= Release::Pacific {
            out.insert("min_size".to_owned(), rule.min_size.into());
            out.insert("max_size".to_owned(), rule.max_size.into());
        }
        let steps: Vec<_> = rule.steps.iter().map(|s| self.step_json(s)).collect();
        out.insert("steps".to_owned(), steps.into());
        out.into()
    }

    fn step_json(&self, step: &Step) -> serde_json::Value {
        let type_name = || self.type_name(step.arg2).unwrap_or_default();
        let choose = |op: &str| json!({"op": op, "num": step.arg1, "type": type_name()});
        let number = |op: &str| json!({"op": op, "num": step.arg1});
        match step.op {
            op::NOOP => json!({"op": "noop"}),
            op::TAKE => {
                let name = self.item_name(step.arg1).unwrap_or_default();
                json!({"op": "take", "item": step.arg1, "item_name": name})
            }
            op::EMIT => json!({"op": "emit"}),
            op::CHOOSE_FIRSTN => choose("choose_firstn"),
            op::CHOOSE_INDEP => choose("choose_indep"),
            op::CHOOSELEAF_FIRSTN => choose("chooseleaf_firstn"),
            op::CHOOSELEAF_INDEP => choose("chooseleaf_indep"),
            op::CHOOSE_MSR => choose("choosemsr"),
            op::SET_CHOOSE_TRIES => number("set_choose_tries"),
            op::SET_CHOOSELEAF_TRIES => number("set_chooseleaf_tries"),
            op::SET_MSR_DESCENTS => number("set_msr_descents"),
            op::SET_MSR_COLLISION_TRIES => number("set_msr_collision_tries"),
            opcode => json!({"opcode": opcode, "arg1": step.arg1, "arg2": step.arg2}),
        }
    }
}

/// All buckets.
struct Buckets<'a>(&'a CrushMap);

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let map = self.0;
        let mut out = s.serialize_seq(None)?;
        for b in map.buckets() {
            let mut o = serde_json::Map::new();
            o.insert("id".to_owned(), b.id.into());
            if let Some(name) = map.item_name(b.id) {
                o.insert("name".to_owned(), name.into());
            }
            o.insert("type_id".to_owned(), b.type_id.into());
            if let Some(name) = map.type_name(b.type_id.into()) {
                o.insert("type_name".to_owned(), name.into());
            }
            o.insert("weight".to_owned(), b.weight.into());
            o.insert("alg".to_owned(), b.alg().name().into());
            o.insert("hash".to_owned(), if b.hash == 0 { "rjenkins1" } else { "unknown" }.into());
            let item = |(pos, id)| json!({"id": id, "weight": b.item_weight(pos), "pos": pos});
            let items: Vec<_> = b.items.iter().enumerate().map(item).collect();
            o.insert("items".to_owned(), items.into());
            out.serialize_element(&o)?;
        }
        out.end()
    }
}

/// All rules.
struct Rules<'a>(&'a CrushMap, Release);

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.rules().map(|(id, rule)| self.0.rule_json(id, rule, self.1)))
    }
}
