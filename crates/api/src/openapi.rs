//! The OpenAPI 3.0 document of the served operations: their rows, said in upstream's form (`controllers/docs.py`), so
//! that the document cannot drift from the code.

use crate::http::Call;
use crate::http::operation::{Access, Kind, Param, Place, Verb};
use crate::http::router::Route;
use crate::release::Release;
use crate::resources;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document; `all`: with what only the UI uses.
#[must_use]
pub fn document(call: &Call, all: bool) -> Value {
    let scheme = if call.dash.ssl() { "https" } else { "http" };
    let host = call.headers.get(http::header::HOST).and_then(|v| v.to_str().ok()).unwrap_or("localhost");
    let release = call.dash.release();
    let shown = |route: &&Route| all || route.op.path.starts_with("/api/");
    let routes: Vec<&Route> = call.routes().iter().filter(shown).collect();
    json!({
        "openapi": "3.0.0",
        "info": {"description": "The REST API of this Ceph cluster", "version": "v1", "title": "Ceph REST API"},
        "host": host,
        "basePath": "/",
        "servers": [{"url": format!("{scheme}://{host}/")}],
        "tags": tags(&routes),
        "schemes": [scheme],
        "paths": paths(&routes, release),
        "components": {
            "securitySchemes": {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

fn tags(routes: &[&Route]) -> Vec<Value> {
    let doc = |tag: &str| {
        let resource = resources::ALL.iter().find(|r| r.tag == tag && !r.doc.is_empty());
        resource.map_or("*No description available*", |r| r.doc)
    };
    let tags: BTreeMap<&str, &str> = routes.iter().map(|r| (r.tag, doc(r.tag))).collect();
    tags.into_iter().map(|(name, description)| json!({"name": name, "description": description})).collect()
}

fn paths(routes: &[&Route], release: Release) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let method = route.op.method.name().to_lowercase();
        paths.entry(route.op.path).or_default().insert(method, operation(route, release));
    }
    json!(paths)
}

fn operation(route: &Route, release: Release) -> Value {
    let op = route.op;
    let known = || op.params.iter().filter(|p| p.releases.contains(release));
    let in_path = op.path_params().map(|name| match known().find(|p| p.name == name) {
        Some(param) => parameter(param, "path"),
        None => parameter(&Param::path(name), "path"),
    });
    let in_query = known().filter(|p| p.place == Place::Query).map(|p| parameter(p, "query"));
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut out = json!({
        "tags": [route.tag],
        "parameters": parameters,
        "responses": responses(route),
    });
    if !op.summary.is_empty() {
        out["summary"] = json!(op.summary);
    }
    let body: Vec<&Param> = known().filter(|p| p.place == Place::Body).collect();
    if op.method.has_body() && !body.is_empty() {
        out["requestBody"] = json!({"content": {"application/json": {"schema": schema(&body)}}});
    }
    if op.access != Access::Public {
        out["security"] = json!([{"jwt": []}]);
    }
    if let Access::Granted(scope, permission) = op.access {
        out["x-ceph-permission"] = json!({"scope": scope.name(), "permission": permission.name()});
    }
    out
}

fn parameter(param: &Param, place: &str) -> Value {
    let mut out = json!({"name": param.name, "in": place, "schema": {"type": type_name(param.kind)}});
    describe(&mut out, param);
    if param.required {
        out["required"] = json!(true);
    } else if param.default.is_empty() {
        out["allowEmptyValue"] = json!(true);
    }
    out
}

fn schema(params: &[&Param]) -> Value {
    let property = |param: &&Param| {
        let mut out = json!({"type": type_name(param.kind)});
        if param.kind == Kind::List {
            out["items"] = json!({});
        }
        describe(&mut out, param);
        (param.name.to_owned(), out)
    };
    let properties: Map<String, Value> = params.iter().map(property).collect();
    let required: Vec<&str> = params.iter().filter(|p| p.required).map(|p| p.name).collect();
    let mut out = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn describe(out: &mut Value, param: &Param) {
    if !param.doc.is_empty() {
        out["description"] = json!(param.doc);
    }
    if let Ok(default) = serde_json::from_str::<Value>(param.default) {
        out["default"] = default;
    }
}

fn responses(route: &Route) -> Value {
    let op = route.op;
    let content = route.content_type.to_str().unwrap_or("application/json");
    let success = match op.method {
        Verb::Get => "OK",
        Verb::Post => "Resource created.",
        Verb::Put | Verb::Patch => "Resource updated.",
        Verb::Delete => "Resource deleted.",
    };
    let mut out = json!({
        "400": {"description": "Operation exception. Please check the response body for details."},
        "401": {"description": "Unauthenticated access. Please login first."},
        "403": {"description": "Unauthorized access. Please check your permissions."},
        "500": {"description": "Unexpected error. Please check the response body for details."},
    });
    out[op.status.to_string()] =
        json!({"description": success, "content": {content: {"schema": {"type": "object"}}}});
    if op.task.is_some() {
        out["202"] = json!({
            "description": "Operation is still executing. Please check the task queue.",
            "content": {content: {"schema": {"type": "object"}}},
        });
    }
    out
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Int => "integer",
        Kind::Number => "number",
        Kind::Bool => "boolean",
        Kind::List => "array",
        Kind::Object => "object",
    }
}
