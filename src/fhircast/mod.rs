//! The protocol's words, pure: event names and their catalogue, events, subscription requests, and what goes over a socket.
//!
//! Knows no socket, no topic state, no mapping, no clock. FHIR resources stay the JSON that they came as.

pub mod acknowledgement;
pub mod catalogue;
pub mod configuration;
pub mod context;
pub mod event;
pub mod event_name;
pub mod json;
pub mod scope;
pub mod socket_text;
pub mod subscription;
pub mod sync_error;
pub mod timestamp;

pub use acknowledgement::{Acknowledgement, Verdict};
pub use context::{Anchor, ContextEntry, ContextError};
pub use event::{Event, EventError, NewEvent, Version};
pub use event_name::{EventName, EventNameError};
pub use scope::Scopes;
pub use subscription::{Mode, SubscriptionError, SubscriptionRequest};
pub use sync_error::SyncError;
