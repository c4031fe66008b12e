//! TLS: the configured certificate, checked with a clear message, and the self-signed one that `ceph dashboard
//! create-self-signed-cert` makes. Upstream: `mgr_util.py` `verify_tls_files`, `create_self_signed_cert`.

use super::config::{Pem, Tls};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;
use std::time::Duration;

/// What a TLS listener needs, or what is wrong with the configuration.
pub fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, String> {
    let hint = "set it with 'ceph dashboard set-ssl-certificate' and 'set-ssl-certificate-key', \
                make one with 'ceph dashboard create-self-signed-cert', or switch HTTPS off with \
                'ceph config set mgr mgr/dashboard/ssl false'";
    let (Some(crt), Some(key)) = (&tls.crt, &tls.key) else {
        return Err(format!("no certificate configured: {hint}"));
    };
    let (crt, key) = (text(crt, "certificate")?, text(key, "private key")?);
    let certs: Vec<CertificateDer<'static>> = rustls_pemfile::certs(&mut crt.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| format!("the certificate is not PEM: {e}"))?;
    if certs.is_empty() {
        return Err("the certificate has no CERTIFICATE section".to_owned());
    }
    let key: PrivateKeyDer<'static> = rustls_pemfile::private_key(&mut key.as_bytes())
        .map_err(|e| format!("the private key is not PEM: {e}"))?
        .ok_or("the private key has no PRIVATE KEY section")?;
    let versions: &[&rustls::SupportedProtocolVersion] =
        if tls.unsafe_1_2 { rustls::ALL_VERSIONS } else { &[&rustls::version::TLS13] };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| format!("TLS cannot be set up: {e}"))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|e| format!("the private key cannot be used: {e}"))?;
    let certified = CertifiedKey::new(certs, key);
    match certified.keys_match() {
        // Upstream's self-signed certificates are X.509 version 1, which webpki does not read. They are sent as they
        // are; whether the key belongs to one shows at the first handshake.
        Ok(()) | Err(rustls::Error::InvalidCertificate(_)) => {}
        Err(e) => return Err(format!("certificate and private key do not go together: {e}")),
    }
    let mut config =
        builder.with_no_client_auth().with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn text(pem: &Pem, what: &str) -> Result<String, String> {
    match pem {
        Pem::Text(text) => Ok(text.clone()),
        Pem::File(name) => std::fs::read_to_string(name).map_err(|e| format!("{what} {name}: {e}")),
    }
}

/// A certificate and its key as PEM: organisation `IT`, name `ceph-dashboard`, ten years, as upstream's; the key is
/// ECDSA P-256 where upstream's is RSA.
pub fn self_signed() -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "IT");
    params.distinguished_name.push(DnType::CommonName, "ceph-dashboard");
    let now = std::time::SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + Duration::from_secs(10 * 365 * 86_400)).into();
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    fn tls(crt: &str, key: &str) -> Tls {
        let pem = |text: &str| Some(Pem::Text(text.to_owned()));
        Tls { crt: pem(crt), key: pem(key), unsafe_1_2: false }
    }

    #[test]
    fn a_self_signed_certificate_can_be_served() {
        let (crt, key) = self_signed().unwrap();
        assert!(server_config(&tls(&crt, &key)).is_ok());
    }

    #[test]
    fn a_certificate_of_version_1_can_be_served() {
        // Upstream's are: pyOpenSSL writes version 1 unless told otherwise.
        let (crt, key) = self_signed().unwrap();
        let der = rustls_pemfile::certs(&mut crt.as_bytes()).next().unwrap().unwrap().to_vec();
        let version = der.windows(5).position(|w| w == [0xa0, 3, 2, 1, 2]).unwrap() + 4;
        let der: Vec<u8> = der.iter().enumerate().map(|(i, b)| if i == version { 0 } else { *b }).collect();
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let crt = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        assert!(server_config(&tls(&crt, &key)).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (crt, key) = self_signed().unwrap();
        let (_, other) = self_signed().unwrap();
        let why = |tls: &Tls| server_config(tls).err().unwrap();
        assert!(why(&Tls { crt: None, ..tls("", &key) }).starts_with("no certificate configured"));
        assert!(why(&tls("x", &key)).contains("no CERTIFICATE"));
        assert!(why(&tls(&crt, "x")).contains("no PRIVATE KEY"));
        assert!(why(&tls(&crt, &other)).contains("do not go together"));
        let file = Tls { crt: Some(Pem::File("/nonexistent.crt".to_owned())), ..tls("", &key) };
        assert!(why(&file).contains("/nonexistent.crt"));
    }
}
