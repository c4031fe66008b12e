//! A row of a resource's operation table. From it come routing, permission checks, parameter checks, the OpenAPI
//! document and the tests over all operations; nothing about an operation is said anywhere else.

use super::call::Call;
use super::error::ApiError;
use super::reply::Reply;
use super::version::ApiVersion;
use crate::access::{Permission, Scope};
use crate::release::{Release, Releases};
use futures::future::BoxFuture;

/// What a handler gives back.
pub type Answer = Result<Reply, ApiError>;

/// The code behind an operation.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Answers from the snapshot at hand.
    Now(fn(&Call) -> Answer),
    /// Waits for something: a command, a hash, another server. Made by [`later!`](crate::later).
    Later(fn(Call) -> BoxFuture<'static, Answer>),
    /// Cannot be done here, whatever the parameters are; says why.
    Refuse(fn() -> ApiError),
    /// Passed on to the stock dashboard.
    Stock,
}

/// A handler that does not wait.
#[must_use]
pub const fn now(handler: fn(&Call) -> Answer) -> Handler {
    Handler::Now(handler)
}

/// A handler that waits.
#[must_use]
pub const fn later(handler: fn(Call) -> BoxFuture<'static, Answer>) -> Handler {
    Handler::Later(handler)
}

/// An operation that this manager cannot carry out: the parameters are not even looked at.
#[must_use]
pub const fn refuse(why: fn() -> ApiError) -> Handler {
    Handler::Refuse(why)
}

/// `later!(create)` for an `async fn create(call: Call) -> Answer`.
#[macro_export]
macro_rules! later {
    ($handler:path) => {
        $crate::http::operation::later(|call| Box::pin($handler(call)))
    };
}

/// The methods that operations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
    Patch,
}

impl Verb {
    /// A request's method, if any operation can have it.
    #[must_use]
    pub fn of(method: &http::Method) -> Option<Verb> {
        match method.as_str() {
            "GET" => Some(Verb::Get),
            "POST" => Some(Verb::Post),
            "PUT" => Some(Verb::Put),
            "DELETE" => Some(Verb::Delete),
            "PATCH" => Some(Verb::Patch),
            _ => None,
        }
    }

    /// As it is written in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
            Verb::Patch => "PATCH",
        }
    }

    /// Whether requests of it carry parameters in a body. A DELETE's body is ignored.
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(self, Verb::Post | Verb::Put | Verb::Patch)
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// Anyone who logged in; the handler leaves out what the caller may not see.
    Login,
    /// Who has this permission.
    Granted(Scope, Permission),
    /// Who has every permission of the release.
    Administrator,
}

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Body,
}

/// A parameter's JSON type, for the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Number,
    Bool,
    List,
    Object,
}

/// A parameter. Upstream takes one from the query or the body alike; `place` is where it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub place: Place,
    pub kind: Kind,
    pub required: bool,
    /// The default as JSON text; empty means none (`null`).
    pub default: &'static str,
    pub doc: &'static str,
    pub releases: Releases,
}

impl Param {
    const fn new(name: &'static str, place: Place, kind: Kind, required: bool) -> Self {
        Param { name, place, kind, required, default: "", doc: "", releases: Releases::ALL }
    }

    /// A part of the path.
    #[must_use]
    pub const fn path(name: &'static str) -> Self {
        Self::new(name, Place::Path, Kind::Text, true)
    }

    /// An optional query parameter.
    #[must_use]
    pub const fn query(name: &'static str, kind: Kind) -> Self {
        Self::new(name, Place::Query, kind, false)
    }

    /// An optional member of the body.
    #[must_use]
    pub const fn body(name: &'static str, kind: Kind) -> Self {
        Self::new(name, Place::Body, kind, false)
    }

    /// One that must be there.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// With a default, as JSON text.
    #[must_use]
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = json;
        self
    }

    /// With an explanation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Known since a release.
    #[must_use]
    pub const fn since(mut self, release: Release) -> Self {
        self.releases.since = release;
        self
    }
}

