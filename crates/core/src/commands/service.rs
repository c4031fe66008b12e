//! The service map and what its daemons say of themselves: `service dump`, `service status`.

use super::request::{Ask, Format};
use super::{Done, Row};
use crate::command::CommandOutput;
use serde_json::{Map, Value, json};

pub(super) const ROWS: &[Row] = &[
    Row::read("service dump", "dump service map", "service", |ask| {
        answer(ask, "service_map", &json!(*ask.state.service_map))
    }),
    Row::read("service status", "dump service state", "service", status),
];

/// Plain text is pretty JSON here.
fn answer(ask: &Ask<'_>, root: &str, body: &Value) -> Done {
    CommandOutput::ok(ask.format().or(Format::JsonPretty).text(root, body)).into()
}

fn status(ask: &Ask<'_>) -> Done {
    let mut out = Map::new();
    for (kind, service) in &ask.state.service_map.services {
        // Daemons that the monitors know are not services.
        if matches!(kind.as_str(), "osd" | "client" | "mon" | "mds" | "mgr") {
            continue;
        }
        let daemons: Map<String, Value> = service
            .daemons
            .keys()
            .filter_map(|name| {
                let daemon = ask.state.daemons.named(kind, name)?;
                let status = json!({
                    "status_stamp": daemon.service_status_stamp,
                    "last_beacon": daemon.last_service_beacon,
                    "status": daemon.service_status,
                });
                Some((name.clone(), status))
            })
            .collect();
        out.insert(kind.clone(), daemons.into());
    }
    answer(ask, "service_status", &out.into())
}
