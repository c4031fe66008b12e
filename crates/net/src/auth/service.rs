//! Proving ourselves to an OSD, an MDS or a manager with our ticket for its service (`MonClient::get_auth_request` for peers that are
//! no monitors).

use super::none::AuthNoneAuthorizer;
use super::{AuthContext, AuthPolicy, OsRandom, denied, keys};
use axon_cephx::authorizer::ExpectAuthorizerReply;
use axon_msgr::auth::{AuthError, AuthKeys, AuthRequest, ClientAuth, method};
use axon_proto::EntityType;
use bytes::Bytes;
use std::sync::Arc;

/// What is expected next of the daemon.
enum Step {
    Reply(ExpectAuthorizerReply),
    /// Method `none`.
    Consent,
    Over,
}

/// One authorization at one daemon.
pub struct ServiceClientAuth {
    context: Arc<AuthContext>,
    policy: Arc<AuthPolicy>,
    service: EntityType,
    step: Step,
}

impl ServiceClientAuth {
    #[must_use]
    pub fn new(context: Arc<AuthContext>, policy: Arc<AuthPolicy>, service: EntityType) -> Self {
        ServiceClientAuth { context, policy, service, step: Step::Over }
    }
}

impl ClientAuth for ServiceClientAuth {
    fn request(&mut self) -> Result<AuthRequest, AuthError> {
        let service = self.service;
        let Some(credentials) = self.context.credentials() else {
            let why = format!("no session with the monitors, so no ticket for the {}", service.name());
            return Err(AuthError { errno: ENOTCONN, why });
        };
        // The method is that of the login: with cephx there are tickets.
        let has_tickets = credentials.tickets.ticket(EntityType::AUTH).is_some();
        let (used, payload) = if has_tickets {
            let (payload, next) = credentials.authorizer(service, &mut OsRandom).map_err(|e| denied(&e))?;
            self.step = Step::Reply(next);
            (method::CEPHX, payload)
        } else {
            let name = self.context.name().clone();
            self.step = Step::Consent;
            (method::NONE, AuthNoneAuthorizer { name, global_id: credentials.global_id }.payload())
        };
        let preferred_modes = self.policy.modes(service, used);
        if preferred_modes.is_empty() {
            let why = format!("no connection mode is allowed with an {}: check ms_*_mode", service.name());
            return Err(AuthError::denied(why));
        }
        Ok(AuthRequest { method: used, preferred_modes, payload })
    }

    fn bad_method(
        &mut self,
        refused: u32,
        errno: i32,
        allowed_methods: &[u32],
        allowed_modes: &[u32],
    ) -> Result<AuthRequest, AuthError> {
        self.context.invalidate(self.service);
        let (name, service) = (self.context.name(), self.service.name());
        let why = format!(
            "the {service} refuses {name} with method {refused}: its keys or our ticket may be old (another is asked for), or its \
             methods {allowed_methods:?} and modes {allowed_modes:?} differ from ours"
        );
        Err(AuthError { errno: errno.saturating_abs(), why })
    }

    fn reply_more(&mut self, payload: &[u8]) -> Result<Bytes, AuthError> {
        match &self.step {
            Step::Reply(step) => step.handle_challenge(payload, &mut OsRandom).map_err(|e| denied(&e)),
            _ => Err(AuthError::denied("the peer challenges us out of turn")),
        }
    }

    fn done(&mut self, _: u64, con_mode: u32, payload: &[u8]) -> Result<AuthKeys, AuthError> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Reply(step) => {
                let got = step.handle_reply(payload).map_err(|e| denied(&e))?;
                let mut keys = keys(&got.session_key, got.connection_secret, con_mode)?;
                keys.signer = keys.signer.filter(|_| self.policy.sign_messages);
                Ok(keys)
            }
            Step::Consent => Ok(AuthKeys::default()),
            Step::Over => Err(AuthError::denied("the peer ends the authorization out of turn")),
        }
    }

    fn global_id(&self) -> u64 {
        self.context.global_id()
    }
}

const ENOTCONN: i32 = 107;
