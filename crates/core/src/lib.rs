//! axon-core
