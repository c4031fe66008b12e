//! Where Grafana is (`controllers/grafana.py`).
//!
//! Not here yet: `validation` and `dashboards`, which ask Grafana itself.

use crate::access::scope::Scope;
use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use serde_json::json;

pub const RESOURCE: Resource = Resource {
    tag: "Grafana",
    doc: "Grafana Management API",
    operations: &[Operation::get("/api/grafana/url", now(url))
        .scope(Scope::Grafana)
        .summary("List Grafana URL Instance")],
};

fn url(call: &Call) -> Answer {
    let settings = call.dash.settings();
    let (api, frontend) = (settings.text("GRAFANA_API_URL"), settings.text("GRAFANA_FRONTEND_API_URL"));
    // A frontend's address without a server behind it counts as none.
    let instance = match (api.is_empty(), frontend.is_empty()) {
        (true, _) => String::new(),
        (false, true) => api,
        (false, false) => frontend,
    };
    Ok(Reply::json(&json!({"instance": instance.trim_end_matches('/')})))
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::Bench;

    #[tokio::test]
    async fn the_frontends_address_wins_when_there_is_a_server() {
        let url = async |api: &str, frontend: &str| {
            let bench = Bench::new(Release::Reef).option("GRAFANA_API_URL", api);
            let bench = bench.option("GRAFANA_FRONTEND_API_URL", frontend).start().await;
            bench.get("/api/grafana/url").await.json()["instance"].as_str().unwrap().to_owned()
        };
        assert_eq!(url("http://a/", "").await, "http://a");
        assert_eq!(url("http://a/", "http://f/").await, "http://f");
        assert_eq!(url("", "http://f").await, "");
    }
}
