//! Traces to an OpenTelemetry collector: OTLP over HTTP with JSON (`opentelemetry-proto`, `/v1/traces`), switched on by the
//! variables that OpenTelemetry gives every program: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT`, and
//! `OTEL_SERVICE_NAME`.
//!
//! Invariants: nobody waits for the collector; what it does not take in time is dropped and counted in the log.

use crate::outbound::{self, Ask};
use axon_core::trace::{Hop, Trace};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Traces that may wait, and how many travel together.
const WAITING_MAX: usize = 1024;
const BATCH_MAX: usize = 64;
/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(10);

/// A finished trace and the caller's own, of which it is a part.
pub struct Finished {
    pub trace: Trace,
    pub caller: Option<TraceParent>,
}

/// The header `traceparent` of W3C Trace Context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: String,
    span_id: String,
}

impl TraceParent {
    /// What a request says.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<TraceParent> {
        let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
        let is_hex = |text: &str, len: usize| {
            text.len() == len
                && text.bytes().all(|b| b.is_ascii_hexdigit())
                && text.bytes().any(|b| b != b'0')
        };
        let (_version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
        let (trace_id, span_id) = (trace_id.to_lowercase(), span_id.to_lowercase());
        (is_hex(&trace_id, 32) && is_hex(&span_id, 16)).then_some(TraceParent { trace_id, span_id })
    }
}

/// Takes finished traces; clones feed one exporter.
#[derive(Clone)]
pub struct Telemetry(mpsc::Sender<Finished>);

impl Telemetry {
    /// The exporter that the environment asks for. Needs a runtime then.
    #[must_use]
    pub fn from_env() -> Option<Telemetry> {
        Some(Telemetry::to(endpoint()?))
    }

    /// An exporter to this URL.
    #[must_use]
    pub fn to(url: String) -> Telemetry {
        let (traces, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(export_all(url, waiting));
        Telemetry(traces)
    }

    /// Hands a trace over; it is dropped when the collector is too slow.
    pub fn send(&self, finished: Finished) {
        if self.0.try_send(finished).is_err() {
            tracing::debug!("the trace collector is too slow; a trace is dropped");
        }
    }
}

/// Where traces go, by the environment.
#[must_use]
pub fn endpoint() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| {
        set("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{}/v1/traces", base.trim_end_matches('/')))
    })
}

async fn export_all(url: String, mut waiting: mpsc::Receiver<Finished>) {
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let gather = async {
            while batch.len() < BATCH_MAX {
                let Some(next) = waiting.recv().await else { break };
                batch.push(next);
            }
        };
        let _ = timeout(GATHER, gather).await;
        export(&url, &batch).await;
    }
}

/// Sends traces to the collector; a failure goes to the log.
pub async fn export(url: &str, batch: &[Finished]) {
    let body = payload(batch, Instant::now(), SystemTime::now());
    let ask = Ask {
        method: &Method::POST,
        url,
        login: None,
        headers: &[],
        body: Some(&body),
        verify: true,
        deadline: DEADLINE,
    };
    match outbound::send(ask).await {
        Ok(answered) if answered.status.is_success() => {}
        Ok(answered) => {
            tracing::warn!(status = %answered.status, traces = batch.len(), "the trace collector refuses");
        }
        Err(why) => tracing::warn!(traces = batch.len(), "traces are dropped: {why}"),
    }
}

/// `ExportTraceServiceRequest`.
fn payload(batch: &[Finished], now: Instant, clock: SystemTime) -> Value {
    let nanos = |at: Instant| {
        let at = clock - now.saturating_duration_since(at);
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
    };
    let spans: Vec<Value> = batch.iter().flat_map(|finished| spans(finished, &nanos, now)).collect();
    let service = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "axon".to_owned());
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"scope": {"name": "axon", "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
    }]})
}

