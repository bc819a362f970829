//! The protocol's words, pure: event names, the catalogue of events.
//!
//! Knows no socket, no topic state, no mapping.

pub mod catalogue;
pub mod event_name;

pub use event_name::{EventName, EventNameError};
