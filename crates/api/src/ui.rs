//! The stock web UI: static files of the distribution's package, by the client's language. Upstream: `controllers/home.py`.
//!
//! Invariants: nothing outside the folder of a language is served; whatever path no operation has ends here, and is 404
//! when there is no such file.

use crate::http::operation::Answer;
use crate::http::{ApiError, Reply};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the distribution puts it.
pub const DIST: &str = "/usr/share/ceph/mgr/dashboard/frontend/dist";
const LANGUAGES_MAX: usize = 10;

/// The folder with a folder per language.
#[derive(Clone, Debug)]
pub struct Ui {
    dist: PathBuf,
    languages: Vec<String>,
    default: String,
}

impl Ui {
    /// Looks which languages are there. A missing folder means an API without UI.
    #[must_use]
    pub fn new(dist: &Path) -> Self {
        let entries = std::fs::read_dir(dist).into_iter().flatten().flatten();
        let folders = entries.filter(|e| e.path().is_dir());
        let mut languages: Vec<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
        languages.sort();
        let package = dist.parent().map(|frontend| frontend.join("package.json"));
        let package = package.and_then(|path| std::fs::read(path).ok());
        let package: Option<serde_json::Value> =
            package.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let locale = package.as_ref().and_then(|p| p.pointer("/config/locale")).and_then(|l| l.as_str());
        Ui { dist: dist.to_owned(), languages, default: locale.unwrap_or("en-US").to_owned() }
    }

    /// The languages that are there.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// A file.
    pub async fn serve(&self, path: &str, headers: &HeaderMap) -> Answer {
        let language = self.language(headers)?.to_owned();
        let name = crate::http::query::unquote_twice(path.trim_start_matches('/'));
        let name = if name.is_empty() { "index.html" } else { &name };
        let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
        if !plain {
            return Err(ApiError::http(
                StatusCode::FORBIDDEN,
                "Request forbidden -- authorization will not help",
            ));
        }
        let file = self.dist.join(&language).join(name);
        let missing = |_| ApiError::not_found_path(path);
        let modified = tokio::fs::metadata(&file).await.map_err(missing)?;
        if !modified.is_file() {
            return Err(ApiError::not_found_path(path));
        }
        let modified = http_date(modified.modified().unwrap_or(UNIX_EPOCH));
        let fresh = headers.get(header::IF_MODIFIED_SINCE).is_some_and(|since| since == modified.as_str());
        let bytes = match fresh {
            true => Bytes::new(),
            false => Bytes::from(tokio::fs::read(&file).await.map_err(missing)?),
        };
        let mut reply = Reply::bytes(bytes);
        reply.status = Some(if fresh { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        reply.content_type = Some(HeaderValue::from_static(media_type(name)));
        let text = |text: &str| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        reply.headers.insert(header::LAST_MODIFIED, text(&modified));
        reply.headers.insert(header::CONTENT_LANGUAGE, text(&language));
        reply.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(reply)
    }

    /// The folder for a client: cookie `cd-lang`, else the best of `Accept-Language`.
    fn language(&self, headers: &HeaderMap) -> Result<&str, ApiError> {
        let cookies = headers.get(header::COOKIE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let mut cookies = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let asked = match cookies.find(|(name, _)| *name == "cd-lang") {
            Some((_, tag)) => vec![tag.to_lowercase()],
            None => match headers.get(header::ACCEPT_LANGUAGE) {
                Some(value) => accepted(value.to_str().unwrap_or("*"))?,
                None => Vec::new(),
            },
        };
        Ok(asked.iter().find_map(|tag| self.folder(tag)).unwrap_or(&self.default))
    }

    fn folder(&self, tag: &str) -> Option<&str> {
        let exact = self.languages.iter().find(|l| l.to_lowercase() == tag);
        let primary =
            || self.languages.iter().rev().find(|l| l.to_lowercase().split('-').next() == Some(tag));
        exact.or_else(primary).map(String::as_str)
    }
}

/// Language tags, most wanted first.
fn accepted(header: &str) -> Result<Vec<String>, ApiError> {
    let malformed = || ApiError::http(StatusCode::BAD_REQUEST, "Malformed 'Accept-Language' header");
    let mut tags = Vec::new();
    let items = header.split(',').map(str::trim).filter(|item| !item.is_empty());
    for item in items.take(LANGUAGES_MAX) {
        let (tag, weight) = item.split_once(";q=").unwrap_or((item, "1.0"));
        let weight: f32 = weight.parse().map_err(|_| malformed())?;
        let parts_ok = |p: &str| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric());
        if tag != "*" && !tag.split('-').all(parts_ok) {
            return Err(malformed());
        }
        tags.push((tag.to_lowercase(), weight));
    }
    tags.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(tags.into_iter().map(|(tag, _)| tag).collect())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html;charset=utf-8",
        "js" => "application/javascript",
        "css" => "text/css",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/vnd.microsoft.icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "eot" => "application/vnd.ms-fontobject",
        "txt" => "text/plain;charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn http_date(at: SystemTime) -> String {
    httpdate::fmt_http_date(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(name: &str) -> Ui {
        let dist = std::env::temp_dir().join(format!("axon-ui-{}-{name}", std::process::id())).join("dist");
        for (language, text) in [("en-US", "english"), ("de", "deutsch")] {
            std::fs::create_dir_all(dist.join(language)).unwrap();
            std::fs::write(dist.join(language).join("index.html"), text).unwrap();
        }
        std::fs::write(dist.join("secret"), "no").unwrap();
        Ui::new(&dist)
    }

    async fn get(ui: &Ui, path: &str, header: (&'static str, &'static str)) -> Result<String, u16> {
        let name = http::HeaderName::from_static(header.0);
        let headers = [(name, HeaderValue::from_static(header.1))].into_iter().collect();
        let reply = ui.serve(path, &headers).await.map_err(|e| e.status().as_u16())?;
        match reply.body {
            crate::http::reply::Body::Bytes(bytes) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
            _ => Err(0),
        }
    }

    #[tokio::test]
    async fn the_best_language_is_served() {
        let ui = ui("language");
        let accept = |value| ("accept-language", value);
        assert_eq!(get(&ui, "/", accept("fr, de;q=0.5, en;q=0.4")).await.unwrap(), "deutsch");
        assert_eq!(get(&ui, "/index.html", accept("en")).await.unwrap(), "english");
        assert_eq!(get(&ui, "/", ("cookie", "cd-lang=DE")).await.unwrap(), "deutsch");
        assert_eq!(get(&ui, "/", accept("xx")).await.unwrap(), "english");
        assert_eq!(get(&ui, "/", accept("en;q=x")).await, Err(400));
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        let ui = ui("outside");
        for path in ["/../secret", "/%2e%2e/secret", "/%252e%252e/secret", "//etc/passwd/../../x"] {
            assert!(matches!(get(&ui, path, ("accept", "*/*")).await, Err(403 | 404)), "{path}");
        }
        assert_eq!(get(&ui, "/nothing", ("accept", "*/*")).await, Err(404));
    }
}
