//! The cluster's configuration options with what the central configuration says about them
//! (`controllers/cluster_configuration.py`).
//!
//! The schema of all options is an OSD's own (`tell osd.N config help`): it runs the cluster's release, and every daemon of a
//! release has the same table as upstream's manager. Monitors let only those who may do everything ask for theirs, which
//! `profile mgr` may not.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply};
use crate::later;
use crate::release::Release;
use crate::settings::repr;
use axon_core::{Command, CommandError, Target};
use http::StatusCode;
use serde_json::{Value, json};

const NAME: Param = Param::body("name", Kind::Text).required().doc("Config option name");
const VALUE: Param =
    Param::body("value", Kind::List).required().doc("Section and Value of the config option");

pub const RESOURCE: Resource =
    Resource {
        tag: "ClusterConfiguration",
        doc: "Manage Cluster Configurations",
        operations: &[
            Operation::get("/api/cluster_conf", later!(list)).scope(Scope::ConfigOpt),
            Operation::post("/api/cluster_conf", later!(create))
                .scope(Scope::ConfigOpt)
                .summary("Create/Update Cluster Configuration")
                .params(&[
                    NAME,
                    VALUE,
                    Param::body("force_update", Kind::Bool)
                        .since(Release::Reef)
                        .doc("Force update the config option"),
                ]),
            Operation::put("/api/cluster_conf", later!(bulk_set))
                .scope(Scope::ConfigOpt)
                .params(&[Param::body("options", Kind::Object).required()]),
            Operation::get("/api/cluster_conf/filter", later!(filter))
                .scope(Scope::ConfigOpt)
                .summary("Get Cluster Configuration by name")
                .params(&[Param::query("names", Kind::Text).doc("Config option names")]),
            Operation::get("/api/cluster_conf/{name}", later!(get)).scope(Scope::ConfigOpt),
            Operation::delete("/api/cluster_conf/{name}", later!(delete))
                .scope(Scope::ConfigOpt)
                .params(&[Param::query("section", Kind::Text).required()]),
        ],
    };

async fn list(call: Call) -> Answer {
    let mut options = schema(&call).await?;
    options.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    add_values(&call, &mut options).await?;
    Ok(Reply::json(&options))
}

async fn get(call: Call) -> Answer {
    let mut option = [option(&call, call.path("name")).await?.ok_or_else(ApiError::not_found)?];
    add_values(&call, &mut option).await?;
    Ok(Reply::json(&option[0]))
}

async fn filter(call: Call) -> Answer {
    let names = call.opt_text("names")?.unwrap_or("");
    let mut found = Vec::new();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        found.extend(option(&call, name).await?);
    }
    if found.is_empty() {
        let shown = if call.value("names").is_some() { names } else { "None" };
        return Err(ApiError::http(StatusCode::NOT_FOUND, format!("Config options `{shown}` not found")));
    }
    add_values(&call, &mut found).await?;
    Ok(Reply::json(&found))
}

async fn create(call: Call) -> Answer {
    let name = call.text("name")?;
    let entries = call.opt_list("value")?.unwrap_or_default();
    let entries = entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let force = call.opt_bool("force_update")?.unwrap_or(false);
    check_updatable(&call, &[name], force).await?;
    match call.dash.release() {
        Release::Pacific => set_sections(&call, name, &entries).await?,
        _ => set_entries(&call, name, &entries).await?,
    }
    Ok(Reply::null())
}

/// Pacific: every section that is not named loses the option; a `null` anywhere before leaves a section as it is.
async fn set_sections(call: &Call, name: &str, entries: &[(&str, &Value)]) -> Result<(), ApiError> {
    for section in ["global", "mon", "mgr", "osd", "mds", "client"] {
        let decided = entries.iter().find(|(who, value)| value.is_null() || *who == section);
        match decided {
            None => remove(call, section, name).await?,
            Some((_, value)) if value.is_null() => {}
            Some((_, value)) => set(call, section, name, value).await?,
        }
    }
    Ok(())
}

/// Since Reef: just the named sections, and an empty value removes.
async fn set_entries(call: &Call, name: &str, entries: &[(&str, &Value)]) -> Result<(), ApiError> {
    for (section, value) in entries {
        match value {
            Value::Null => remove(call, section, name).await?,
            Value::String(text) if text.is_empty() => remove(call, section, name).await?,
            value => set(call, section, name, value).await?,
        }
    }
    Ok(())
}

async fn bulk_set(call: Call) -> Answer {
    let options = call.opt_object("options")?.cloned().unwrap_or_default();
    let names: Vec<&str> = options.keys().map(String::as_str).collect();
    let entries = options.iter().map(|(name, value)| entry(value).map(|entry| (name, entry)));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    check_updatable(&call, &names, false).await?;
    for (name, (section, value)) in entries {
        set(&call, section, name, value).await?;
    }
    Ok(Reply::null())
}

