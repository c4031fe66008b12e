//! How many iSCSI gateways answer (`controllers/health.py` `iscsi_daemons`, `services/iscsi_{config,client}.py`). Which there
//! are stands in the module's store (`ceph dashboard iscsi-gateway-add`).

use crate::access::scope::{Permission, Scope};
use crate::http::Call;
use crate::outbound::{self, Ask};
use futures::StreamExt;
use http::Method;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Gateways asked at a time.
const CONCURRENT_MAX: usize = 16;

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct UpDown {
    up: usize,
    down: usize,
}

/// Asks every gateway whether it is there; nothing for callers who may not know.
pub async fn iscsi(call: &Call) -> UpDown {
    if !call.may(Scope::Iscsi, Permission::Read) {
        return UpDown::default();
    }
    let config = call.dash.stored("_iscsi_config");
    let config: Value = config.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let gateways = config["gateways"].as_object().into_iter().flatten();
    let urls: Vec<String> =
        gateways.map(|(_, gateway)| gateway["service_url"].as_str().unwrap_or_default().to_owned()).collect();
    let settings = call.dash.settings();
    let verify = settings.is("ISCSI_API_SSL_VERIFICATION");
    let deadline = Duration::from_secs(settings.int("REST_REQUESTS_TIMEOUT").clamp(1, 300).unsigned_abs());
    let pings = urls.into_iter().map(|url| ping(url, verify, deadline));
    let answers: Vec<bool> = futures::stream::iter(pings).buffer_unordered(CONCURRENT_MAX).collect().await;
    let up = answers.iter().filter(|up| **up).count();
    UpDown { up, down: answers.len() - up }
}

async fn ping(url: String, verify: bool, deadline: Duration) -> bool {
    let url = format!("{}/api/_ping", url.trim_end_matches('/'));
    let ask =
        Ask { method: &Method::GET, url: &url, login: None, headers: &[], body: None, verify, deadline };
    match outbound::send(ask).await {
        Ok(answered) => answered.status.is_success(),
        Err(why) => {
            tracing::warn!(%why, "an iSCSI gateway does not answer");
            false
        }
    }
}
