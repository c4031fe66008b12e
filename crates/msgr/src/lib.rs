//! axon-msgr
