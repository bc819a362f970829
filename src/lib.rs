//! The gateway between a hospital's older systems and FHIRcast.
//!
//! A message's way through the modules, in order: `adapters` read a wire and hand over an
//! [`Inbound`](fhircast_gateway_adapter_api::Inbound) → [`gateway`] → [`mapping`] (what it means) → [`sessions`] (whose
//! screen) → [`hub`] (one topic, one order) → the hub's sockets; [`store`] keeps what became of it. [`security`] tells who
//! an application is, and what it may do, [`audit`] who did what; [`token_endpoint`] gives tokens to applications that a site
//! lists. [`node`] puts them together, [`cli`] starts them.
//!
//! What holds everywhere, and is read off the sources by `tests/it/architecture.rs` where it can be:
//!
//! * Adapters know nothing of FHIR; the root names an adapter only in `adapters.rs`.
//! * Mapping does no I/O, and cannot fail at run time for want of a file, a network or a lock.
//! * `hub/topic` is a pure function of state, command and time.
//! * All events of a topic have one order, and every subscriber sees that order.
//! * Only `store` touches the disk, only the edges know HTTP, only `main` reads the environment, only `clock` the time.
//! * Queues are bounded. A slow or dead peer costs its own connection and nothing else.
//! * No patient data in logs, in URLs, or in texts for strangers.

mod adapters;
pub mod admin;
mod allowance;
pub mod audit;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod connector;
pub mod diagnostic;
pub mod fhircast;
pub mod gateway;
mod health;
pub mod http;
pub mod hub;
pub mod loading;
pub mod mapping;
pub mod node;
mod process;
pub mod security;
pub mod sessions;
pub mod store;
pub mod telemetry;
pub mod token_endpoint;
pub mod verify;
mod xml;

pub use adapters::{CASES, GRAMMARS, read_message};

/// A message is received on one thread and its notification freed on another: an allocator whose threads do not wait for one
/// another in that case halves what the system's own costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
