//! Which parts of the UI are switched on (`plugins/feature_toggles.py`). A small resource: read it as an example.
//!
//! Invariant: as upstream, a toggle hides a part of the UI and blocks no operation.

use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use crate::release::Release;
use serde_json::{Map, Value};

pub const RESOURCE: Resource = Resource {
    tag: "FeatureTogglesEndpoint",
    doc: "Manage Features API",
    operations: &[Operation::get("/api/feature_toggles", now(list)).summary("Get List Of Features")],
};

/// The features, with the release that brought them.
pub const FEATURES: [(&str, Release); 7] = [
    ("rbd", Release::Pacific),
    ("mirroring", Release::Pacific),
    ("iscsi", Release::Pacific),
    ("cephfs", Release::Pacific),
    ("rgw", Release::Pacific),
    ("nfs", Release::Pacific),
    ("dashboard", Release::Reef),
];

/// The option behind a feature.
#[must_use]
pub fn option(feature: &str) -> String {
    format!("FEATURE_TOGGLE_{}", feature.to_uppercase())
}

fn list(call: &Call) -> Answer {
    let known = FEATURES.into_iter().filter(|(_, since)| *since <= call.dash.release());
    let toggles: Map<String, Value> =
        known.map(|(name, _)| (name.to_owned(), call.dash.option_is(&option(name), true).into())).collect();
    Ok(Reply::json(&toggles))
}

#[cfg(test)]
mod tests {
    use crate::release::Release;
    use crate::testing::Bench;
    use serde_json::json;

    #[tokio::test]
    async fn a_disabled_feature_is_false() {
        let bench = Bench::new(Release::Pacific).option("FEATURE_TOGGLE_RGW", "false").start().await;
        let answer = bench.get("/api/feature_toggles").await;
        assert_eq!(
            answer.json(),
            json!({"rbd": true, "mirroring": true, "iscsi": true, "cephfs": true, "rgw": false, "nfs": true})
        );
        let reef = Bench::new(Release::Reef).start().await;
        assert_eq!(reef.get("/api/feature_toggles").await.json()["dashboard"], json!(true));
    }
}
