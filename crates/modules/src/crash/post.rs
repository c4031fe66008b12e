//! `crash post`: what a report must have, and the signature of its stack by which equal crashes are known.

use super::{Crash, time};
use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The report with its signature and id; or upstream's words about what is wrong.
pub(super) fn accepted(input: &[u8]) -> Result<(String, Crash), String> {
    let mut crash: Crash = serde_json::from_slice(input).map_err(|why| why.to_string())?;
    let field = |key: &str| match crash.get(key) {
        None => Err(format!("missing '{key}' field")),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("'{key}' is not a text")),
    };
    let (id, timestamp) = (field("crash_id")?, field("timestamp")?);
    if time(&timestamp).is_none() {
        let timestamp = timestamp.trim_end_matches('Z');
        return Err(format!("time data '{timestamp}' does not match format '%Y-%m-%d %H:%M:%S.%f'"));
    }
    if let Some(Value::Array(backtrace)) = crash.get("backtrace") {
        let frames = backtrace.iter().filter_map(Value::as_str);
        let assert_msg = crash.get("assert_msg").and_then(Value::as_str).filter(|msg| !msg.is_empty());
        let signature = signature(frames, assert_msg);
        crash.insert("stack_sig".to_owned(), signature.into());
    }
    Ok((id, crash))
}

fn signature<'a>(backtrace: impl Iterator<Item = &'a str>, assert_msg: Option<&str>) -> String {
    let mut sum = Sha256::new();
    for frame in backtrace {
        // `(function()+0x12) [0x5555]`: the function alone.
        let located = frame.rsplit_once(' ').map_or(frame, |(located, _)| located);
        let mut chars = located.chars();
        chars.next();
        chars.next_back();
        let function = chars.as_str();
        sum.update(function.split_once('+').map_or(function, |(name, _)| name));
    }
    if let Some(msg) = assert_msg {
        sum.update(without_place(msg));
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An assertion's words without thread, time and line, which differ from one crash to the next.
fn without_place(msg: &str) -> String {
    let pattern = Regex::new(r"(?s)^(.*) thread .* time .*(: .*)\n");
    match pattern.ok().and_then(|pattern| pattern.captures(msg)) {
        Some(found) => found.iter().skip(1).flatten().map(|part| part.as_str()).collect(),
        None => msg.to_owned(),
    }
}
