//! Integration tests: one binary.

#[path = "../conformance/mod.rs"]
mod conformance;
