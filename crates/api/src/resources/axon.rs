//! What only Axon has, under a path of its own: the processes of Python modules (`axon module ls` is the same as a command), with
//! the permission of upstream's `GET /api/mgr/module`; and any command to any daemon, for administrators, who may make
//! themselves a key with every capability through upstream's `POST /api/cluster/user` all the same.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Kind, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use axon_core::{Command, Target};
use axon_proto::UTime;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// Where Axon's own operations are.
pub const PATH: &str = "/api/axon/";

pub const RESOURCE: Resource = Resource {
    tag: "Axon",
    doc: "What upstream's dashboard does not have",
    operations: &[
        Operation::get("/api/axon/module", now(modules)).scope(Scope::ConfigOpt).summary(
            "Processes of Python modules: memory, CPU, restarts, last failure, calls in flight, limits",
        ),
        Operation::post("/api/axon/command", later!(command))
            .status(200)
            .administrator()
            .params(&[
                Param::body("command", Kind::Object).required().doc("The command: prefix and arguments"),
                Param::body("target", Kind::Text).default("\"mon\"").doc(
                    "Who is asked, as behind `ceph tell`: mon, mon.a, osd.0, mds.NAME, mds.FS:RANK, pg.1.0, mgr, mgr.x",
                ),
                Param::body("input", Kind::Text).doc("What the command reads, as `ceph -i FILE`"),
                Param::body("timeout", Kind::Int).default("30").doc("Seconds to wait: 1 to 600"),
            ])
            .summary("Any command to a daemon; 400 with the daemon's errno, 503 or 504 where it did not answer"),
    ],
};

/// What a caller may wait for.
const TIMEOUT_SECS: std::ops::RangeInclusive<i64> = 1..=600;

/// `{"outs": text for people, "output": its output}`: as JSON where it is that, else as text.
async fn command(call: Call) -> Answer {
    let target = call.opt_text("target")?.unwrap_or("mon");
    let target: Target = target.parse().map_err(|why| ApiError::bad_parameter(format!("target: {why}")))?;
    let args = call.opt_object("command")?.filter(|args| args.get("prefix").is_some_and(Value::is_string));
    let args =
        args.ok_or_else(|| ApiError::bad_parameter("command: an object with a prefix was expected"))?;
    let secs = call.opt_int("timeout")?.unwrap_or(Command::DEADLINE.as_secs().cast_signed());
    if !TIMEOUT_SECS.contains(&secs) {
        return Err(ApiError::bad_parameter("timeout: 1 to 600 seconds were expected"));
    }
    let command = Command {
        args: args.clone(),
        input: Bytes::copy_from_slice(call.opt_text("input")?.unwrap_or_default().as_bytes()),
        deadline: Duration::from_secs(secs.unsigned_abs()),
    };
    let failed = |e: &_| ApiError::command(e, "axon");
    let answer = call.dash.cluster.command(target, command).await.map_err(|e| failed(&e))?;
    let outs = answer.outs.clone();
    let output = answer.success().map_err(|e| failed(&e))?;
    let text = || Value::from(String::from_utf8_lossy(&output));
    let output = serde_json::from_slice(&output).unwrap_or_else(|_| text());
    Ok(Reply::json(&json!({"outs": outs, "output": output})))
}

fn modules(call: &Call) -> Answer {
    let now = UTime { sec: u32::try_from(call.dash.now()).unwrap_or_default(), nsec: 0 };
    Ok(Reply::json(&call.state.module_processes.json(now)))
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::Bench;
    use axon_core::module_processes::ProcessState;
    use axon_core::{CommandOutput, Target};
    use serde_json::json;

    #[tokio::test]
    async fn a_command_goes_to_its_daemon_and_its_answer_comes_back() {
        let bench = Bench::new(Release::Tentacle)
            .user("operator", &["cluster-manager"])
            .answer("version", |command| {
                assert_eq!((&command.input[..], command.deadline.as_secs()), (&b"a"[..], 7));
                CommandOutput::ok(r#"{"version": "20"}"#)
            })
            .answer("query", |_| CommandOutput::ok("plain"))
            .answer("bad", |_| CommandOutput::failed(22, "no"))
            .unreachable("away", 6)
            .start()
            .await;
        let path = "/api/axon/command";
        let body = json!({"target": "osd.3", "command": {"prefix": "version"}, "input": "a", "timeout": 7});
        let answer = bench.ask("POST", path, body.clone()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["output"]["version"]), (200, &json!("20")));
        assert_eq!(bench.sink.sent.lock().unwrap().last().unwrap().0, Target::Osd(3));
        let answer =
            bench.ask("POST", path, json!({"target": "pg.1.0", "command": {"prefix": "query"}})).await;
        assert_eq!(answer.json(), json!({"outs": "", "output": "plain"}));
        let answer = bench.ask("POST", path, json!({"command": {"prefix": "bad"}})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("22")));
        let answer = bench.ask("POST", path, json!({"target": "mon.b", "command": {"prefix": "away"}})).await;
        assert_eq!(answer.status.as_u16(), 503);
        for wrong in [
            json!({"command": {"format": "json"}}),
            json!({"command": "version"}),
            json!({"target": "osd.x", "command": {"prefix": "version"}}),
            json!({"timeout": 0, "command": {"prefix": "version"}}),
        ] {
            assert_eq!(bench.ask("POST", path, wrong).await.status.as_u16(), 400);
        }
        // Much is not everything.
        assert_eq!(bench.ask_as("operator", "POST", path, body).await.status.as_u16(), 403);
    }

    #[tokio::test]
    async fn processes_are_listed_as_they_were_measured_last() {
        let measured = |state: &mut axon_core::State| {
            state.module_processes.change("volumes", |m| {
                (m.state, m.pid, m.rss_bytes) = (ProcessState::Running, Some(77), 1 << 26);
            });
        };
        let bench = Bench::new(Release::Reef).state(measured).start().await;
        let answer = bench.get("/api/axon/module").await.json();
        assert_eq!(answer[0]["name"], "volumes");
        assert_eq!((&answer[0]["state"], &answer[0]["rss_bytes"]), (&json!("running"), &json!(1 << 26)));
    }
}
