//! What the gateway keeps: the site's key and the operator's secrets on disk, and the journal of messages.
//!
//! The only part that touches the disk. The journal is in memory: it does not outlive the process.

mod journal;
mod mapping_files;
mod pem_files;
mod secret_file;
mod site_key;

pub use journal::{Admission, Journal, Limits, MessageKey, Record, Ticket, sha_256};
pub use mapping_files::{MappingFile, MappingFilesError, mapping_files};
pub use pem_files::{PemFileError, PemFiles, pem_files};
pub use secret_file::{Secret, SecretFileError, secret_file};
pub use site_key::{SiteKey, SiteKeyError};
