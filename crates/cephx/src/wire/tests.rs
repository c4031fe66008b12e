//! Every type against the bytes that Ceph's own daemons encoded, when the corpus is there (`AXON_CORPUS`, or
//! `../shared/corpus` beside the workspace).

use super::*;
use crate::CryptoKey;
use axon_denc::{Decode, Encode, Features, Reader};
use axon_proto::AuthEntity;
use std::path::PathBuf;

fn corpus() -> PathBuf {
    std::env::var_os("AXON_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    )
}

fn round_trip<T: Encode + Decode>(type_name: &str, tail_of: fn(&[u8]) -> usize) {
    for release in ["16.2.0", "18.2.0"] {
        let Ok(files) = std::fs::read_dir(corpus().join(release).join(type_name)) else { continue };
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let mut r = Reader::new(&bytes);
            let value = T::decode(&mut r).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(r.is_empty(), "{} has {} more bytes", path.display(), r.remaining());
            let mut again = value.to_bytes(Features::ALL).to_vec();
            let mut want = bytes.clone();
            let keep = tail_of(&bytes);
            again.truncate(keep);
            want.truncate(keep);
            assert_eq!(again, want, "{}", path.display());
            for len in 0..bytes.len() {
                assert!(T::from_bytes(&bytes[..len]).is_err(), "{} cut at {len}", path.display());
            }
        }
    }
}

#[test]
fn bytes_of_real_daemons_round_trip_and_every_truncation_is_refused() {
    fn whole(bytes: &[u8]) -> usize {
        bytes.len()
    }
    round_trip::<AuthCapsInfo>("AuthCapsInfo", whole);
    round_trip::<AuthTicket>("AuthTicket", whole);
    round_trip::<CephXAuthenticate>("CephXAuthenticate", whole);
    round_trip::<CephXAuthorize>("CephXAuthorize", whole);
    round_trip::<CephXAuthorizeChallenge>("CephXAuthorizeChallenge", whole);
    round_trip::<CephXAuthorizeReply>("CephXAuthorizeReply", whole);
    round_trip::<CephXChallengeBlob>("CephXChallengeBlob", whole);
    round_trip::<CephXRequestHeader>("CephXRequestHeader", whole);
    round_trip::<CephXResponseHeader>("CephXResponseHeader", whole);
    round_trip::<CephXServerChallenge>("CephXServerChallenge", whole);
    round_trip::<CephXServiceTicket>("CephXServiceTicket", whole);
    round_trip::<CephXServiceTicketInfo>("CephXServiceTicketInfo", whole);
    round_trip::<CephXServiceTicketRequest>("CephXServiceTicketRequest", whole);
    round_trip::<CephXTicketBlob>("CephXTicketBlob", whole);
    round_trip::<CryptoKey>("CryptoKey", whole);
    round_trip::<EntityAuth>("EntityAuth", whole);
    round_trip::<AuthEntity>("EntityName", whole);
    round_trip::<ExpiringCryptoKey>("ExpiringCryptoKey", whole);
    round_trip::<RotatingSecrets>("RotatingSecrets", whole);
}

#[test]
fn an_older_client_sends_its_proof_without_a_mask_of_services() {
    let v1 = CephXAuthenticate {
        version: 1,
        client_challenge: 1,
        key: 2,
        old_ticket: CephXTicketBlob::default(),
        other_keys: 0,
    };
    let bytes = v1.to_bytes(Features::ALL);
    assert_eq!(bytes.len(), 1 + 8 + 8 + 13);
    assert_eq!(CephXAuthenticate::from_bytes(&bytes).unwrap(), v1);
}

#[test]
fn rotating_keys_are_stale_when_one_is_missing_or_the_current_one_has_expired() {
    use axon_proto::UTime;
    let key = |sec| ExpiringCryptoKey { expiration: UTime { sec, nsec: 0 }, ..Default::default() };
    let at = |sec| UTime { sec, nsec: 0 };
    let mut keys = RotatingSecrets { secrets: [(4, key(100)), (5, key(200))].into(), max_ver: 5 };
    assert!(keys.stale(at(0)));
    keys.secrets.insert(6, key(300));
    assert!(!keys.stale(at(199)));
    assert!(keys.stale(at(200)));
}