async fn delete(call: Call) -> Answer {
    remove(&call, call.text("section")?, call.path("name")).await?;
    Ok(Reply::default())
}

async fn set(call: &Call, section: &str, name: &str, value: &Value) -> Result<(), ApiError> {
    let command = Command::json("config set").arg("who", section).arg("name", name);
    call.dash.cluster.mon(command.arg("value", repr(value))).await?;
    Ok(())
}

async fn remove(call: &Call, section: &str, name: &str) -> Result<(), ApiError> {
    call.dash.cluster.mon(Command::json("config rm").arg("who", section).arg("name", name)).await?;
    Ok(())
}

/// `{"section", "value"}` of a request.
fn entry(entry: &Value) -> Result<(&str, &Value), ApiError> {
    let section = entry.get("section").and_then(Value::as_str);
    section
        .zip(entry.get("value"))
        .ok_or_else(|| ApiError::bad_parameter("Every value must be an object with 'section' and 'value'"))
}

/// All of these exist and may change while daemons run, or are forced (`rgw` ones only).
async fn check_updatable(call: &Call, names: &[&str], force: bool) -> Result<(), ApiError> {
    let refused = |detail| {
        Err(ApiError::dashboard(detail, "config_option_not_updatable_at_runtime", "cluster_configuration"))
    };
    let mut fixed = Vec::new();
    for name in names {
        let option = option(call, name).await?.ok_or_else(ApiError::not_found)?;
        if option["can_update_at_runtime"] == json!(true) {
            continue;
        }
        if force && name.contains("rgw") {
            break;
        }
        if force {
            return refused(format!(
                "Only the configuration containing \"rgw\" can be edited at runtime with force_update flag, \
                 hence not able to update \"{name}\""
            ));
        }
        fixed.push(*name);
    }
    if fixed.is_empty() {
        return Ok(());
    }
    refused(format!("Config option {} is/are not updatable at runtime", fixed.join(", ")))
}

