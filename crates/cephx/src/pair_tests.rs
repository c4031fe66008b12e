//! A client, a monitor of the test's own and our verifier talk to each other, with both key types. The monitor is written
//! from upstream's facts (`CephxServiceHandler.cc`), on the same sealed blocks.

use crate::login::{ExpectServerChallenge, LoggedIn};
use crate::verifier::{ExpectAuthorizer, ServiceKeys};
use crate::wire::*;
use crate::*;
use axon_denc::{Decode, Encode, Features, Reader, Writer};
use axon_proto::{AuthEntity, EntityType, UTime};
use std::sync::Arc;
use zeroize::Zeroizing;

const TYPES: [KeyType; 2] = [KeyType::AES, KeyType::AES256KRB5];
const NOW: UTime = UTime { sec: 1_000_000, nsec: 0 };

/// A counter: every draw differs, every run is the same.
fn rng() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |out: &mut [u8]| {
        for byte in out {
            next = next.wrapping_add(31);
            *byte = next;
        }
    }
}

fn key(kind: KeyType, fill: u8) -> CryptoKey {
    CryptoKey::new(kind, NOW, Zeroizing::new(vec![fill; 32])).unwrap()
}

fn later(secs: u32) -> UTime {
    UTime { sec: NOW.sec + secs, nsec: 0 }
}

fn mgr_x() -> AuthEntity {
    AuthEntity::new(EntityType::MGR, "x")
}

struct Monitor {
    kind: KeyType,
    key_of_mgr_x: CryptoKey,
    challenge: u64,
    global_id: u64,
    validity_secs: u32,
}

impl Monitor {
    fn new(kind: KeyType) -> Self {
        let key_of_mgr_x = key(kind, 9);
        Monitor { kind, key_of_mgr_x, challenge: 0x1122_3344, global_id: 4711, validity_secs: 3600 }
    }

    fn rotating(&self, service: EntityType) -> RotatingSecrets {
        let keys = (1..=3u8).map(|id| {
            let key = key(self.kind, service.0 ^ (id * 64));
            (u64::from(id), ExpiringCryptoKey { key, expiration: later(3600 * u32::from(id)) })
        });
        RotatingSecrets { secrets: keys.collect(), max_ver: 3 }
    }

    fn session_key(&self, service: EntityType) -> CryptoKey {
        key(self.kind, 100 + service.0)
    }

    /// `cephx_build_service_ticket_reply`.
    fn tickets(&self, services: u32, seal_with: &CryptoKey, old: Option<&CryptoKey>) -> Vec<u8> {
        let mut rng = rng();
        let services: Vec<_> =
            (0..8).map(|b| EntityType(1 << b)).filter(|s| services & u32::from(s.0) != 0).collect();
        let mut w = Writer::new();
        w.u8(1);
        w.u32(services.len() as u32);
        for service in services {
            w.u32(u32::from(service.0));
            w.u8(1);
            let session_key = self.session_key(service);
            let part = CephXServiceTicket {
                session_key: session_key.clone(),
                validity: UTime { sec: self.validity_secs, nsec: 0 },
            };
            seal_blob(&mut w, &part, seal_with, Usage::TicketSessionKey, &mut rng).unwrap();
            let info = CephXServiceTicketInfo {
                ticket: AuthTicket {
                    name: mgr_x(),
                    global_id: self.global_id,
                    caps: AuthCapsInfo::from_text("allow *"),
                    ..Default::default()
                },
                session_key,
            };
            let rotating = self.rotating(service);
            let sealed = seal(&info, rotating.key(2).unwrap(), Usage::TicketInfo, &mut rng).unwrap();
            let blob = CephXTicketBlob { secret_id: 2, blob: sealed.into() }.to_bytes(Features::ALL);
            w.bool(old.is_some());
            match old {
                Some(old) => seal_blob(&mut w, &blob, old, Usage::TicketBlob, &mut rng).unwrap(),
                None => w.blob(&blob),
            }
        }
        w.into_vec()
    }

    fn header(&self, request_type: u16) -> Writer {
        let mut w = Writer::new();
        w.value(&CephXResponseHeader { request_type, status: 0 }, Features::ALL);
        w
    }

