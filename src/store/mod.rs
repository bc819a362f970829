//! What the gateway keeps: its database (messages, topics, subscriptions, sessions), the site's key, the operator's secrets,
//! and the audit log.
//!
//! The only part that touches the disk. Knows no wire, no mapping, and nothing of a topic's rules.

mod audit_files;
mod audit_reader;
mod database;
mod directory_watch;
mod journal;
mod mapping_files;
mod operator_token;
mod pem_files;
mod records;
mod secret_file;
mod site_key;

pub use audit_files::{AuditFiles, AuditFilesError, audit_files};
pub use audit_reader::{AuditLines, AuditPosition, AuditReader};
pub use database::{
    CommitError, Disk, Filter, Message, MessageRow, Messages, Reprocessed, Retention, SharedResource, Store,
    StoreError, StoredTopic, back_up, check, database_file,
};
pub use directory_watch::{DirectoryWatch, DirectoryWatchError};
pub use journal::{Admission, Journal, MessageKey, Ticket, sha_256};
pub use mapping_files::{MappingFile, MappingFilesError, mapping_files};
pub use operator_token::{OperatorToken, OperatorTokenError};
pub use pem_files::{PemFileError, PemFiles, pem_file, pem_files};
pub use records::{
    AnswerRecord, ContextRecord, EventRecord, MessageRecord, Record, ReprocessingRecord, SessionRecord,
    SubscriptionRecord, TopicRecord, Transaction, WebhookRecord, Write,
};
pub use secret_file::{Secret, SecretFileError, secret_file};
pub use site_key::{SiteKey, SiteKeyError};
