//! What to listen on, as the module's options say it.

use crate::dashboard::MODULE;
use crate::http::call::truth;
use axon_core::State;
use std::net::{IpAddr, Ipv6Addr};

/// Everything that makes the server bind anew when it changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Listen {
    pub addr: String,
    pub port: u16,
    pub tls: Option<Tls>,
    /// Empty, or `/prefix`.
    pub prefix: String,
    /// Read when the server starts, as upstream.
    cross_origin_url: String,
}

/// Certificate and key as PEM, or as names of files.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    pub crt: Option<Pem>,
    pub key: Option<Pem>,
    /// TLS 1.2 is allowed (`UNSAFE_TLS_v1_2`, up to Reef).
    pub unsafe_1_2: bool,
}

/// Where PEM text is.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    Text(String),
    File(String),
}

impl Listen {
    /// From the options, this manager's own first.
    #[must_use]
    pub fn read(state: &State) -> Listen {
        let option = |name: &str| state.module_option(MODULE, name).filter(|text| !text.is_empty());
        let is = |name: &str, default| option(name).and_then(truth).unwrap_or(default);
        let port = |name: &str, default| option(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let pem = |stored: &str, file: &str| {
            let text = state.localized_module_store(MODULE, stored).map(|text| Pem::Text(text.to_owned()));
            text.or_else(|| option(file).map(|name| Pem::File(name.to_owned())))
        };
        let ssl = is("ssl", true);
        let tls = ssl.then(|| Tls {
            crt: pem("crt", "crt_file"),
            key: pem("key", "key_file"),
            unsafe_1_2: u32::from(state.release.number()) < 20 && is("UNSAFE_TLS_v1_2", false),
        });
        let prefix = option("url_prefix").unwrap_or("").trim_matches('/');
        Listen {
            addr: option("server_addr").unwrap_or("::").to_owned(),
            port: if ssl { port("ssl_server_port", 8443) } else { port("server_port", 8080) },
            tls,
            prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            cross_origin_url: option("cross_origin_url").unwrap_or("").to_owned(),
        }
    }

    /// The URI for others.
    #[must_use]
    pub fn uri(&self, public_ip: Option<IpAddr>, hostname: &str) -> String {
        let everywhere = matches!(self.addr.as_str(), "::" | "0.0.0.0");
        let host = match public_ip {
            Some(ip) if everywhere => ip.to_string(),
            None if everywhere => hostname.to_owned(),
            _ => self.addr.clone(),
        };
        let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}{}/", self.port, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::Kv;
    use axon_core::state::Identity;
    use std::sync::Arc;

    fn state(options: &[(&str, &str)]) -> State {
        let options = options.iter().map(|(k, v)| (format!("mgr/dashboard/{k}"), (*v).to_owned()));
        State {
            options: Arc::new(options.collect()),
            me: Arc::new(Identity { id: "x".to_owned(), ..Identity::default() }),
            kv: Kv::from_entries([("mgr/dashboard/crt", "C"), ("mgr/dashboard/x/crt", "MINE")]),
            ..State::default()
        }
    }

    #[test]
    fn https_on_8443_is_the_default_and_the_managers_own_certificate_wins() {
        let listen = Listen::read(&state(&[]));
        assert_eq!((listen.addr.as_str(), listen.port), ("::", 8443));
        assert!(listen.tls.as_ref().unwrap().crt == Some(Pem::Text("MINE".to_owned())));
        assert_eq!(listen.uri(Some("10.0.0.7".parse().unwrap()), "h"), "https://10.0.0.7:8443/");
        assert_eq!(listen.uri(Some("fe80::1".parse().unwrap()), "h"), "https://[fe80::1]:8443/");
        assert_eq!(listen.uri(None, "h"), "https://h:8443/");
    }

    #[test]
    fn options_and_their_localized_form_are_taken() {
        let options =
            [("ssl", "false"), ("server_port", "1"), ("x/server_port", "2"), ("url_prefix", "/ceph/")];
        let listen = Listen::read(&state(&[&options[..], &[("server_addr", "127.0.0.1")]].concat()));
        assert_eq!(listen.uri(None, "h"), "http://127.0.0.1:2/ceph/");
    }
}
