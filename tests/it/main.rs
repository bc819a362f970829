//! Integration tests: one binary.

mod mappings;
