//! CRUSH rules (`controllers/crush_rule.py`): those of the map at hand; making and removing them is the monitors' work.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource, now};
use crate::http::{ApiError, Call, Operation, Reply};
use crate::kept::OsdPlaces;
use crate::later;
use crate::release::Release;
use axon_core::Command;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const NAME: Param = Param::body("name", Kind::Text).required();
const FAILURE_DOMAIN: Param = Param::body("failure_domain", Kind::Text).required();
const DEVICE_CLASS: Param = Param::body("device_class", Kind::Text);

pub const RESOURCE: Resource = Resource {
    tag: "CrushRule",
    doc: "Crush Rule Management API",
    operations: &[
        Operation::get("/api/crush_rule", now(list)).scope(Scope::Pool).until(Release::Reef).summary(LIST),
        Operation::get("/api/crush_rule", now(list))
            .scope(Scope::Pool)
            .version(2, 0)
            .since(Release::Reef)
            .summary(LIST),
        Operation::get("/api/crush_rule/{name}", now(get)).scope(Scope::Pool).until(Release::Reef),
        Operation::get("/api/crush_rule/{name}", now(get))
            .scope(Scope::Pool)
            .version(2, 0)
            .since(Release::Reef),
        Operation::post("/api/crush_rule", later!(create))
            .scope(Scope::Pool)
            .until(Release::Tentacle)
            .params(&[NAME, Param::body("root", Kind::Text).required(), FAILURE_DOMAIN, DEVICE_CLASS]),
        Operation::post("/api/crush_rule", later!(create))
            .scope(Scope::Pool)
            .since(Release::Tentacle)
            .params(&[
                NAME,
                FAILURE_DOMAIN,
                DEVICE_CLASS,
                Param::body("root", Kind::Text),
                Param::body("profile", Kind::Text),
                Param::body("pool_type", Kind::Text).default("\"replication\""),
            ]),
        Operation::delete("/api/crush_rule/{name}", later!(delete)).scope(Scope::Pool),
    ],
};

const LIST: &str = "List Crush Rule Configuration";

pub const UI: Resource = Resource {
    tag: "CrushRuleUi",
    doc: "Dashboard UI helper function; not part of the public API",
    operations: &[Operation::get("/ui-api/crush_rule/info", now(info))
        .scope(Scope::Pool)
        .summary("Used for crush rule creation modal")],
};

fn list(call: &Call) -> Answer {
    let (map, release) = (&call.state.osd_map, call.state.release);
    call.per_epoch([u64::from(map.epoch), 0], || {
        let rules = map.crush.rules().filter_map(|(id, _)| map.crush.dump_rule(id, release));
        Ok(rules.collect::<Vec<Value>>())
    })
}

fn get(call: &Call) -> Answer {
    let crush = &call.state.osd_map.crush;
    let rule = crush.rule_id(call.path("name")).and_then(|id| crush.dump_rule(id, call.state.release));
    Ok(Reply::json(&rule.ok_or_else(|| ApiError::not_found_path("No such crush rule"))?))
}

async fn create(call: Call) -> Answer {
    let erasure = call.opt_text("pool_type")? == Some("erasure");
    let (prefix, own) = match erasure {
        true => ("osd crush rule create-erasure", "profile"),
        false => ("osd crush rule create-replicated", "root"),
    };
    let mut command = Command::json(prefix).arg("name", call.text("name")?);
    let arguments = [
        (own, call.opt_text(own)?),
        ("type", call.opt_text("failure_domain")?),
        ("class", call.opt_text("device_class")?),
    ];
    for (key, value) in arguments {
        if let Some(value) = value {
            command = command.arg(key, value);
        }
    }
    call.dash.cluster.mon(command).await?;
    Ok(Reply::null())
}

async fn delete(call: Call) -> Answer {
    call.dash.cluster.mon(Command::json("osd crush rule rm").arg("name", call.path("name"))).await?;
    Ok(Reply::default())
}

#[derive(Serialize)]
struct Info<'a> {
    names: Vec<&'a str>,
    nodes: Vec<&'a serde_json::value::RawValue>,
    roots: BTreeSet<i32>,
}

