//! The protocol's words, pure: event names and their catalogue, events, subscription requests, and what goes over a socket.
//!
//! Knows no socket, no topic state, no mapping, no clock. FHIR resources stay the JSON that they came as.

pub mod acknowledgement;
pub mod catalogue;
pub mod configuration;
pub mod context;
pub mod edition;
pub mod event;
pub mod event_name;
pub mod identity;
pub mod implied;
pub mod json;
pub mod legacy_names;
mod lenient;
pub mod patient;
pub mod resource_key;
pub mod rules;
pub mod scope;
pub mod selection;
pub mod socket_text;
pub mod subject;
pub mod subscription;
pub mod sync_error;
pub mod timestamp;
pub mod update;

pub use acknowledgement::{Acknowledgement, Verdict};
pub use context::{ContextEntry, ContextError};
pub use edition::Edition;
pub use event::{Event, EventError, NewEvent, Version, Versions};
pub use event_name::{Action, EventName, EventNameError};
pub use patient::{Identifier, patient_identifiers};
pub use resource_key::ResourceKey;
pub use rules::Rules;
pub use scope::Scopes;
pub use subject::Subject;
pub use subscription::{Mode, SubscriptionError, SubscriptionRequest};
pub use sync_error::SyncError;