/// An operation that runs as a task: when it takes longer than the wait, the client gets 202 and asks `/api/task`.
#[derive(Clone, Copy, Debug)]
pub struct TaskRow {
    pub name: &'static str,
    /// Milliseconds.
    pub wait_ms: u64,
    /// (key, parameter): `("hostname", "hostname")`; a dotted parameter goes into an object.
    pub metadata: &'static [(&'static str, &'static str)],
}

/// The row.
#[derive(Clone, Copy)]
pub struct Operation {
    pub method: Verb,
    /// With `{parameters}` as whole segments.
    pub path: &'static str,
    /// `None`: any `Accept` will do and the reply is `application/json`.
    pub version: Option<ApiVersion>,
    pub access: Access,
    pub releases: Releases,
    /// Status of success.
    pub status: u16,
    /// Upstream's `@allow_empty_body`: no JSON body is demanded.
    pub empty_body: bool,
    /// Takes parameters that the row does not name.
    pub open: bool,
    pub params: &'static [Param],
    pub task: Option<TaskRow>,
    pub summary: &'static str,
    pub handler: Handler,
}

impl Operation {
    const fn new(method: Verb, path: &'static str, status: u16, handler: Handler) -> Self {
        Operation {
            method,
            path,
            version: Some(ApiVersion::DEFAULT),
            access: Access::Login,
            releases: Releases::ALL,
            status,
            empty_body: false,
            open: false,
            params: &[],
            task: None,
            summary: "",
            handler,
        }
    }

    /// `GET`: 200, permission read.
    #[must_use]
    pub const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Get, path, 200, handler)
    }

    /// `POST`: 201 as upstream's `create` (others say `.status(200)`), permission create.
    #[must_use]
    pub const fn post(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Post, path, 201, handler)
    }

    /// `PUT`: 200, permission update.
    #[must_use]
    pub const fn put(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Put, path, 200, handler)
    }

    /// `DELETE`: 204, permission delete.
    #[must_use]
    pub const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Delete, path, 204, handler)
    }

    /// Needs the method's usual permission within a scope.
    #[must_use]
    pub const fn scope(mut self, scope: Scope) -> Self {
        let permission = match self.method {
            Verb::Get => Permission::Read,
            Verb::Post => Permission::Create,
            Verb::Put | Verb::Patch => Permission::Update,
            Verb::Delete => Permission::Delete,
        };
        self.access = Access::Granted(scope, permission);
        self
    }

    /// Needs this permission.
    #[must_use]
    pub const fn may(mut self, scope: Scope, permission: Permission) -> Self {
        self.access = Access::Granted(scope, permission);
        self
    }

    /// For anyone.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// For administrators.
    #[must_use]
    pub const fn administrator(mut self) -> Self {
        self.access = Access::Administrator;
        self
    }

    /// Of another version than 1.0.
    #[must_use]
    pub const fn version(mut self, major: u32, minor: u32) -> Self {
        self.version = Some(ApiVersion::new(major, minor));
        self
    }

    /// Without a version.
    #[must_use]
    pub const fn unversioned(mut self) -> Self {
        self.version = None;
        self
    }

    /// Exists since a release.
    #[must_use]
    pub const fn since(mut self, release: Release) -> Self {
        self.releases.since = release;
        self
    }

    /// Does not exist any more in a release.
    #[must_use]
    pub const fn until(mut self, release: Release) -> Self {
        self.releases.until = Some(release);
        self
    }

    /// Another status of success.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// No JSON body is demanded.
    #[must_use]
    pub const fn empty_body(mut self) -> Self {
        self.empty_body = true;
        self
    }

    /// Takes parameters that the row does not name.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// With parameters. Those of the path need no row here unless they are explained.
    #[must_use]
    pub const fn params(mut self, params: &'static [Param]) -> Self {
        self.params = params;
        self
    }

    /// Runs as a task.
    #[must_use]
    pub const fn task(
        mut self,
        name: &'static str,
        wait_ms: u64,
        metadata: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.task = Some(TaskRow { name, wait_ms, metadata });
        self
    }

    /// A line for the document.
    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The parameters within the path, in order.
    pub fn path_params(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// A resource: a tag of the document with its operations.
#[derive(Clone, Copy)]
pub struct Resource {
    pub tag: &'static str,
    pub doc: &'static str,
    pub operations: &'static [Operation],
}
