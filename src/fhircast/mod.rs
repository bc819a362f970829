//! The protocol's words, pure: event names, the catalogue of events.
//!
//! Knows no socket, no topic state, no mapping.

pub mod catalogue;
pub mod event;
pub mod event_name;
pub mod json;
pub mod subscription;

pub use event_name::{Action, EventName, EventNameError};
