//! The gateway between a hospital's older systems and FHIRcast.
pub mod fhircast; pub mod config; pub mod store; pub mod sessions; pub mod telemetry; pub mod clock; pub mod http; pub mod admin;
pub mod hub; pub mod client;
