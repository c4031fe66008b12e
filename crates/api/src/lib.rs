//! axon-api