fn spans(finished: &Finished, nanos: &impl Fn(Instant) -> String, now: Instant) -> Vec<Value> {
    let hops = finished.trace.hops();
    let trace_id = finished.caller.as_ref().map_or_else(|| random_hex(16), |caller| caller.trace_id.clone());
    let ids: Vec<String> = hops.iter().map(|_| random_hex(8)).collect();
    let span = |(hop, id): (&Hop, &String)| {
        let parent = match hop.parent {
            Some(parent) => ids.get(parent).cloned(),
            None => finished.caller.as_ref().map(|caller| caller.span_id.clone()),
        };
        let attributes: Vec<Value> = hop
            .notes
            .iter()
            .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
            .collect();
        json!({
            "traceId": trace_id,
            "spanId": id,
            "parentSpanId": parent.unwrap_or_default(),
            "name": hop.name,
            // SERVER for the root, INTERNAL for the others.
            "kind": if hop.parent.is_none() { 2 } else { 1 },
            "startTimeUnixNano": nanos(hop.begun),
            "endTimeUnixNano": nanos(hop.ended.unwrap_or(now)),
            "attributes": attributes,
        })
    };
    hops.iter().zip(&ids).map(span).collect()
}

fn random_hex(bytes: usize) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.get(..bytes * 2).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tests::{answer, serve};
    use http::HeaderValue;

    #[test]
    fn hops_become_spans_below_the_callers() {
        let now = Instant::now();
        let trace = Trace::root("GET /api/osd", now);
        let hop = trace.past("handler", now, now + Duration::from_millis(2));
        hop.note("mode", "secure");
        trace.end(now + Duration::from_millis(3));
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", HeaderValue::from_static(parent));
        let caller = TraceParent::of(&headers);
        let body =
            payload(&[Finished { trace, caller }], now, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
        let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(spans[0]["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(spans[0]["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(spans[1]["parentSpanId"], spans[0]["spanId"]);
        assert_eq!(spans[1]["startTimeUnixNano"], "9000000000");
        assert_eq!(spans[1]["attributes"][0]["value"]["stringValue"], "secure");
        for bad in ["", "00-0-0-0", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            headers.insert("traceparent", HeaderValue::from_static(bad));
            assert_eq!(TraceParent::of(&headers), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn finished_traces_reach_the_collector() {
        let collector = serve(vec![answer("200 OK", "{}")]).await;
        let telemetry = Telemetry::to(format!("{}/v1/traces", collector.url));
        let trace = Trace::root("GET /api/summary", Instant::now());
        trace.end(Instant::now());
        telemetry.send(Finished { trace, caller: None });
        let arrived = async {
            while collector.seen.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), arrived).await.unwrap();
        let request = collector.seen.lock().unwrap().concat();
        assert!(request.starts_with("POST /v1/traces"), "{request}");
        assert!(request.contains("GET /api/summary") && request.contains("resourceSpans"), "{request}");
    }

    #[tokio::test]
    async fn who_has_logged_in_and_asks_gets_the_hops() {
        let running = crate::testing::Bench::new(crate::release::Release::Reef).start().await;
        let ask = |user: Option<&str>, wanted: bool| {
            let mut request = running.request("GET", "/api/summary", "1.0", user, None);
            if wanted {
                request.headers_mut().insert("axon-trace", HeaderValue::from_static("1"));
            }
            running.send(request)
        };
        let answered = ask(Some("admin"), true).await;
        let hops: Value = serde_json::from_slice(answered.headers["axon-trace"].as_bytes()).unwrap();
        assert_eq!(hops["name"], "GET /api/summary");
        let names: Vec<&str> =
            hops["hops"].as_array().unwrap().iter().filter_map(|hop| hop["name"].as_str()).collect();
        assert_eq!(names, ["route, body, permission", "handler", "encode the answer"]);
        assert!(!ask(Some("admin"), false).await.headers.contains_key("axon-trace"));
        assert!(!ask(None, true).await.headers.contains_key("axon-trace"));
    }
}
