//! What the gateway keeps: the site's key, the operator's secrets and the audit log on disk, and the journal of messages.
//!
//! The only part that touches the disk. The journal is in memory: it does not outlive the process.

mod audit_files;
mod directory_watch;
mod journal;
mod mapping_files;
mod pem_files;
mod secret_file;
mod site_key;

pub use audit_files::{AuditFiles, AuditFilesError, audit_files};
pub use directory_watch::{DirectoryWatch, DirectoryWatchError};
pub use journal::{Admission, Journal, Limits, MessageKey, Record, Ticket, sha_256};
pub use mapping_files::{MappingFile, MappingFilesError, mapping_files};
pub use pem_files::{PemFileError, PemFiles, pem_files};
pub use secret_file::{Secret, SecretFileError, secret_file};
pub use site_key::{SiteKey, SiteKeyError};
