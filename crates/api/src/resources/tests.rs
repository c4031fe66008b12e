//! Tests over every operation of every release: the shared rules hold for each row.

use super::ALL;
use crate::access::{Permission, Scope};
use crate::http::operation::{Access, Operation, Verb};
use crate::release::Release;
use crate::testing::{Answered, Bench, Running};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

fn operations(release: Release) -> impl Iterator<Item = &'static Operation> {
    ALL.iter().flat_map(|r| r.operations).filter(move |op| op.releases.contains(release))
}

/// The operation's path with something in the place of every parameter.
fn filled(op: &Operation) -> String {
    let segments = op.path.split('/').map(|s| if s.starts_with('{') { "0" } else { s });
    segments.collect::<Vec<_>>().join("/")
}

async fn call(bench: &Running, op: &Operation, version: &str, user: Option<&str>) -> Answered {
    let body = op.method.has_body().then(|| json!({}));
    bench.send(bench.request(op.method.name(), &filled(op), version, user, body)).await
}

async fn bench(release: Release) -> Running {
    // A role with every permission but one cannot be made for all rows at once; "nobody" has none at all.
    Bench::new(release).user("nobody", &[]).start().await
}

fn version(op: &Operation) -> String {
    op.version.map_or("1.0".to_owned(), |v| v.to_string())
}

#[tokio::test]
async fn without_a_token_everything_but_public_operations_is_401() {
    for release in Release::ALL {
        let bench = bench(release).await;
        for op in operations(release) {
            let status = call(&bench, op, &version(op), None).await.status;
            let refused = status == StatusCode::UNAUTHORIZED;
            assert_eq!(refused, op.access != Access::Public, "{} {}: {status}", op.method.name(), op.path);
        }
    }
}

#[tokio::test]
async fn without_the_permission_every_scoped_operation_is_403() {
    for release in Release::ALL {
        let bench = bench(release).await;
        for op in
            operations(release).filter(|op| matches!(op.access, Access::Granted(..) | Access::Administrator))
        {
            // The version is wrong too: permission is judged first.
            let answer = call(&bench, op, "77.0", Some("nobody")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {}", op.method.name(), op.path);
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }
}

#[tokio::test]
async fn another_version_is_415_and_names_both() {
    for release in Release::ALL {
        let bench = bench(release).await;
        for op in operations(release).filter(|op| op.version.is_some()) {
            let answer = call(&bench, op, "77.0", Some("admin")).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{} {}", op.method.name(), op.path);
            let expected =
                format!("Incorrect version: endpoint is '{}', client requested '77.0'", version(op));
            assert_eq!(answer.json()["detail"], expected);
        }
    }
}

#[tokio::test]
async fn a_body_is_judged_before_the_caller() {
    let bench = bench(Release::Tentacle).await;
    for op in operations(Release::Tentacle).filter(|op| op.method.has_body()) {
        let request = |builder: http::request::Builder, body: &'static str| {
            let builder = builder.method(op.method.name()).uri(filled(op));
            builder.body(Full::from(body)).unwrap()
        };
        let status = |request: Request<_>| async { bench.send(request).await.status };
        let length = |n: usize| Request::builder().header("content-length", n);
        assert_eq!(status(request(Request::builder(), "")).await, StatusCode::LENGTH_REQUIRED, "{}", op.path);
        let text = length(2).header("content-type", "text/plain");
        let expected = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        assert_eq!(
            status(request(text, "{}")).await == expected,
            !op.empty_body || op.access == Access::Public,
            "{}",
            op.path
        );
        let broken = length(1).header("content-type", "application/json");
        assert_eq!(status(request(broken, "{")).await, StatusCode::BAD_REQUEST, "{}", op.path);
    }
}

#[tokio::test]
async fn other_methods_and_releases_are_404_and_never_405() {
    for release in Release::ALL {
        let bench = bench(release).await;
        for op in ALL.iter().flat_map(|r| r.operations) {
            for method in ["PATCH", "OPTIONS", "HEAD"] {
                let request = bench.request(method, &filled(op), "1.0", Some("admin"), None);
                assert_eq!(bench.send(request).await.status, StatusCode::NOT_FOUND, "{method} {}", op.path);
            }
        }
    }
}

#[tokio::test]
async fn the_document_lists_exactly_what_is_served() {
    for release in Release::ALL {
        let document = bench(release).await.get("/docs/api-all.json").await.json();
        let paths = document["paths"].as_object().unwrap();
        let listed: usize = paths.values().map(|methods| methods.as_object().unwrap().len()).sum();
        assert_eq!(listed, operations(release).count());
        for op in operations(release) {
            let row = &paths[op.path][op.method.name().to_lowercase()];
            assert_eq!(row.get("security").is_some(), op.access != Access::Public, "{}", op.path);
            assert!(row["responses"].get(op.status.to_string()).is_some(), "{}", op.path);
        }
    }
}

/// Rows against the table of upstream's operations: `../shared/api/operations.tsv`, when it is there.
#[test]
fn every_row_agrees_with_the_table_of_upstreams_operations() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let default = root.join("../shared/api/operations.tsv");
    let path = std::env::var_os("AXON_OPERATIONS").map_or(default, Into::into);
    let Ok(table) = std::fs::read_to_string(&path) else { return };
    let names = [(Release::Pacific, "16.2.15"), (Release::Reef, "18.2.7"), (Release::Tentacle, "20.2.4")];
    for (release, name) in names {
        let own = |op: &&Operation| op.path.starts_with("/docs/") || op.path.starts_with(super::axon::PATH);
        for op in operations(release).filter(|op| !own(op)) {
            let row = table.lines().map(|line| line.split('\t').collect::<Vec<_>>()).find(|row| {
                let here = row.first() == Some(&name) && row.get(2) == Some(&op.method.name());
                here && row.get(3) == Some(&op.path) && row.get(4) != Some(&"")
            });
            let row = row.unwrap_or_else(|| panic!("{name} has no {} {}", op.method.name(), op.path));
            assert_eq!(row[4], version(op), "{} {}", op.method.name(), op.path);
            assert_eq!(row[5], access(op), "{name} {} {}", op.method.name(), op.path);
            assert_eq!(row[9], op.status.to_string(), "{} {}", op.method.name(), op.path);
            check_params(op, release, row[11]);
        }
    }
}

