//! Every operation of upstream's dashboard, as facts: releases, path, version, access, status, parameters (`operations.tsv`, taken from
//! the controllers of 16.2.15, 18.2.7 and 20.2.4). Each is a row like the native ones, with a handler that passes the request on.

use crate::access::{Permission, Scope};
use crate::http::operation::{Access, Handler, Kind, Operation, Param, Verb};
use crate::http::version::ApiVersion;
use crate::release::{Release, Releases};
use std::sync::LazyLock;

const TABLE: &str = include_str!("operations.tsv");

/// An operation of upstream's.
pub struct Row {
    pub tag: &'static str,
    pub op: Operation,
    releases: Vec<Release>,
}

impl Row {
    /// Whether a release has it.
    #[must_use]
    pub fn is_in(&self, release: Release) -> bool {
        self.releases.contains(&release)
    }
}

/// All of them, sorted by path.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TABLE.lines().filter_map(row).collect());
    &ROWS
}

fn row(line: &'static str) -> Option<Row> {
    if line.starts_with('#') {
        return None;
    }
    let [releases, method, path, version, access, status, tag, params] =
        <[&str; 8]>::try_from(line.split('\t').collect::<Vec<_>>()).ok()?;
    let method = Verb::of(&http::Method::from_bytes(method.as_bytes()).ok()?)?;
    let op = Operation {
        method,
        path,
        version: self::version(version),
        access: self::access(access)?,
        releases: Releases::ALL,
        status: status.parse().ok()?,
        empty_body: true,
        open: true,
        params: self::params(params),
        task: None,
        summary: "",
        handler: Handler::Stock,
    };
    let all = Release::ALL.into_iter();
    let releases = all.filter(|r| releases.split(',').any(|n| n == (*r as u32).to_string())).collect();
    Some(Row { tag, op, releases })
}

/// `1.0`, or `none`.
fn version(text: &str) -> Option<ApiVersion> {
    let (major, minor) = text.split_once('.')?;
    Some(ApiVersion::new(major.parse().ok()?, minor.parse().ok()?))
}

fn access(text: &str) -> Option<Access> {
    match text {
        "public" => Some(Access::Public),
        "any-login" => Some(Access::Login),
        text => {
            let (scope, permission) = text.split_once(':')?;
            Some(Access::Granted(Scope::named(scope)?, Permission::named(permission)?))
        }
    }
}

/// `query:b,c body:d`; those of the path are in the path. They live as long as the table, which is made once.
fn params(text: &'static str) -> &'static [Param] {
    let mut out = Vec::new();
    for (place, names) in text.split(' ').filter_map(|part| part.split_once(':')) {
        let make = match place {
            "query" => Param::query,
            "body" => Param::body,
            _ => continue,
        };
        out.extend(names.split(',').map(|name| make(name, Kind::Text)));
    }
    Vec::leak(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood() {
        assert_eq!(rows().len(), TABLE.lines().count() - 1);
        let count = |release| rows().iter().filter(|row| row.is_in(release)).count();
        // As counted in the controllers.
        assert_eq!(Release::ALL.map(count), [273, 383, 538]);
    }

    #[test]
    fn a_release_has_an_operation_once() {
        for release in Release::ALL {
            let mut names: Vec<_> =
                rows().iter().filter(|r| r.is_in(release)).map(|r| (r.op.method.name(), r.op.path)).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
