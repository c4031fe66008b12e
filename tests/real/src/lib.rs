//! Scenarios against real clusters.