fn access(op: &Operation) -> String {
    match op.access {
        Access::Public => "public".to_owned(),
        Access::Login => "any-login".to_owned(),
        Access::Granted(scope, permission) => format!("{}:{}", scope.name(), permission.name()),
        Access::Administrator => "administrator".to_owned(),
    }
}

/// `path:a query:b,c body:d` against the row.
fn check_params(op: &Operation, release: Release, listed: &str) {
    let names = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut expected: Vec<String> =
        listed.split(' ').filter_map(|part| part.split_once(':')).flat_map(|(_, list)| names(list)).collect();
    let mut ours: Vec<String> = op.path_params().map(str::to_owned).collect();
    let params = op.params.iter().filter(|p| p.releases.contains(release)).map(|p| p.name.to_owned());
    ours.extend(params.filter(|p| !op.path_params().any(|x| x == p)));
    expected.sort();
    ours.sort();
    assert_eq!(ours, expected, "{release:?} {} {}", op.method.name(), op.path);
}

#[tokio::test]
async fn a_role_opens_its_own_operations_only() {
    let bench = Bench::new(Release::Pacific).user("ro", &["read-only"]).start().await;
    let ask = |path: &'static str| bench.ask_as("ro", "GET", path, json!(null));
    assert_eq!(ask("/api/user").await.status, StatusCode::OK);
    assert_eq!(ask("/api/settings").await.status, StatusCode::FORBIDDEN);
    let created = bench.ask_as("ro", "POST", "/api/role", json!({"name": "x"})).await;
    assert_eq!(created.status, StatusCode::FORBIDDEN);
    let grants = crate::testing::grants(&bench, "ro");
    assert!(grants.allow(Scope::Osd, Permission::Read) && !grants.allow(Scope::Osd, Permission::Update));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_and_no_more() {
    use crate::http::operation::{Answer, Resource};
    use crate::http::{Call, now};
    fn broken(_: &Call) -> Answer {
        panic!("a defect")
    }
    async fn later_broken(_: Call) -> Answer {
        panic!("a defect")
    }
    const ROWS: &[Resource] = &[Resource {
        tag: "T",
        doc: "",
        operations: &[
            Operation::get("/api/a", now(broken)),
            Operation::get("/api/b", crate::later!(later_broken)),
        ],
    }];
    let bench = Bench::new(Release::Reef).resources(ROWS).start().await;
    for path in ["/api/a", "/api/b"] {
        assert_eq!(bench.get(path).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(Verb::of(&http::Method::HEAD), None);
}
