//! The gateway between a hospital's older systems and FHIRcast.

pub mod fhircast;
pub mod mapping;
