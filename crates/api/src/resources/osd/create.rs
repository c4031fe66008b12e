//! A new OSD: `bare` reserves an id at the monitors; the other methods are an orchestrator's work.

use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use crate::orchestrator;
use axon_core::Command;
use serde_json::{Value, json};

pub async fn create(call: Call) -> Answer {
    match call.text("method")? {
        "bare" => bare(&call).await,
        "drive_groups" | "predefined" => Err(orchestrator::unavailable()),
        other => Err(ApiError::uncoded(format!("Unknown method: {other}"), "osd")),
    }
}

async fn bare(call: &Call) -> Answer {
    let data = call.opt_object("data")?.ok_or_else(|| ApiError::bad_parameter("Missing parameter: data"))?;
    // In Python's words for a missing key and a bad number, which are what upstream's client sees.
    let given = |key: &str| data.get(key).ok_or_else(|| ApiError::uncoded(format!("'{key}'"), "osd"));
    let uuid = given("uuid")?;
    let svc_id = match given("svc_id")? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => match text.trim().parse() {
            Ok(id) => Some(id),
            Err(_) => {
                let detail = format!("invalid literal for int() with base 10: '{text}'");
                return Err(ApiError::uncoded(detail, "osd"));
            }
        },
        _ => None,
    };
    let svc_id = svc_id.ok_or_else(|| ApiError::bad_parameter("svc_id must be a whole number"))?;
    let command = Command::json("osd create").arg("id", svc_id).arg("uuid", uuid.clone());
    let output = call.dash.cluster.mon(command).await?;
    let text = || Value::String(String::from_utf8_lossy(&output).into_owned());
    let result = serde_json::from_slice(&output).unwrap_or_else(|_| text());
    Ok(Reply::json(&json!({"result": result, "svc_id": svc_id, "uuid": uuid})))
}
