//! The gateway between a hospital's older systems and FHIRcast.
