//! The mapping language: files that say which messages of a source mean which FHIRcast event, whose screen it is, and how
//! fields become FHIR. `mappings/README.md` is its reference.
//!
//! ```text
//! files ─► file (TOML with places) ─► merge (`extends`) ─► compile (parse, names, catalogue) ─► plan
//! message ─► set.select ─► apply (condition, expression, write) ─► events, or a refusal
//! ```
//!
//! Pure: no disk, no clock, no async, no lock. Files are handed in as text, messages as [`Fields`]; nothing can fail at run
//! time for want of a file. Knows no wire: paths are read by the adapter's [`Grammar`].
//!
//! [`Fields`]: fhircast_gateway_adapter_api::Fields
//! [`Grammar`]: fhircast_gateway_adapter_api::Grammar

mod absent;
mod age;
mod append;
mod apply;
pub mod cases;
mod catalogue;
mod compile;
mod condition;
mod diagnostics;
mod difference;
pub mod draft;
mod exclusive;
mod explain;
mod expression;
mod family;
mod fhir;
mod file;
mod function;
mod futile;
mod merge;
mod names;
mod parse;
mod plan;
mod present;
mod reachable;
pub mod reference;
mod refusal;
mod retire;
mod rivalry;
mod schema;
mod set;
mod shipped;
mod show;
mod source;
mod speakers;
mod table;
mod table_file;
mod unused;
mod value;
mod write;

pub(crate) use cases::laid_out;

pub use apply::{Mapped, MappedEvent, Refusal, SessionWords};
pub use diagnostics::Diagnostics;
pub use difference::{Change, ChangeKind, changes};
pub use explain::{Explanation, Line};
pub use function::names as function_names;
pub use schema::schema;
pub use set::{Mapping, MappingSet};
pub use shipped::shipped;
pub use source::{Origin, SourceFile};

#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod retire_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