    /// Answers any request, as `CephxServiceHandler::handle_request`.
    fn answer(&self, request: &[u8], secret: &[u8]) -> std::result::Result<Vec<u8>, &'static str> {
        let mut r = Reader::new(request);
        match r.u16().unwrap() {
            request::AUTH_SESSION_KEY => {
                let proof: CephXAuthenticate = r.value().unwrap();
                let expect =
                    client_server_challenge(&self.key_of_mgr_x, self.challenge, proof.client_challenge);
                if proof.key != expect.unwrap() {
                    return Err("EACCES");
                }
                let auth = EntityType::AUTH;
                let old = (!proof.old_ticket.blob.is_empty()).then(|| self.session_key(auth));
                let mut w = self.header(request::AUTH_SESSION_KEY);
                w.put(&self.tickets(u32::from(auth.0), &self.key_of_mgr_x, old.as_ref()));
                let session_key = self.session_key(auth);
                let mut sealed = Writer::new();
                let secret = bytes::Bytes::copy_from_slice(secret);
                let usage = Usage::AuthConnectionSecret;
                seal_blob(&mut sealed, &secret, &session_key, usage, &mut rng()).unwrap();
                w.blob(sealed.as_slice());
                w.blob(&self.tickets(proof.other_keys & !u32::from(auth.0), &session_key, None));
                Ok(w.into_vec())
            }
            request::PRINCIPAL_SESSION_KEY => {
                // The authorizer: mode, global id, service, ticket, sealed nonce.
                r.skip(1 + 8 + 4).unwrap();
                let _: CephXTicketBlob = r.value().unwrap();
                r.blob().unwrap();
                let asked: CephXServiceTicketRequest = r.value().unwrap();
                let mut w = self.header(request::PRINCIPAL_SESSION_KEY);
                w.put(&self.tickets(asked.keys, &self.session_key(EntityType::AUTH), None));
                Ok(w.into_vec())
            }
            request::ROTATING_KEY => {
                let mut w = self.header(request::ROTATING_KEY);
                let keys = self.rotating(EntityType::MGR);
                let usage = Usage::RotatingSecret;
                seal_blob(&mut w, &keys, &self.key_of_mgr_x, usage, &mut rng()).unwrap();
                Ok(w.into_vec())
            }
            _ => Err("EINVAL"),
        }
    }

    fn opening(&self) -> bytes::Bytes {
        CephXServerChallenge { server_challenge: self.challenge }.to_bytes(Features::ALL)
    }
}

const WANT: u32 = 0x01 | 0x02 | 0x04 | 0x10;

fn principal(kind: KeyType, fill: u8) -> Arc<Principal> {
    Arc::new(Principal { name: mgr_x(), key: key(kind, fill) })
}

fn login(mon: &Monitor, prior: Option<Credentials>, secret: &[u8]) -> LoggedIn {
    let start = ExpectServerChallenge::new(principal(mon.kind, 9), prior, WANT);
    let (request, next) = start.handle(&mon.opening(), &mut rng()).unwrap();
    let answer = mon.answer(&request, secret).unwrap();
    // The one cut that is an answer by itself is a monitor's of before 14, right behind the auth ticket. A list of service
    // tickets that was cut inside its blob is tolerated too, but no cut of the payload does that.
    let short: Vec<_> = (0..answer.len())
        .filter_map(|len| next.clone().handle(mon.global_id, &answer[..len], NOW).ok())
        .collect();
    assert_eq!(short.len(), 1);
    assert!(short[0].connection_secret.is_empty());
    next.handle(mon.global_id, &answer, NOW).unwrap()
}

#[test]
fn a_login_brings_the_global_id_the_secret_and_every_ticket() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let got = login(&mon, None, &[5; 64]);
        assert_eq!(&got.connection_secret[..], [5; 64]);
        assert_eq!(got.session_key, mon.session_key(EntityType::AUTH));
        assert_eq!(got.credentials.global_id, 4711);
        assert_eq!(got.credentials.tickets.due(WANT, NOW), 0);
        assert_eq!(login(&mon, None, &[]).connection_secret.len(), 0, "CRC mode has no secret");
    }
}

#[test]
fn a_later_login_reclaims_the_global_id_with_the_old_ticket() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let first = login(&mon, None, &[]);
        let start = ExpectServerChallenge::new(principal(kind, 9), Some(first.credentials.clone()), WANT);
        assert_eq!(start.global_id(), 4711);
        let (request, _) = start.handle(&mon.opening(), &mut rng()).unwrap();
        let proof = CephXAuthenticate::from_bytes(&request[2..]).unwrap();
        let shown = first.credentials.tickets.ticket(EntityType::AUTH).unwrap();
        assert_eq!((proof.version, &proof.old_ticket), (3, &shown.blob));
        let again = login(&mon, Some(first.credentials), &[]);
        assert_eq!(again.credentials.tickets.due(WANT, NOW), 0);
    }
}

