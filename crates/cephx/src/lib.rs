//! axon-cephx
