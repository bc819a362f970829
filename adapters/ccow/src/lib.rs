//! CCOW's web mapping: a context manager that existing CCOW applications join.
//!
//! Knows nothing of FHIR, of mappings, of topics.
//!
//! Section numbers in these docs (`2.2`, `5`) are those of the project's CCOW reference.

pub mod arguments;
pub mod callback;
pub mod commit;
pub mod exception;
pub mod form;
pub mod items;
pub mod manager;
pub mod oddity;
pub mod path;
pub mod registry;
pub mod reply;
pub mod transaction;

pub use commit::Commit;
pub use exception::{Exception, ExceptionName};
pub use path::Ccow;
