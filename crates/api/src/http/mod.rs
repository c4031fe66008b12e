//! What every operation shares: the table's row, routing, versions, typed arguments, replies, errors, and the order in
//! which a request is handled (`service`). Upstream: CherryPy with the dashboard's `_base_controller.py` and tools.

pub mod body;
pub mod call;
pub mod cors;
pub mod epoch_cache;
pub mod error;
pub mod gzip;
pub mod operation;
pub mod page;
pub mod query;
mod recent;
pub mod reply;
pub mod router;
pub mod service;
pub mod version;

pub use call::Call;
pub use epoch_cache::EpochCache;
pub use error::ApiError;
pub use operation::{Access, Handler, Operation, Param, later, now, refuse};
pub use reply::Reply;
pub use version::ApiVersion;