#[test]
fn a_wrong_key_is_refused_by_the_monitor_and_named_when_it_lets_it_pass() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let start = ExpectServerChallenge::new(principal(kind, 8), None, WANT);
        let (request, next) = start.handle(&mon.opening(), &mut rng()).unwrap();
        assert_eq!(mon.answer(&request, &[]), Err("EACCES"));

        let (right, _) = ExpectServerChallenge::new(principal(kind, 9), None, WANT)
            .handle(&mon.opening(), &mut rng())
            .unwrap();
        let e = next.handle(1, &mon.answer(&right, &[]).unwrap(), NOW).unwrap_err();
        assert!(e.to_string().contains("wrong key for mgr.x"), "{e}");
    }
}

#[test]
fn tickets_are_renewed_over_the_session_before_they_expire() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let principal = principal(kind, 9);
        let mut rights = login(&mon, None, &[]).credentials;
        let ask =
            |rights: &Credentials, now| rights.renewal_request(&principal, WANT, now, &mut rng()).unwrap();
        assert_eq!(ask(&rights, later(2699)), None, "three quarters of an hour are not over");

        // All due: the auth ticket comes first, with the others in the same answer.
        let request = ask(&rights, later(2700)).unwrap();
        assert_eq!(request[..2], request::AUTH_SESSION_KEY.to_le_bytes());
        let answer = mon.answer(&request, &[]).unwrap();
        rights.handle_reply(&principal, &answer, later(2700)).unwrap();
        assert_eq!(rights.tickets.due(WANT, later(2700)), 0);

        rights.tickets.invalidate(EntityType::MGR);
        assert_eq!(ask(&rights, later(2701)), None, "a mgr ticket alone is no reason to ask");
        rights.tickets.invalidate(EntityType::OSD);
        let request = ask(&rights, later(2701)).unwrap();
        assert_eq!(request[..2], request::PRINCIPAL_SESSION_KEY.to_le_bytes());
        let answer = mon.answer(&request, &[]).unwrap();
        let got = rights.handle_reply(&principal, &answer, later(2701)).unwrap();
        assert_eq!(got, Reply::Tickets(0x04 | 0x10));
        assert_eq!(rights.tickets.due(WANT, later(2701)), 0);
    }
}

#[test]
fn rotating_keys_open_with_the_principals_key_only() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let mut rights = login(&mon, None, &[]).credentials;
        let answer = mon.answer(&Credentials::rotating_request(), &[]).unwrap();
        let got = rights.handle_reply(&principal(kind, 9), &answer, NOW).unwrap();
        assert_eq!(got, Reply::Rotating(mon.rotating(EntityType::MGR)));
        let e = rights.handle_reply(&principal(kind, 8), &answer, NOW).unwrap_err();
        assert!(e.to_string().contains("wrong key for mgr.x"), "{e}");
    }
}

#[test]
fn a_daemon_and_its_client_prove_themselves_to_each_other() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let rotating = mon.rotating(EntityType::MGR);
        let keys = ServiceKeys { service: EntityType::MGR, rotating: &rotating };
        let rights = login(&mon, None, &[]).credentials;
        let (first, client) = rights.authorizer(EntityType::MGR, &mut rng()).unwrap();
        for len in 0..first.len() {
            assert!(ExpectAuthorizer.handle(&first[..len], keys, &mut rng()).is_err(), "cut at {len}");
        }
        let (challenge, server) = ExpectAuthorizer.handle(&first, keys, &mut rng()).unwrap();
        let unanswered = server.clone().handle(&first, keys, 0, &mut rng());
        assert_eq!(unanswered.unwrap_err(), Error::ChallengeIgnored);

        let second = client.handle_challenge(&challenge, &mut rng()).unwrap();
        let accepted = server.handle(&second, keys, 64, &mut rng()).unwrap();
        assert_eq!((accepted.ticket.name, accepted.ticket.global_id), (mgr_x(), 4711));
        assert_eq!(accepted.ticket.caps.text().unwrap().unwrap(), "allow *");
        let proved = client.clone().handle_reply(&accepted.reply).unwrap();
        assert_eq!(proved.session_key, accepted.session_key);
        assert_eq!(proved.connection_secret, accepted.connection_secret);
        assert_eq!(proved.connection_secret.len(), 64);

        // Another attempt's nonce does not fit this proof, and this answer does not fit another challenge.
        let mut other = rng();
        let (_, stranger) = rights
            .authorizer(EntityType::MGR, &mut |b: &mut [u8]| {
                other(b);
                b.reverse();
            })
            .unwrap();
        assert_eq!(stranger.handle_reply(&accepted.reply).unwrap_err(), Error::BadNonce);
        let mut skewed = rng();
        skewed(&mut [0; 3]);
        let (_, server) = ExpectAuthorizer.handle(&first, keys, &mut skewed).unwrap();
        assert_eq!(server.handle(&second, keys, 0, &mut rng()).unwrap_err(), Error::BadChallenge);
    }
}

