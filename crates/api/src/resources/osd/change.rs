//! What changes one OSD: its state in the map, weight, device class, scrubbing, and its end.

use super::id;
use crate::http::operation::Answer;
use crate::http::{ApiError, Call, Reply};
use axon_core::{Command, CommandError, Target};
use serde_json::Value;

pub async fn mark(call: Call) -> Answer {
    let action = call.text("action")?;
    let known = action.to_lowercase();
    // Upstream answers an unknown action as if it had been done.
    if !["out", "in", "down", "lost"].contains(&known.as_str()) {
        tracing::warn!(action, osd = call.path("svc_id"), "no such action to mark an OSD with");
        return Ok(Reply::null());
    }
    let command = Command::json(&format!("osd {action}"));
    let command = match action {
        "lost" => command.arg("id", id(&call)?).arg("yes_i_really_mean_it", true),
        _ => command.arg("ids", vec![call.path("svc_id")]),
    };
    call.dash.cluster.mon(command).await?;
    Ok(Reply::null())
}

pub async fn reweight(call: Call) -> Answer {
    let weight = call.opt_number("weight")?.filter(|weight| weight.is_finite());
    let weight = weight.ok_or_else(|| ApiError::bad_parameter("Parameter weight must be a number"))?;
    let command = Command::json("osd reweight").arg("id", id(&call)?).arg("weight", weight);
    call.dash.cluster.mon(command).await?;
    Ok(Reply::null())
}

pub async fn scrub(call: Call) -> Answer {
    let prefix = match call.opt_bool("deep")?.unwrap_or(false) {
        true => "osd deep-scrub",
        false => "osd scrub",
    };
    let command = Command::json(prefix).arg("who", call.path("svc_id"));
    call.dash.cluster.command(Target::Mgr, command).await?.success()?;
    Ok(Reply::null())
}

/// The class is removed first: the monitors refuse to replace one.
pub async fn device_class(call: Call) -> Answer {
    let wanted = call.opt_text("device_class")?.unwrap_or("");
    let ids = || vec![call.path("svc_id")];
    let present = Command::json("osd crush get-device-class").arg("ids", ids());
    let present: Value = call.dash.cluster.command(Target::Mon, present).await?.json()?;
    let present = present.pointer("/0/device_class").and_then(Value::as_str);
    let present = present.ok_or_else(|| {
        CommandError::BadOutput("osd crush get-device-class names no class of this OSD".to_owned())
    })?;
    if present != wanted {
        call.dash.cluster.mon(Command::json("osd crush rm-device-class").arg("ids", ids())).await?;
        if !wanted.is_empty() {
            let set = Command::json("osd crush set-device-class").arg("class", wanted).arg("ids", ids());
            call.dash.cluster.mon(set).await?;
        }
    }
    Ok(Reply::null())
}

pub async fn purge(call: Call) -> Answer {
    end(call, "osd purge-actual").await
}

pub async fn destroy(call: Call) -> Answer {
    end(call, "osd destroy-actual").await
}

async fn end(call: Call, prefix: &str) -> Answer {
    let command = Command::json(prefix).arg("id", id(&call)?).arg("yes_i_really_mean_it", true);
    call.dash.cluster.mon(command).await?;
    Ok(Reply::null())
}
