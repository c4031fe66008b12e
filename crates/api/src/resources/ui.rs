//! Small things that only the web UI asks for: languages, login banner, message of the day (`controllers/home.py`,
//! `plugins/motd.py`).

use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use crate::tasks::time_text;
use serde_json::Value;
use std::time::SystemTime;

pub const RESOURCE: Resource = Resource {
    tag: "UI",
    doc: "",
    operations: &[
        Operation::get("/ui-api/langs", now(langs)).public(),
        Operation::get("/ui-api/login/custom_banner", now(banner)).public(),
        Operation::get("/ui-api/motd", now(motd)),
    ],
};

fn langs(call: &Call) -> Answer {
    Ok(Reply::json(call.languages()))
}

fn banner(call: &Call) -> Answer {
    Ok(Reply::json(&call.dash.stored("custom_login_banner")))
}

fn motd(call: &Call) -> Answer {
    let text = call.dash.option("motd").unwrap_or_default();
    let motd: Option<Value> = serde_json::from_str(&text).ok();
    // Both are UTC in the same form, so that text order is time order.
    let now = time_text(SystemTime::now(), call.dash.release());
    let expires = |motd: &Value| motd["expires"].as_str().unwrap_or("").to_owned();
    let current = motd.filter(|motd| expires(motd).is_empty() || expires(motd).get(..19) >= now.get(..19));
    Ok(Reply::json(&current))
}
