//! What only Axon has, under a path of its own: the processes of Python modules (`axon module ls` is the same as a command).
//!
//! Permission is that of upstream's `GET /api/mgr/module`.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use axon_proto::UTime;

/// Where Axon's own operations are.
pub const PATH: &str = "/api/axon/";

pub const RESOURCE: Resource = Resource {
    tag: "Axon",
    doc: "What upstream's dashboard does not have",
    operations: &[Operation::get("/api/axon/module", now(modules)).scope(Scope::ConfigOpt).summary(
        "Processes of Python modules: memory, CPU, restarts, last failure, calls in flight, limits",
    )],
};

fn modules(call: &Call) -> Answer {
    let now = UTime { sec: u32::try_from(call.dash.now()).unwrap_or_default(), nsec: 0 };
    Ok(Reply::json(&call.state.module_processes.json(now)))
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::Bench;
    use axon_core::module_processes::ProcessState;
    use serde_json::json;

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
