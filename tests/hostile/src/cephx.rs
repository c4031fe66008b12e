//! What a client shows our verifier, and what a monitor or a daemon answers to our proofs.

use axon_cephx::login::ExpectServerChallenge;
use axon_cephx::verifier::{ExpectAuthorizer, ServiceKeys};
use axon_cephx::wire::{
    AuthTicket, CephXAuthorize, CephXServerChallenge, CephXServiceTicketInfo, CephXTicketBlob,
    ExpiringCryptoKey, RotatingSecrets, auth_mode,
};
use axon_cephx::{Credentials, CryptoKey, KeyRing, KeyType, Principal, Usage, seal, seal_blob};
use axon_denc::{Encode, Features, Writer};
use axon_proto::{AuthEntity, EntityType, UTime};
use std::sync::Arc;
use zeroize::Zeroizing;

const NOW: UTime = UTime { sec: 1_000_000, nsec: 0 };

fn key(kind: KeyType, fill: u8) -> CryptoKey {
    CryptoKey::new(kind, NOW, Zeroizing::new(vec![fill; 32])).expect("a key of a known type")
}

fn rng(out: &mut [u8]) {
    out.fill(7);
}

fn service_keys() -> RotatingSecrets {
    let kinds = [(1, KeyType::AES), (2, KeyType::AES256KRB5)];
    let secrets =
        kinds.map(|(id, kind)| (id, ExpiringCryptoKey { key: key(kind, id as u8), expiration: NOW }));
    RotatingSecrets { secrets: secrets.into_iter().collect(), max_ver: 2 }
}

/// A client's authorizer, twice: the first one, and the answer to the challenge.
pub fn authorizer(data: &[u8]) {
    let (first, second) = halves(data);
    let rotating = service_keys();
    let keys = ServiceKeys { service: EntityType::MGR, rotating: &rotating };
    let Ok((_, next)) = ExpectAuthorizer.handle(first, keys, &mut rng) else { return };
    let _ = next.handle(second, keys, 64, &mut rng);
}

/// A monitor's challenge and its answer to our proof; replies over the session; a key file.
pub fn login(data: &[u8]) {
    let (first, second) = halves(data);
    let principal = Principal { name: AuthEntity::new(EntityType::MGR, "x"), key: key(KeyType::AES, 9) };
    let principal = Arc::new(principal);
    let start = ExpectServerChallenge::new(principal.clone(), None, 0x17);
    if let Ok((_, next)) = start.handle(first, &mut rng) {
        let _ = next.handle(4711, second, NOW);
    }
    let mut credentials = Credentials::default();
    let _ = credentials.handle_reply(&principal, first, NOW);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = KeyRing::parse(text, std::path::Path::new("keyring"));
        let _ = CryptoKey::from_base64(text);
    }
}

/// The first two bytes say where the second part begins.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let Some(([a, b], rest)) = data.split_first_chunk() else { return (data, &[]) };
    rest.split_at(usize::from(u16::from_le_bytes([*a, *b])).min(rest.len()))
}

fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    [&(first.len() as u16).to_le_bytes()[..], first, second].concat()
}

/// Authorizers that the verifier opens, with both kinds of key, and a challenge.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (secret_id, kind) in [(1, KeyType::AES), (2, KeyType::AES256KRB5)] {
        let session_key = key(kind, 33);
        let ticket =
            AuthTicket { global_id: 5, name: AuthEntity::new(EntityType::OSD, "3"), ..AuthTicket::default() };
        let info = CephXServiceTicketInfo { session_key: session_key.clone(), ticket };
        let Ok(blob) = seal(&info, &key(kind, secret_id as u8), Usage::TicketInfo, &mut rng) else {
            continue;
        };
        let authorizer = |answer: Option<u64>| {
            let mut w = Writer::new();
            w.u8(auth_mode::AUTHORIZER);
            w.u64(5);
            w.u32(u32::from(EntityType::MGR.0));
            w.value(&CephXTicketBlob { secret_id, blob: blob.clone().into() }, Features::ALL);
            let sealed = CephXAuthorize {
                nonce: 1,
                have_challenge: answer.is_some(),
                server_challenge_plus_one: answer.unwrap_or(0),
            };
            seal_blob(&mut w, &sealed, &session_key, Usage::Authorize, &mut rng).ok()?;
            Some(w.into_bytes())
        };
        let challenge = u64::from_le_bytes([7; 8]);
        if let (Some(first), Some(second)) = (authorizer(None), authorizer(Some(challenge.wrapping_add(1)))) {
            out.push(joined(&first, &second));
        }
    }
    let mut w = Writer::new();
    CephXServerChallenge { server_challenge: 3 }.encode(&mut w, Features::ALL);
    out.push(joined(w.as_slice(), &[0, 1, 0, 0, 0, 0]));
    out.push(
        b"[mgr.x]\n\tkey = AQB7AAAAyAEAABAAMTIzNDU2Nzg5MDEyMzQ1Ng==\n\tcaps mon = \"allow *\"\n".to_vec(),
    );
    out
}
