//! The audit log: who subscribed, read, published, and about which patient (IRA-23; IHE ATNA, IHE BALP).
//!
//! An [`Entry`] says what was done; `event` writes it as a FHIR R4 AuditEvent, one JSON line; `chain` ties each line to the
//! one before, so that a changed or missing line shows; [`AuditLog`] hands the lines to one thread, which makes them durable
//! in groups; `syslog` passes them on. The log names patients: it is kept where the store is, for its owner only, and nothing here deletes any of it.

mod chain;
mod entry;
mod event;
mod log;
pub mod syslog;

pub use self::chain::{BrokenChain, Digest, FIRST, verify};
pub use self::entry::{Action, Agent, Entry, PatientWords};
pub use self::log::{AuditLog, Figures, NotAudited, Spool};

use serde::Deserialize;

/// `[audit]`: what is audited.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// The actions that are recorded; none switches the log off.
    pub actions: Vec<Action>,
    /// Where they are passed on to.
    #[serde(default)]
    pub syslog: Option<syslog::SyslogSettings>,
}
