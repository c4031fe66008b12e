//! What stock Python modules may ask of modules that are native here (`ActivePyModules::dispatch_remote`): the methods that the
//! stock modules of 16.2 to 20.2 call on them, answered by the module's own commands.
//!
//! Invariants: a module that is not enabled, or has no such method, is refused with upstream's exception; an answer comes
//! from the running module, never from here. Not here: calls between Python modules (`axon-pyhost`).

use crate::native::Operations;
use axon_core::{Cluster, Command, CommandOutput, Target};
use axon_modules::{Operation, find, find_command, is_enabled};
use axon_pyhost::Refusal;
use serde_json::{Map, Value, json};

type Answered = Result<Value, Refusal>;

/// Runs a method of a native module.
pub async fn call(
    cluster: &Cluster,
    operations: &Operations,
    module: &str,
    method: &str,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Answered {
    if !find(module).is_some_and(|_| is_enabled(module, &cluster.state())) {
        return Err(Refusal::new("ImportError", "Module not found"));
    }
    let argument = |at: usize, name: &str| args.get(at).or_else(|| kwargs.get(name)).unwrap_or(&Value::Null);
    match (module, method) {
        ("crash", "ls") => triple(cluster, Command::plain("crash ls")).await,
        ("crash", "do_info") => {
            triple(cluster, Command::plain("crash info").arg("id", field(argument(0, "id"), "id"))).await
        }
        ("crash", "do_json_report") => {
            let hours = field(argument(0, "hours"), "hours");
            triple(cluster, Command::plain("crash json_report").arg("hours", hours)).await
        }
        // 16.2: input and command.
        ("crash", "handle_command") => {
            let args = argument(1, "command").as_object().cloned().unwrap_or_default();
            let prefix = args.get("prefix").and_then(Value::as_str).unwrap_or_default();
            // Upstream takes the first of its commands that begins so; insights asks for its own prefix and some hours.
            let prefix = if prefix.starts_with("crash ") { prefix } else { "crash json_report" };
            let mut command = Command::plain(prefix);
            command
                .args
                .extend(args.iter().filter(|(k, _)| *k != "prefix").map(|(k, v)| (k.clone(), v.clone())));
            triple(cluster, command).await
        }
        ("balancer", "gather_telemetry") => {
            let status = document(cluster, "balancer status").await?;
            let part = |key: &str| status.get(key).cloned().unwrap_or_default();
            Ok(json!({"active": part("active"), "mode": part("mode")}))
        }
        ("progress", "update" | "complete" | "fail") => {
            operations.tell(cluster, operation(method, args, kwargs)?).await;
            Ok(Value::Null)
        }
        ("progress", "_json") => document(cluster, "progress json").await,
        (_, "self_test") => self_test(cluster, module).await,
        _ => Err(Refusal::new("NameError", "Method not found")),
    }
}

/// An event that a module gives to `progress`.
fn operation(method: &str, args: &[Value], kwargs: &Map<String, Value>) -> Result<Operation, Refusal> {
    let value = |at: usize, name: &str| args.get(at).or_else(|| kwargs.get(name));
    let text = |at: usize, name: &str| value(at, name).and_then(Value::as_str).map(str::to_owned);
    let id = text(0, "ev_id").ok_or_else(|| Refusal::new("TypeError", "ev_id must be str"))?;
    Ok(match method {
        "complete" => Operation::Complete { id },
        "fail" => Operation::Fail { id, why: value(1, "message").cloned().unwrap_or_default() },
        _ => Operation::Update {
            id,
            message: text(1, "ev_msg").unwrap_or_default(),
            progress: value(2, "ev_progress").and_then(Value::as_f64).unwrap_or_default(),
            refs: value(3, "refs").filter(|refs| !refs.is_null()).cloned().unwrap_or_else(|| json!([])),
            add_to_ceph_s: value(4, "add_to_ceph_s").and_then(Value::as_bool).unwrap_or_default(),
        },
    })
}

/// Every command of the module that only reads and needs no argument must run.
async fn self_test(cluster: &Cluster, module: &str) -> Answered {
    let release = cluster.state().release;
    let known = |prefix: &str| find_command(prefix, release).is_some();
    let rows = find(module).map(|module| module.commands).unwrap_or_default();
    let plain =
        |cmdstring: &str| cmdstring.split_whitespace().all(|w| !w.contains('=') || w.contains("req=False"));
    for row in rows.iter().filter(|row| row.perm == "r" && plain(row.cmdstring) && known(row.prefix())) {
        let out = run(cluster, Command::plain(row.prefix())).await?;
        if out.retval < 0 {
            return Err(Refusal::new(
                "RuntimeError",
                format!("{}: {} {}", row.prefix(), out.retval, out.outs),
            ));
        }
    }
    Ok(Value::Null)
}

/// What 16.2 hands over inside a command's arguments.
fn field(argument: &Value, name: &str) -> Value {
    argument.get(name).unwrap_or(argument).clone()
}

async fn run(cluster: &Cluster, command: Command) -> Result<CommandOutput, Refusal> {
    let done = cluster.command(Target::Mgr, command).await;
    done.map_err(|why| Refusal::new("RuntimeError", why.to_string()))
}

/// `(retval, out, err)`, as a module's handlers answer.
async fn triple(cluster: &Cluster, command: Command) -> Answered {
    let out = run(cluster, command).await?;
    Ok(json!([out.retval, String::from_utf8_lossy(&out.outbl), out.outs]))
}

async fn document(cluster: &Cluster, prefix: &str) -> Answered {
    let out = run(cluster, Command::plain(prefix)).await?;
    out.json().map_err(|why| Refusal::new("RuntimeError", why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_event_is_read_by_place_and_by_name() {
        let of = |method: &str, args: Value, kwargs: Value| {
            operation(method, args.as_array().unwrap(), kwargs.as_object().unwrap())
        };
        let told =
            of("update", json!(["id", "Flattening", 0.5]), json!({"add_to_ceph_s": true, "refs": null}));
        let Operation::Update { message, progress, refs, add_to_ceph_s, .. } = told.unwrap() else {
            panic!()
        };
        assert_eq!((message.as_str(), progress, refs, add_to_ceph_s), ("Flattening", 0.5, json!([]), true));
        let failed = Operation::Fail { id: "id".into(), why: json!("why") };
        assert_eq!(of("fail", json!(["id"]), json!({"message": "why"})).unwrap(), failed);
        assert_eq!(of("complete", json!([]), json!({})).unwrap_err().kind, "TypeError");
    }

    #[test]
    fn arguments_are_found_as_each_release_hands_them_over() {
        assert_eq!(field(&json!({"id": "a", "prefix": "x"}), "id"), json!("a"));
        assert_eq!(field(&json!("a"), "id"), json!("a"));
        assert_eq!(field(&json!(24), "hours"), json!(24));
    }
}
