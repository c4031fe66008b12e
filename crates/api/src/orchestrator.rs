//! What needs an orchestrator (`services/orchestrator.py` `OrchClient`, `controllers/orchestrator.py`
//! `raise_if_no_orchestrator`).
//!
//! Not here: the backends (cephadm, Rook). They are Python modules, which this manager does not host yet; until then it has
//! no orchestrator, and says so as upstream does on a cluster without one.

use crate::http::ApiError;
use http::StatusCode;

/// The refusal of an operation that only an orchestrator can carry out.
#[must_use]
pub fn unavailable() -> ApiError {
    ApiError::dashboard("Orchestrator is unavailable", "orchestrator_status_unavailable", "orchestrator")
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
}
