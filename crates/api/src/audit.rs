//! The audit line of every request that may change something, when `AUDIT_API_ENABLED` is set. Upstream: `tools.py`
//! `RequestLoggingTool`.
//!
//! Invariants: written before the request is judged; values whose name speaks of a secret are never written.

use crate::auth::Caller;
use crate::dashboard::Dashboard;
use crate::http::operation::Operation;
use serde_json::{Map, Value};
use std::net::SocketAddr;

/// `input` is what a command reads in place of a file: passwords and keys mostly.
const SECRETS: [&str; 4] = ["password", "passwd", "secret", "input"];

/// Writes the line to the cluster log, channel `audit`.
pub fn record(
    dash: &Dashboard,
    op: &Operation,
    args: &[(String, Value)],
    path: &[String],
    caller: Option<&Caller>,
    peer: Option<SocketAddr>,
) {
    let settings = dash.settings();
    if !settings.is("AUDIT_API_ENABLED") {
        return;
    }
    let params = settings.is("AUDIT_API_LOG_PAYLOAD").then(|| params(op, args, path));
    let scheme = if dash.ssl() { "https" } else { "http" };
    let text = line(op, path, caller.map(|c| c.username.as_str()), scheme, peer, params.as_ref());
    match &dash.setup.cluster_log {
        Some(log) => log.info("audit", text),
        None => tracing::info!(target: "audit", "{text}"),
    }
}

fn line(
    op: &Operation,
    path: &[String],
    user: Option<&str>,
    scheme: &str,
    peer: Option<SocketAddr>,
    params: Option<&Map<String, Value>>,
) -> String {
    let from = peer.map_or_else(|| format!("{scheme}://"), |peer| format!("{scheme}://{peer}"));
    let user = user.unwrap_or("None");
    let (path, method) = (full_path(op, path), op.method.name());
    let mut line = format!("[DASHBOARD] from='{from}' path='{path}' method='{method}' user='{user}'");
    if let Some(params) = params {
        let params = serde_json::to_string(params).unwrap_or_default();
        line.push_str(&format!(" params='{params}'"));
    }
    line
}

fn full_path(op: &Operation, values: &[String]) -> String {
    let mut values = values.iter();
    let segments = op.path.split('/').map(|segment| match segment.starts_with('{') {
        true => values.next().map_or(segment, String::as_str),
        false => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn params(op: &Operation, args: &[(String, Value)], path: &[String]) -> Map<String, Value> {
    let named =
        op.path_params().zip(path).map(|(name, value)| (name.to_owned(), Value::from(value.as_str())));
    let mut params: Map<String, Value> = named.chain(args.iter().cloned()).collect();
    for (name, value) in &mut params {
        hide(name, value);
    }
    params
}

/// Upstream hides by the name of the parameter only; names within it count here too.
fn hide(name: &str, value: &mut Value) {
    if SECRETS.iter().any(|secret| name.contains(secret)) {
        *value = Value::from("***");
        return;
    }
    match value {
        Value::Object(inner) => inner.iter_mut().for_each(|(name, value)| hide(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| hide("", item)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Operation, Reply, now};
    use serde_json::json;

    const ROW: Operation = Operation::put("/api/user/{username}", now(|_| Ok(Reply::null())));

    #[test]
    fn the_line_is_upstreams_and_shows_no_secret() {
        let args = [
            ("new_passwd".to_owned(), json!("x")),
            ("list".to_owned(), json!([{"secret_key": "y", "a": 1}])),
        ];
        let path = ["bob".to_owned()];
        let params = params(&ROW, &args, &path);
        let peer = Some("10.0.0.1:5000".parse().unwrap());
        assert_eq!(
            line(&ROW, &path, Some("admin"), "https", peer, Some(&params)),
            "[DASHBOARD] from='https://10.0.0.1:5000' path='/api/user/bob' method='PUT' user='admin' \
             params='{\"username\":\"bob\",\"new_passwd\":\"***\",\"list\":[{\"secret_key\":\"***\",\"a\":1}]}'"
        );
    }
}
