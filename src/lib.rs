//! The gateway between a hospital's older systems and FHIRcast.

pub mod clock;
pub mod fhircast;
pub mod hub;
