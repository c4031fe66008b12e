//! From method and path to the operation: a tree of path segments, walked once per request.
//!
//! Invariants: a literal segment wins over a parameter, unless only the parameter leads to an operation of the method
//! (`DELETE /api/osd/flags` is `DELETE /api/osd/{svc_id}`, as upstream's routes match); trailing slashes are ignored.

use super::epoch_cache::EpochCache;
use super::operation::{Operation, Resource, Verb};
use super::query::{unquote, unquote_twice};
use super::recent::Recent;
use crate::release::Release;
use crate::stock::table;
use http::HeaderValue;
use std::collections::HashMap;

/// An operation as it is served: the row and what was computed from it once.
pub struct Route {
    pub op: &'static Operation,
    pub tag: &'static str,
    pub names: Vec<&'static str>,
    /// Media type of a success.
    pub content_type: HeaderValue,
    pub kept: EpochCache,
    pub recent: Recent,
}

#[derive(Default)]
struct Node {
    literal: HashMap<&'static str, Node>,
    param: Option<Box<Node>>,
    /// Indexes into the routes, by [`Verb`].
    routes: [Option<usize>; 5],
}

/// All operations of a release.
pub struct Router {
    root: Node,
    routes: Vec<Route>,
}

/// Two rows claim the same method and path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} {1} is declared twice")]
pub struct Twice(&'static str, &'static str);

impl Router {
    /// The operations of these resources that the release has.
    pub fn new(resources: &[Resource], release: Release) -> Result<Self, Twice> {
        let mut router = Router { root: Node::default(), routes: Vec::new() };
        for resource in resources {
            for op in resource.operations.iter().filter(|op| op.releases.contains(release)) {
                router.add(op, resource.tag)?;
            }
        }
        Ok(router)
    }

    /// With the operations of the release that none of those has, for the stock dashboard.
    #[must_use]
    pub fn with_stock(mut self, release: Release) -> Self {
        for row in table::rows().iter().filter(|row| row.is_in(release)) {
            // One that is there is native, and wins.
            let _ = self.add(&row.op, row.tag);
        }
        self
    }

    fn add(&mut self, op: &'static Operation, tag: &'static str) -> Result<(), Twice> {
        let mut node = &mut self.root;
        for segment in op.path.split('/').filter(|s| !s.is_empty()) {
            node = if segment.starts_with('{') {
                node.param.get_or_insert_default()
            } else {
                node.literal.entry(segment).or_default()
            };
        }
        let slot = &mut node.routes[op.method as usize];
        if slot.is_some() {
            return Err(Twice(op.method.name(), op.path));
        }
        *slot = Some(self.routes.len());
        let content_type = op.version.map_or("application/json".to_owned(), |v| v.media_type());
        self.routes.push(Route {
            op,
            tag,
            names: op.path_params().collect(),
            content_type: HeaderValue::try_from(content_type)
                .unwrap_or(HeaderValue::from_static("application/json")),
            kept: EpochCache::default(),
            recent: Recent::default(),
        });
        Ok(())
    }

    /// Every route.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The index of a request's route, and its path's parameters (decoded twice).
    #[must_use]
    pub fn find(&self, verb: Verb, path: &str) -> Option<(usize, Vec<String>)> {
        let path = path.strip_prefix('/')?;
        let path = path.trim_end_matches('/');
        let mut params = Vec::new();
        let index = walk(&self.root, verb, Some(path), &mut params)?;
        Some((index, params.into_iter().map(unquote_twice).collect()))
    }
}

fn walk<'p>(node: &Node, verb: Verb, rest: Option<&'p str>, params: &mut Vec<&'p str>) -> Option<usize> {
    let Some(rest) = rest else { return node.routes[verb as usize] };
    let (segment, rest) = match rest.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (rest, None),
    };
    let literal = node.literal.get(unquote(segment).as_ref());
    if let Some(found) = literal.and_then(|next| walk(next, verb, rest, params)) {
        return Some(found);
    }
    let next = node.param.as_ref().filter(|_| !segment.is_empty())?;
    params.push(segment);
    let found = walk(next, verb, rest, params);
    if found.is_none() {
        params.pop();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Reply, now};

    const ROWS: &[Operation] = &[
        Operation::get("/api/osd", now(|_| Ok(Reply::null()))),
        Operation::get("/api/osd/flags", now(|_| Ok(Reply::null()))),
        Operation::get("/api/osd/{svc_id}", now(|_| Ok(Reply::null()))),
        Operation::delete("/api/osd/{svc_id}", now(|_| Ok(Reply::null()))),
        Operation::get("/api/block/image/{image_spec}/snap/{name}", now(|_| Ok(Reply::null()))),
        Operation::get("/api/new", now(|_| Ok(Reply::null()))).since(Release::Tentacle),
    ];

    fn find(verb: Verb, path: &str) -> Option<(&'static str, Vec<String>)> {
        let resource = Resource { tag: "T", doc: "", operations: ROWS };
        let router = Router::new(&[resource], Release::Reef).unwrap();
        router.find(verb, path).map(|(index, params)| (router.routes()[index].op.path, params))
    }

    #[test]
    fn literals_win_over_parameters() {
        assert_eq!(find(Verb::Get, "/api/osd/flags").unwrap().0, "/api/osd/flags");
        assert_eq!(find(Verb::Get, "/api/osd/7//"), Some(("/api/osd/{svc_id}", vec!["7".to_owned()])));
        assert_eq!(
            find(Verb::Delete, "/api/osd/flags"),
            Some(("/api/osd/{svc_id}", vec!["flags".to_owned()]))
        );
    }

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        let (_, params) = find(Verb::Get, "/api/block/image/rbd%2Fimg/snap/a%20b").unwrap();
        assert_eq!(params, ["rbd/img", "a b"]);
    }

    #[test]
    fn other_methods_paths_and_releases_are_not_found() {
        assert_eq!(find(Verb::Post, "/api/osd"), None);
        assert_eq!(find(Verb::Get, "/api//osd"), None);
        assert_eq!(find(Verb::Get, "/api/osd/1/2"), None);
        assert_eq!(find(Verb::Get, "/api/new"), None);
        assert_eq!(find(Verb::Get, ""), None);
    }

    #[test]
    fn a_path_cannot_be_declared_twice() {
        let resource = Resource { tag: "T", doc: "", operations: ROWS };
        assert_eq!(Router::new(&[resource, resource], Release::Reef).err(), Some(Twice("GET", "/api/osd")));
    }
}
