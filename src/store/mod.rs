//! What the gateway keeps: the site's key on disk, and the journal of messages.
//!
//! The only part that touches the disk. The journal is in memory: it does not outlive the process.

mod journal;
mod mapping_files;
mod site_key;

pub use journal::{Admission, Journal, Limits, MessageKey, Record, Ticket, sha_256};
pub use mapping_files::{MappingFile, MappingFilesError, mapping_files};
pub use site_key::{SiteKey, SiteKeyError};