/// One option of the schema; module options are not part of it.
async fn option(call: &Call, name: &str) -> Result<Option<Value>, ApiError> {
    if name.contains('/') {
        return Ok(None);
    }
    let command = Command::json("config help").arg("key", name);
    let answer = call.dash.cluster.command(Target::Mon, command).await?;
    match answer.json() {
        Ok(option) => Ok(Some(option).filter(|option| name_of(option) == name)),
        Err(CommandError::Daemon { errno: 2, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every option of the schema.
async fn schema(call: &Call) -> Result<Vec<Value>, ApiError> {
    let mut answer = ask_a_daemon(call, Command::json("config help")).await?;
    let Some(Value::Array(mut options)) = answer.get_mut("options").map(Value::take) else {
        return Err(CommandError::BadOutput("config help has no options".to_owned()).into());
    };
    let debug = call.dash.debug_options.get_or_try_init(|| debug_options(call, &options)).await?;
    options.extend(debug.iter().cloned());
    Ok(options)
}

/// The options that every daemon makes for its logging subsystems: `config help` finds them by name but does not list
/// them. Their names are among the running values.
async fn debug_options(call: &Call, listed: &[Value]) -> Result<Vec<Value>, ApiError> {
    let values = ask_a_daemon(call, Command::json("config show")).await?;
    let names = values.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let unlisted =
        names.filter(|name| name.starts_with("debug_") && !listed.iter().any(|o| name_of(o) == *name));
    let options = futures::future::try_join_all(unlisted.map(|name| option(call, name))).await?;
    Ok(options.into_iter().flatten().collect())
}

/// The first OSD that is up; where there is none a monitor, for managers whose key may do everything.
async fn ask_a_daemon(call: &Call, command: Command) -> Result<Value, ApiError> {
    let osds = &call.state.osd_map;
    let target = match (0..osds.max_osd).find(|id| osds.is_up(*id)) {
        Some(osd) => Target::Osd(osd),
        None => Target::MonNamed(call.state.mon_map.mon_info.keys().next().cloned().unwrap_or_default()),
    };
    Ok(call.dash.cluster.command(target, command).await?.json()?)
}

/// Adds what `config dump` says, and the cluster's id.
async fn add_values(call: &Call, options: &mut [Value]) -> Result<(), ApiError> {
    let dump: Value = call.dash.cluster.command(Target::Mon, Command::json("config dump")).await?.json()?;
    let fsid = json!({"name": "fsid", "section": "mgr", "value": call.state.fsid.to_string()});
    let entries = dump.as_array().map(Vec::as_slice).unwrap_or_default();
    for entry in entries.iter().chain([&fsid]) {
        let Some(option) = options.iter_mut().find(|option| option["name"] == entry["name"]) else {
            continue;
        };
        if option.get("value").is_none() {
            option["value"] = json!([]);
            option["source"] = json!("mon");
        }
        if let Some(values) = option["value"].as_array_mut() {
            values.push(json!({"section": entry["section"], "value": entry["value"]}));
        }
    }
    Ok(())
}

fn name_of(option: &Value) -> &str {
    option.get("name").and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::{Bench, Running};
    use axon_core::{Command, CommandOutput};
    use serde_json::{Value, json};

    async fn bench(release: Release) -> Running {
        let option = |name: &str, runtime: bool| json!({"name": name, "can_update_at_runtime": runtime});
        let options =
            [option("osd_b", true), option("osd_a", true), option("fixed", false), option("rgw_x", false)];
        let listed = options.clone();
        let help = move |command: &Command| match command.args.get("key").and_then(Value::as_str) {
            None => CommandOutput::ok(json!({"options": listed}).to_string()),
            Some("debug_osd") => CommandOutput::ok(json!({"name": "debug_osd"}).to_string()),
            Some(key) => match options.iter().find(|o| o["name"] == key) {
                Some(option) => CommandOutput::ok(option.to_string()),
                None => CommandOutput::failed(2, "no such option"),
            },
        };
        let dump = json!([{"name": "osd_a", "section": "osd", "value": "7"}, {"name": "gone", "section": "mon", "value": "1"}]);
        let accept = |_: &Command| CommandOutput::ok("");
        Bench::new(release)
            .answer("config help", help)
            .answer("config show", |_| CommandOutput::ok(r#"{"osd_a": "7", "debug_osd": "1/5"}"#))
            .answer("config dump", move |_| CommandOutput::ok(dump.to_string()))
            .answer("config set", accept)
            .answer("config rm", accept)
            .start()
            .await
    }

    fn writes(bench: &Running) -> Vec<String> {
        let sent = bench.sink.sent.lock().unwrap();
        let text = |c: &Command, key: &str| c.args.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let writes = sent.iter().filter(|(_, c)| matches!(c.prefix(), "config set" | "config rm"));
        writes.map(|(_, c)| format!("{} {} {}", c.prefix(), text(c, "who"), text(c, "value"))).collect()
    }

    #[tokio::test]
    async fn options_come_sorted_with_the_values_that_are_set() {
        let bench = bench(Release::Reef).await;
        let list = bench.get("/api/cluster_conf").await.json();
        let names: Vec<_> = list.as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["debug_osd", "fixed", "osd_a", "osd_b", "rgw_x"]);
        let one = bench.get("/api/cluster_conf/osd_a").await.json();
        assert_eq!(
            (&one["value"], &one["source"]),
            (&json!([{"section": "osd", "value": "7"}]), &json!("mon"))
        );
        assert_eq!(bench.get("/api/cluster_conf/nope").await.status, 404);
        let filtered = bench.get("/api/cluster_conf/filter?names=nope,osd_b").await.json();
        assert_eq!(filtered, json!([{"name": "osd_b", "can_update_at_runtime": true}]));
        let nothing = bench.get("/api/cluster_conf/filter?names=nope").await;
        assert_eq!(
            (nothing.status.as_u16(), &nothing.json()["detail"]),
            (404, &json!("Config options `nope` not found"))
        );
    }

    #[tokio::test]
    async fn pacific_clears_the_sections_that_are_not_named_and_reef_does_not() {
        let body = json!({"name": "osd_a", "value": [{"section": "osd", "value": 3}, {"section": "mon", "value": ""}]});
        let pacific = bench(Release::Pacific).await;
        assert_eq!(pacific.ask("POST", "/api/cluster_conf", body.clone()).await.status, 201);
        assert_eq!(
            writes(&pacific),
            [
                "config rm global -",
                "config set mon ",
                "config rm mgr -",
                "config set osd 3",
                "config rm mds -",
                "config rm client -"
            ]
        );
        let reef = bench(Release::Reef).await;
        reef.ask("POST", "/api/cluster_conf", body).await;
        assert_eq!(writes(&reef), ["config set osd 3", "config rm mon -"]);
    }

    #[tokio::test]
    async fn options_that_need_a_restart_are_refused() {
        let bench = bench(Release::Tentacle).await;
        let value = json!([{"section": "osd", "value": "1"}]);
        let post = async |name: &str, force: bool| {
            let body = json!({"name": name, "value": value.clone(), "force_update": force});
            bench.ask("POST", "/api/cluster_conf", body).await
        };
        let refused = post("fixed", false).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["code"], "config_option_not_updatable_at_runtime");
        assert_eq!(post("fixed", true).await.status, 400);
        assert_eq!(post("rgw_x", true).await.status, 201);
        let bulk = json!({"options": {"osd_a": {"section": "osd", "value": true}, "fixed": {"section": "osd", "value": 1}}});
        assert_eq!(bench.ask("PUT", "/api/cluster_conf", bulk).await.status, 400);
        assert_eq!(writes(&bench), ["config set osd 1"], "all or nothing");
    }
}