fn info(call: &Call) -> Answer {
    let map = &call.state.osd_map;
    let epochs = [u64::from(map.epoch), 0];
    let places = call.dash.kept.osd_places.at(epochs, || Arc::new(OsdPlaces::of(map)));
    call.per_epoch(epochs, || {
        let names = map.crush.rules().filter_map(|(id, _)| map.crush.rule_name(id)).collect();
        let nodes = places.nodes.iter().map(AsRef::as_ref).collect();
        Ok(Info { names, nodes, roots: map.crush.roots() })
    })
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Bench, Running};
    use axon_core::CommandOutput;
    use axon_proto::crush::{Bucket, CrushMap, Rule, Step, Weights, op};
    use serde_json::{Value, json};
    use std::sync::Arc;

    async fn bench(release: Release) -> Running {
        let mut crush = CrushMap::default();
        let weights = Weights::Straw2 { item_weights: vec![] };
        crush.buckets =
            vec![Some(Bucket { id: -1, type_id: 11, hash: 0, weight: 0, items: vec![], weights })];
        crush.name_map = [(-1, "default".to_owned())].into();
        crush.type_map = [(0, "osd".to_owned()), (11, "root".to_owned())].into();
        let steps = vec![
            Step { op: op::TAKE, arg1: -1, arg2: 0 },
            Step { op: op::CHOOSE_FIRSTN, arg1: 0, arg2: 0 },
            Step { op: op::EMIT, arg1: 0, arg2: 0 },
        ];
        crush.rules = vec![None, Some(Rule { rule_type: 1, min_size: 1, max_size: 10, steps })];
        crush.rule_name_map = [(1, "replicated_rule".to_owned())].into();
        let accept = |_: &_| CommandOutput::ok("");
        Bench::new(release)
            .state(|state| {
                let map = Arc::make_mut(&mut state.osd_map);
                map.epoch = 7;
                map.crush = Arc::new(crush);
            })
            .answer("osd crush rule create-replicated", accept)
            .answer("osd crush rule create-erasure", accept)
            .answer("osd crush rule rm", |_| {
                CommandOutput::failed(16, "crush rule replicated_rule is in use")
            })
            .start()
            .await
    }

    async fn read(bench: &Running, path: &str, version: &str) -> (u16, Value) {
        let answer = bench.send(bench.request("GET", path, version, Some("admin"), None)).await;
        (answer.status.as_u16(), answer.json())
    }

    #[tokio::test]
    async fn rules_are_shown_as_the_release_prints_them() {
        let pacific = bench(Release::Pacific).await;
        let steps = json!([
            {"op": "take", "item": -1, "item_name": "default"},
            {"op": "choose_firstn", "num": 0, "type": "osd"},
            {"op": "emit"},
        ]);
        let mut rule = json!({"rule_id": 1, "rule_name": "replicated_rule", "ruleset": 1, "type": 1,
            "min_size": 1, "max_size": 10, "steps": steps});
        assert_eq!(read(&pacific, "/api/crush_rule", "1.0").await, (200, json!([rule])));
        assert_eq!(read(&pacific, "/api/crush_rule", "2.0").await.0, 415);
        let tentacle = bench(Release::Tentacle).await;
        rule.as_object_mut()
            .unwrap()
            .retain(|key, _| !["ruleset", "min_size", "max_size"].contains(&key.as_str()));
        assert_eq!(read(&tentacle, "/api/crush_rule/replicated_rule", "2.0").await, (200, rule));
        assert_eq!(read(&tentacle, "/api/crush_rule", "1.0").await.0, 415);
        let (status, body) = read(&tentacle, "/api/crush_rule/nope", "2.0").await;
        assert_eq!((status, &body["detail"]), (404, &json!("The path 'No such crush rule' was not found.")));
    }

    #[tokio::test]
    async fn the_form_for_a_new_rule_gets_names_tree_and_roots() {
        let bench = bench(Release::Reef).await;
        let (_, info) = read(&bench, "/ui-api/crush_rule/info", "1.0").await;
        assert_eq!(
            info,
            json!({
                "names": ["replicated_rule"],
                "nodes": [{"id": -1, "name": "default", "type": "root", "type_id": 11, "children": []}],
                "roots": [-1],
            })
        );
    }

    #[tokio::test]
    async fn arguments_that_are_not_given_are_not_sent() {
        let bench = bench(Release::Tentacle).await;
        let bodies = [
            json!({"name": "a", "root": "default", "failure_domain": "osd", "device_class": null}),
            json!({"name": "b", "failure_domain": "host", "pool_type": "erasure", "profile": "p", "root": "default"}),
        ];
        for body in bodies {
            let answer = bench.ask("POST", "/api/crush_rule", body).await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (201, &b"null"[..]));
        }
        let sent = bench.sink.sent.lock().unwrap();
        let args: Vec<Value> = sent.iter().map(|(_, c)| json!(c.args)).collect();
        assert_eq!(
            args,
            [
                json!({"prefix": "osd crush rule create-replicated", "format": "json", "name": "a",
                    "root": "default", "type": "osd"}),
                json!({"prefix": "osd crush rule create-erasure", "format": "json", "name": "b",
                    "profile": "p", "type": "host"}),
            ]
        );
    }

    #[tokio::test]
    async fn before_tentacle_a_root_is_demanded_and_a_refusal_of_the_monitors_is_shown() {
        let bench = bench(Release::Reef).await;
        let body = json!({"name": "a", "failure_domain": "osd"});
        assert_eq!(bench.ask("POST", "/api/crush_rule", body).await.status, 400);
        let refused = bench.ask("DELETE", "/api/crush_rule/replicated_rule", json!({})).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()),
            (
                400,
                json!({"detail": "[errno -16] crush rule replicated_rule is in use",
                    "code": "SendCommandError", "component": null})
            )
        );
    }
}