#[test]
fn a_daemon_refuses_what_it_cannot_open_and_says_why() {
    let mon = Monitor::new(KeyType::AES256KRB5);
    let rights = login(&mon, None, &[]).credentials;
    let refuse = |service, rotating: &RotatingSecrets, payload: &[u8]| {
        ExpectAuthorizer.handle(payload, ServiceKeys { service, rotating }, &mut rng()).unwrap_err()
    };
    let (payload, _) = rights.authorizer(EntityType::OSD, &mut rng()).unwrap();
    let osd_keys = mon.rotating(EntityType::OSD);
    let mgr_keys = mon.rotating(EntityType::MGR);
    assert_eq!(
        refuse(EntityType::MGR, &mgr_keys, &payload),
        Error::WrongService { got: EntityType::OSD, ours: EntityType::MGR }
    );
    assert_eq!(
        refuse(EntityType::OSD, &RotatingSecrets::default(), &payload),
        Error::UnknownServiceKey { service: EntityType::OSD, secret_id: 2 }
    );
    let e = refuse(EntityType::OSD, &mgr_keys, &payload);
    assert_eq!(e.to_string(), "cannot open the service ticket: it was not made with rotating osd key 2");
    let mut forged = payload.to_vec();
    forged[1] ^= 1;
    assert_eq!(
        refuse(EntityType::OSD, &osd_keys, &forged),
        Error::GlobalIdMismatch { claimed: 4710, ticket: 4711 }
    );
    for at in 13..payload.len() {
        let mut forged = payload.to_vec();
        forged[at] ^= 0x80;
        assert!(
            ExpectAuthorizer
                .handle(&forged, ServiceKeys { service: EntityType::OSD, rotating: &osd_keys }, &mut rng())
                .is_err()
                // The version byte of the ticket blob carries no meaning.
                || at == 13,
            "byte {at} is protected"
        );
    }
    assert_eq!(
        rights.authorizer(EntityType::CLIENT, &mut rng()).unwrap_err(),
        Error::NoTicket(EntityType::CLIENT)
    );
}

#[test]
fn the_proof_of_a_key_is_upstreams_fold_of_the_sealed_challenges() {
    // AES: 4 bytes of length and 32 of ciphertext are four whole words and a partial one.
    let aes = key(KeyType::AES, 9);
    let mut w = Writer::new();
    let blob = CephXChallengeBlob { server_challenge: 1, client_challenge: 2 };
    seal_blob(&mut w, &blob, &aes, Usage::Authorize, &mut rng()).unwrap();
    assert_eq!(w.len(), 36);
    let words = w.as_slice().chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().unwrap()));
    assert_eq!(client_server_challenge(&aes, 1, 2).unwrap(), words.fold(0, |a, b| a ^ b));
    // aes256k: the same for every call, though sealing is random.
    let new = key(KeyType::AES256KRB5, 9);
    assert_eq!(client_server_challenge(&new, 1, 2), client_server_challenge(&new, 1, 2));
    assert_eq!(client_server_challenge(&CryptoKey::default(), 1, 2), Err(Error::EmptyKey));
}

#[test]
fn debug_shows_no_secret() {
    for kind in TYPES {
        let mon = Monitor::new(kind);
        let got = login(&mon, None, &[0xa5; 64]);
        let rotating = mon.rotating(EntityType::MGR);
        let keys = ServiceKeys { service: EntityType::MGR, rotating: &rotating };
        let (first, client) = got.credentials.authorizer(EntityType::MGR, &mut rng()).unwrap();
        let (challenge, server) = ExpectAuthorizer.handle(&first, keys, &mut rng()).unwrap();
        let second = client.handle_challenge(&challenge, &mut rng()).unwrap();
        let accepted = server.handle(&second, keys, 64, &mut rng()).unwrap();
        let secrets: [&[u8]; 4] = [
            got.session_key.secret(),
            accepted.session_key.secret(),
            &accepted.connection_secret,
            mon.key_of_mgr_x.secret(),
        ];
        let shown = format!("{got:?} {accepted:?} {client:?} {rotating:?} {keys:?} {:?}", principal(kind, 9));
        for secret in secrets {
            let as_list = format!("{:?}", &secret[..8]);
            let as_list = as_list.trim_matches(['[', ']']);
            assert!(!shown.contains(as_list), "{as_list}");
        }
        let text = mon.key_of_mgr_x.to_base64();
        assert!(!shown.contains(text.as_str()) && !shown.contains("165, 165, 165"));
    }
}
