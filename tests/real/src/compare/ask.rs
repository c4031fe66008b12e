//! A request to be asked of both managers.

use serde_json::{Value, json};

use crate::http::{self, Answer};

/// Whose token a request carries. The users are made once, by the stock manager; see `USERS` of the parent module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Role `administrator`.
    Admin,
    /// Role `read-only`.
    ReadOnly,
    /// Role `block-manager`: some scopes only.
    Limited,
    /// No token.
    Nobody,
    /// A token that nobody issued.
    Forged,
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub path: String,
    pub body: Option<Vec<u8>>,
    /// Of the media type; `None` sends no `Accept`.
    pub version: Option<&'static str>,
    pub who: Who,
    pub headers: Vec<(&'static str, &'static str)>,
}

pub fn get(path: impl Into<String>) -> Ask {
    Ask::new("GET", path)
}

pub fn delete(path: impl Into<String>) -> Ask {
    Ask::new("DELETE", path)
}

pub fn post(path: impl Into<String>, body: Value) -> Ask {
    Ask::new("POST", path).text(body.to_string())
}

pub fn put(path: impl Into<String>, body: Value) -> Ask {
    Ask::new("PUT", path).text(body.to_string())
}

impl Ask {
    pub fn new(method: &'static str, path: impl Into<String>) -> Ask {
        let path = path.into();
        Ask { method, path, body: None, version: Some("1.0"), who: Who::Admin, headers: Vec::new() }
    }

    /// A body as it stands, well-formed or not.
    pub fn text(mut self, body: impl Into<Vec<u8>>) -> Ask {
        self.body = Some(body.into());
        self
    }

    pub fn version(mut self, version: &'static str) -> Ask {
        self.version = Some(version);
        self
    }

    pub fn any_version(mut self) -> Ask {
        self.version = None;
        self
    }

    pub fn who(mut self, who: Who) -> Ask {
        self.who = who;
        self
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> Ask {
        self.headers.push((name, value));
        self
    }

    /// The same request of every kind of user.
    pub fn by_everyone(self) -> Vec<Ask> {
        let all = [Who::Admin, Who::ReadOnly, Who::Limited, Who::Nobody, Who::Forged];
        all.into_iter().map(|who| self.clone().who(who)).collect()
    }

    /// What rules match on.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Sends it, and gives status, the headers that clients look at, and body as one value to compare.
    pub fn send(&self, base: &str, token: Option<&str>) -> anyhow::Result<Value> {
        let accept = self.version.map(|v| format!("application/vnd.ceph.api.v{v}+json"));
        let authorization = token.map(|t| format!("Bearer {t}"));
        let mut headers = self.headers.clone();
        headers.extend(accept.as_deref().map(|a| ("accept", a)));
        headers.extend(authorization.as_deref().map(|a| ("authorization", a)));
        if self.body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        Ok(comparable(&http::send(base, self.method, &self.path, &headers, self.body.as_deref())?))
    }
}

impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(body) = &self.body {
            write!(f, " {}", String::from_utf8_lossy(body))?;
        }
        write!(f, " (version {}, {:?})", self.version.unwrap_or("-"), self.who)
    }
}

/// Headers that a client or browser acts on.
const HEADERS: [&str; 9] = [
    "content-type",
    "allow",
    "location",
    "set-cookie",
    "vary",
    "x-total-count",
    "content-security-policy",
    "x-content-type-options",
    "strict-transport-security",
];

fn comparable(answer: &Answer) -> Value {
    let mut headers = serde_json::Map::new();
    for name in HEADERS {
        let values = answer.headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        // The stock server's own session, which no operation reads; docs/differences.md.
        let values: Vec<String> =
            values.filter(|v| !v.starts_with("session_id=")).map(without_token).collect();
        if !values.is_empty() {
            headers.insert(name.to_owned(), values.join(", ").into());
        }
    }
    json!({"status": answer.status, "headers": headers, "body": answer.json()})
}

/// A cookie's attributes, not its secret.
fn without_token(value: &str) -> String {
    match value.split_once("token=") {
        Some((before, rest)) if !rest.starts_with(';') => {
            let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes);
            format!("{before}token=…;{attributes}")
        }
        _ => value.to_owned(),
    }
}
