//! The gateway between a hospital's older systems and FHIRcast.

pub mod client;
pub mod clock;
pub mod fhircast;
pub mod http;
pub mod hub;
