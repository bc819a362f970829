//! HL7 v2 over MLLP, both ways.
//!
//! A message's way in: `listener` accepts a connection, `connection` reads it and cuts it with [`frame`], `admission`
//! decides whether the payload is a message that the gateway should see, [`message`] gives its fields by [`path`], the
//! gateway's [`Sink`](fhircast_gateway_adapter_api::Sink) says what became of it, and `reply` spells that as an
//! acknowledgement. The way out is [`sender`].
//!
//! Only `listener`, `connection`, `tls` and `sender` know sockets; everything else is functions of bytes.
//!
//! Knows nothing of FHIR, of mappings, of topics, and nothing of what a message means: only how it is written.
//!
//! Section numbers in these docs (`2.2`, `4.4`) are those of the project's HL7 v2 reference.

mod admission;
mod connection;
mod control_ids;
mod counters;
mod escape;
mod header;
mod listener;
mod network;
mod oddity;
mod refusal;
mod reply;
mod seats;
mod separators;

pub mod anonymize;
pub mod charset;
pub mod frame;
pub mod message;
pub mod path;
pub mod sender;
pub mod settings;
pub mod tls;

pub use counters::Counters;
pub use listener::serve;
pub use oddity::Oddity;
pub use path::Hl7v2;
pub use refusal::Refusal;
pub use settings::Settings;
