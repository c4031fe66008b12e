//! Verifying who connects to us (`MonClient::handle_auth_request` of a daemon): payloads of mode AUTHORIZER, opened with our service's
//! rotating keys. What a verified peer may do is decided by its caps, elsewhere.

use super::none::AuthNoneAuthorizer;
use super::{AuthContext, AuthPolicy, OsRandom, connection_secret_bytes, denied, keys};
use axon_cephx::verifier::{ExpectAuthorizer, ExpectChallengeAnswer};
use axon_cephx::wire::auth_mode;
use axon_msgr::auth::{AuthError, AuthKeys, PeerIdentity, ServerAuth, ServerStep, method};
use axon_proto::EntityType;
use bytes::Bytes;
use std::sync::Arc;

/// One verification on one connection.
pub struct CephxServerAuth {
    context: Arc<AuthContext>,
    policy: Arc<AuthPolicy>,
    peer: EntityType,
    con_mode: u32,
    /// `None`: a first authorizer is expected.
    challenged: Option<ExpectChallengeAnswer>,
}

impl CephxServerAuth {
    #[must_use]
    pub fn new(context: Arc<AuthContext>, policy: Arc<AuthPolicy>) -> Self {
        CephxServerAuth { context, policy, peer: EntityType::NONE, con_mode: 0, challenged: None }
    }

    fn refuse(&mut self, used: u32, e: &AuthError) -> ServerStep {
        self.challenged = None;
        tracing::info!(peer = self.peer.name(), method = used, "connection refused: {e}");
        ServerStep::BadMethod {
            errno: e.errno,
            allowed_methods: self.policy.methods(self.peer).to_vec(),
            allowed_modes: self.policy.modes(self.peer, used),
        }
    }

    fn first(&mut self, used: u32, preferred: &[u32], payload: &[u8]) -> Result<ServerStep, AuthError> {
        let peer = self.peer;
        let not_supported = |why| AuthError { errno: EOPNOTSUPP, why };
        if !self.policy.authorizer_methods(peer).contains(&used) {
            return Err(not_supported(format!("method {used} is not allowed for an {}", peer.name())));
        }
        self.con_mode = self.policy.pick_mode(peer, used, preferred).ok_or_else(|| {
            not_supported(format!(
                "none of the connection modes {preferred:?} is allowed for an {}",
                peer.name()
            ))
        })?;
        match payload.first() {
            Some(auth_mode::AUTHORIZER..=auth_mode::AUTHORIZER_MAX) => {}
            Some(mode) => return Err(AuthError::denied(format!("auth mode {mode} is not for this daemon"))),
            None => return Err(AuthError::denied("the peer shows no authorizer")),
        }
        if used == method::NONE {
            return accept_unproved(payload, self.con_mode);
        }
        let verify = |keys: axon_cephx::verifier::ServiceKeys<'_>| {
            ExpectAuthorizer.handle(payload, keys, &mut OsRandom)
        };
        let (challenge, next) = self.context.with_service_keys(verify).map_err(|e| denied(&e))?;
        self.challenged = Some(next);
        Ok(ServerStep::More(challenge))
    }

    fn second(&mut self, payload: &[u8]) -> Result<ServerStep, AuthError> {
        let Some(step) = self.challenged.take() else {
            return Err(AuthError::denied("the peer answers a challenge that was not sent"));
        };
        let secret_bytes = connection_secret_bytes(self.con_mode);
        let accepted = self
            .context
            .with_service_keys(|keys| step.handle(payload, keys, secret_bytes, &mut OsRandom))
            .map_err(|e| denied(&e))?;
        let mut keys = keys(&accepted.session_key, accepted.connection_secret, self.con_mode)?;
        keys.signer = keys.signer.filter(|_| self.policy.sign_messages);
        let ticket = accepted.ticket;
        Ok(ServerStep::Done {
            identity: PeerIdentity {
                name: ticket.name,
                global_id: ticket.global_id,
                allow_all: ticket.caps.allow_all,
                caps: ticket.caps.caps,
            },
            con_mode: self.con_mode,
            payload: accepted.reply,
            keys,
        })
    }
}

/// Method `none`: the peer is whom it says it is, and may do everything.
fn accept_unproved(payload: &[u8], con_mode: u32) -> Result<ServerStep, AuthError> {
    let claim = AuthNoneAuthorizer::from_payload(payload).map_err(|e| denied(&e))?;
    let identity =
        PeerIdentity { name: claim.name, global_id: claim.global_id, allow_all: true, caps: Bytes::new() };
    Ok(ServerStep::Done { identity, con_mode, payload: Bytes::new(), keys: AuthKeys::default() })
}

impl ServerAuth for CephxServerAuth {
    fn request(
        &mut self,
        peer: EntityType,
        used: u32,
        preferred_modes: &[u32],
        payload: &[u8],
    ) -> Result<ServerStep, AuthError> {
        self.peer = peer;
        let step = self.first(used, preferred_modes, payload);
        Ok(step.unwrap_or_else(|e| self.refuse(used, &e)))
    }

    fn request_more(&mut self, payload: &[u8]) -> Result<ServerStep, AuthError> {
        let step = self.second(payload);
        Ok(step.unwrap_or_else(|e| self.refuse(method::CEPHX, &e)))
    }
}

const EOPNOTSUPP: i32 = 95;
