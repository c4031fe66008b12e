//! Hosts and what runs on them (`controllers/host.py`). Which there are is known from the daemons' metadata.
//!
//! Not here: what only an orchestrator knows or can do (`crate::orchestrator`): adding and removing hosts, labels, inventory,
//! facts. Those operations answer as upstream does on a cluster without one.

use crate::access::scope::{Permission, Scope};
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::page::Page;
use crate::http::{ApiError, Call, Operation, Reply, now, refuse};
use crate::orchestrator;
use crate::release::Release;
use crate::{later, smart};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

const SOURCES: Param = Param::query("sources", Kind::Text).doc("Host Sources");
const FACTS: Param = Param::query("facts", Kind::Bool).default("false").doc("Host Facts");
const LABELS: Param = Param::body("labels", Kind::List).doc("Host Labels");
const REFRESH: Param = Param::query("refresh", Kind::Text).doc("Trigger asynchronous refresh");

pub const RESOURCE: Resource = Resource {
    tag: "Host",
    doc: "Get Host Details",
    operations: &[
        Operation::get("/api/host", now(list_all))
            .scope(Scope::Hosts)
            .version(1, 1)
            .until(Release::Reef)
            .summary("List Host Specifications")
            .params(&[SOURCES, FACTS]),
        Operation::get("/api/host", now(list))
            .scope(Scope::Hosts)
            .version(1, 3)
            .since(Release::Reef)
            .summary("List Host Specifications")
            .params(&[
                SOURCES,
                FACTS,
                Param::query("offset", Kind::Int).default("0"),
                Param::query("limit", Kind::Int).default("5"),
                Param::query("search", Kind::Text).default(r#""""#),
                Param::query("sort", Kind::Text).default(r#""""#),
                Param::query("include_service_instances", Kind::Bool)
                    .default("true")
                    .since(Release::Tentacle)
                    .doc("Include Service Instances"),
            ]),
        Operation::post("/api/host", refuse(orchestrator::unavailable))
            .scope(Scope::Hosts)
            .version(0, 1)
            .task("host/add", 10_000, &[("hostname", "hostname")])
            .params(&[
                Param::body("hostname", Kind::Text).required().doc("Hostname"),
                Param::body("addr", Kind::Text).doc("Network Address"),
                LABELS,
                Param::body("status", Kind::Text).doc("Host Status"),
            ]),
        Operation::get("/api/host/{hostname}", now(get)).scope(Scope::Hosts).until(Release::Reef),
        Operation::get("/api/host/{hostname}", now(get))
            .scope(Scope::Hosts)
            .version(1, 2)
            .since(Release::Reef),
        Operation::put("/api/host/{hostname}", refuse(orchestrator::unavailable))
            .scope(Scope::Hosts)
            .version(0, 1)
            .params(&[
                Param::body("update_labels", Kind::Bool).default("false").doc("Update Labels"),
                LABELS,
                Param::body("maintenance", Kind::Bool).default("false").doc("Enter/Exit Maintenance"),
                Param::body("force", Kind::Bool).default("false").doc("Force Enter Maintenance"),
                Param::body("drain", Kind::Bool).default("false").doc("Drain Host"),
            ]),
        Operation::delete("/api/host/{hostname}", refuse(orchestrator::unavailable))
            .scope(Scope::Hosts)
            .task("host/remove", 10_000, &[("hostname", "hostname")]),
        Operation::get("/api/host/{hostname}/daemons", refuse(orchestrator::unavailable)).scope(Scope::Hosts),
        Operation::get("/api/host/{hostname}/devices", now(devices)).scope(Scope::Hosts),
        Operation::get("/api/host/{hostname}/smart", later!(smart_data)).scope(Scope::Hosts),
        Operation::get("/api/host/{hostname}/inventory", refuse(orchestrator::unavailable))
            .scope(Scope::Hosts)
            .summary("Get inventory of a host")
            .params(&[REFRESH]),
        Operation::post("/api/host/{hostname}/identify_device", refuse(orchestrator::unavailable))
            .may(Scope::Hosts, Permission::Update)
            .status(200)
            .task("host/identify_device", 2000, &[("hostname", "hostname"), ("device", "device")])
            .params(&[
                Param::body("device", Kind::Text).required(),
                Param::body("duration", Kind::Int).required(),
            ]),
    ],
};

pub const UI: Resource = Resource {
    tag: "HostUi",
    doc: "",
    operations: &[
        Operation::get("/ui-api/host/labels", now(labels)).scope(Scope::Hosts),
        Operation::get("/ui-api/host/inventory", refuse(orchestrator::unavailable))
            .scope(Scope::Hosts)
            .params(&[REFRESH]),
        Operation::get("/ui-api/host/list", now(ui_list)).scope(Scope::Hosts).since(Release::Reef),
    ],
};

fn list_all(call: &Call) -> Answer {
    let hosts = if from_ceph(call)? {
        call.state.daemons.servers_json().map(described).collect()
    } else {
        Vec::new()
    };
    check_facts(call)?;
    Ok(Reply::json(&hosts))
}

/// The page is cut from the names, so that only its hosts are looked at.
fn list(call: &Call) -> Answer {
    let instances = call.opt_bool("include_service_instances")?.unwrap_or(true);
    let page = Page::of(call, 5)?;
    let daemons = &call.state.daemons;
    let names = if from_ceph(call)? {
        daemons.servers().map(|(hostname, _)| json!({"hostname": hostname})).collect()
    } else {
        Vec::new()
    };
    let (names, total) = page.apply(names, &["hostname"], &["hostname"]);
    let total = (HeaderName::from_static("x-total-count"), HeaderValue::from(total));
    if let Err(refused) = check_facts(call) {
        return Ok(refused.into_reply().header(total.0, total.1));
    }
    let names = names.iter().filter_map(|name| name["hostname"].as_str());
    let hosts = names.filter_map(|name| daemons.server_json(name)).map(described);
    let hosts: Vec<Value> = hosts.map(|host| if instances { with_instances(host) } else { host }).collect();
    Ok(Reply::json(&hosts).header(total.0, total.1))
}

fn get(call: &Call) -> Answer {
    let host = call.state.daemons.server_json(call.path("hostname")).map(described);
    let host = host.ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(&if call.dash.release() >= Release::Reef { with_instances(host) } else { host }))
}

fn devices(call: &Call) -> Answer {
    let devices = call.state.daemons.devices_of_host(call.path("hostname"));
    Ok(Reply::json(&devices.iter().map(|(devid, device)| device.dump(devid)).collect::<Vec<_>>()))
}

async fn smart_data(call: Call) -> Answer {
    let devices = call.state.daemons.devices_of_host(call.path("hostname"));
    Ok(Reply::json(&smart::data_of(&call, devices).await))
}

/// Labels are an orchestrator's; without one there are none.
fn labels(_: &Call) -> Answer {
    Ok(Reply::json(&Vec::<Value>::new()))
}

fn ui_list(call: &Call) -> Answer {
    Ok(Reply::json(&call.state.daemons.servers_json().map(described).collect::<Vec<_>>()))
}

/// Whether the hosts that Ceph's daemons run on are wanted: `sources` is a list of `ceph` and `orchestrator`.
fn from_ceph(call: &Call) -> Result<bool, ApiError> {
    let sources = call.opt_text("sources")?.unwrap_or("");
    Ok(sources.is_empty() || sources.split(',').any(|source| source == "ceph"))
}

fn check_facts(call: &Call) -> Result<(), ApiError> {
    if !call.opt_bool("facts")?.unwrap_or(false) {
        return Ok(());
    }
    Err(ApiError::dashboard(
        "Please configure and enable the orchestrator if you really want to gather facts from hosts",
        "orchestrator_status_unavailable",
        "orchestrator",
    ))
}

/// With what an orchestrator would say about it.
fn described(mut host: Value) -> Value {
    if let Some(host) = host.as_object_mut() {
        host.insert("addr".to_owned(), "".into());
        host.insert("labels".to_owned(), json!([]));
        host.insert("sources".to_owned(), json!({"ceph": true, "orchestrator": false}));
        host.insert("status".to_owned(), "".into());
    }
    host
}

/// With how many daemons of each type run there.
fn with_instances(mut host: Value) -> Value {
    let mut counts: Map<String, Value> = Map::new();
    for kind in host["services"].as_array().into_iter().flatten().filter_map(|s| s["type"].as_str()) {
        let count = counts.get(kind).and_then(Value::as_u64).unwrap_or(0) + 1;
        counts.insert(kind.to_owned(), count.into());
    }
    let counts: Vec<Value> =
        counts.into_iter().map(|(kind, count)| json!({"type": kind, "count": count})).collect();
    host["service_instances"] = counts.into();
    host
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Answered, Bench, Running};
    use axon_core::daemons::{DaemonKey, DaemonState};
    use axon_core::{CommandOutput, Target};
    use serde_json::json;
    use std::sync::Arc;

    async fn bench(release: Release) -> Running {
        Bench::new(release)
            .state(|state| {
                let daemons = Arc::make_mut(&mut state.daemons);
                let all = [
                    ("mon", "a", "alpha", "sda=D1"),
                    ("osd", "0", "alpha", "sda=D1"),
                    ("osd", "1", "alpha", ""),
                    ("osd", "2", "beta", "sdb=D2"),
                ];
                for (kind, name, host, devices) in all {
                    let metadata = [("hostname", host), ("ceph_version", "v"), ("device_ids", devices)];
                    let metadata = metadata.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                    let daemon = DaemonState::from_metadata(metadata).unwrap();
                    daemons.insert(DaemonKey::new(kind, name), daemon);
                }
            })
            .answer("device query-daemon-health-metrics", |_| CommandOutput::ok(r#"{"D1": {"ok": 1}}"#))
            .start()
            .await
    }

    async fn ask(bench: &Running, path: &str) -> Answered {
        bench.send(bench.request("GET", path, "1.1", Some("admin"), None)).await
    }

    fn names(answer: &Answered) -> Vec<String> {
        let hosts = answer.json();
        hosts.as_array().unwrap().iter().map(|h| h["hostname"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn hosts_come_from_the_daemons_metadata() {
        let bench = bench(Release::Pacific).await;
        let hosts = ask(&bench, "/api/host").await;
        assert_eq!(names(&hosts), ["alpha", "beta"]);
        let expected = json!({
            "hostname": "beta",
            "services": [{"type": "osd", "id": "2", "ceph_version": "v"}],
            "ceph_version": "v",
            "addr": "",
            "labels": [],
            "sources": {"ceph": true, "orchestrator": false},
            "status": "",
        });
        assert_eq!(hosts.json()[1], expected);
        assert_eq!(bench.get("/api/host/beta").await.json(), expected);
        assert_eq!(bench.get("/api/host/gamma").await.status, 404);
        assert!(names(&ask(&bench, "/api/host?sources=orchestrator").await).is_empty());
        let facts = ask(&bench, "/api/host?facts=true").await;
        assert_eq!(
            (facts.status.as_u16(), &facts.json()["code"]),
            (400, &json!("orchestrator_status_unavailable"))
        );
    }

    #[tokio::test]
    async fn since_reef_hosts_come_in_pages_and_count_their_daemons() {
        let bench = bench(Release::Reef).await;
        let page = ask(&bench, "/api/host?limit=1&sort=-hostname").await;
        assert_eq!(
            (names(&page), &page.headers["x-total-count"]),
            (vec!["beta".to_owned()], &"2".parse().unwrap())
        );
        let found = ask(&bench, "/api/host?search=lph").await;
        assert_eq!(
            (names(&found), &found.headers["x-total-count"]),
            (vec!["alpha".to_owned()], &"1".parse().unwrap())
        );
        let instances = json!([{"type": "mon", "count": 1}, {"type": "osd", "count": 2}]);
        assert_eq!(found.json()[0]["service_instances"], instances);
        assert_eq!(ask(&bench, "/api/host/alpha").await.json()["service_instances"], instances);
        assert!(bench.get("/ui-api/host/list").await.json()[0].get("service_instances").is_none());
        let bench = self::bench(Release::Tentacle).await;
        let bare = ask(&bench, "/api/host?include_service_instances=false").await.json();
        assert!(bare[0].get("service_instances").is_none());
    }

    #[tokio::test]
    async fn what_needs_an_orchestrator_is_refused_before_its_parameters_are_judged() {
        let bench = bench(Release::Tentacle).await;
        let refused = |answer: Answered| {
            let expected = json!({
                "detail": "Orchestrator is unavailable",
                "code": "orchestrator_status_unavailable",
                "component": "orchestrator",
            });
            assert_eq!((answer.status.as_u16(), answer.json()), (503, expected));
        };
        let post = bench.request("POST", "/api/host", "0.1", Some("admin"), Some(json!({"what": 1})));
        refused(bench.send(post).await);
        refused(bench.get("/api/host/alpha/daemons").await);
        refused(bench.ask("POST", "/api/host/alpha/identify_device", json!({})).await);
        refused(bench.get("/ui-api/host/inventory").await);
        assert_eq!(bench.get("/ui-api/host/labels").await.json(), json!([]));
    }

    #[tokio::test]
    async fn smart_data_comes_from_the_first_daemon_that_can_tell() {
        let bench = bench(Release::Reef).await;
        let data = bench.get("/api/host/alpha/smart").await.json();
        assert_eq!(data, json!({"D1": {"ok": 1}}));
        // Its OSD is not up, so nobody is asked.
        assert_eq!(bench.get("/api/host/beta/smart").await.json(), json!({}));
        assert_eq!(bench.get("/api/host/beta/devices").await.json()[0]["daemons"], json!(["osd.2"]));
        assert_eq!(bench.get("/api/host/gamma/devices").await.json(), json!([]));
        let sent = bench.sink.sent.lock().unwrap();
        assert!(sent.iter().all(|(target, _)| *target == Target::Mgr));
    }
}
