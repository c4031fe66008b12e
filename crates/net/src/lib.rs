//! axon-net
