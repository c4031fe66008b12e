//! The OpenAPI document, made from the tables of what is served (`controllers/docs.py`).

use crate::http::operation::{Answer, Resource};
use crate::http::{Call, Operation, Reply, now};
use crate::openapi;

pub const RESOURCE: Resource = Resource {
    tag: "Docs",
    doc: "",
    operations: &[
        Operation::get("/docs/openapi.json", now(api)).public().unversioned(),
        Operation::get("/docs/api-all.json", now(all)).public().unversioned(),
    ],
};

fn api(call: &Call) -> Answer {
    Ok(Reply::json(&openapi::document(call, false)))
}

fn all(call: &Call) -> Answer {
    Ok(Reply::json(&openapi::document(call, true)))
}
