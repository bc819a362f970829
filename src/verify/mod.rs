//! A conformance suite for any FHIRcast hub: it subscribes, publishes, misbehaves, waits, and says what the hub does.
//!
//! Black box: it knows the wire and nothing of any hub's insides. [`verify`] runs the checks of the clause catalogue, each on
//! a topic of its own, and gives a [`Report`], which [`text`], [`json`] and [`junit`] write. How time passes is handed in as a
//! [`Passage`]. A hub that never answers, talks garbage or hangs up yields a finding; every wait has an end.

mod catalogue;
mod checks;
mod finding;
mod hub;
mod json;
mod judge;
mod junit;
mod passage;
mod report;
mod room;
mod run;
mod text;
mod viewer;
mod wire;

pub use crate::fhircast::edition::{Edition, NoEdition};
pub use catalogue::{Level, clause_ids};
pub use json::json;
pub use junit::junit;
pub use passage::{Passage, RealTime};
pub use report::{Line, Outcome, Report};
pub use run::{Request, verify};
pub use text::{summary, text};
