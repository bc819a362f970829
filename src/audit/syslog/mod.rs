//! The audit log passed on by syslog, to an audit repository (IHE ITI-20) or whatever else takes RFC 5424.
//!
//! The log's files are the queue: what is on the disk is sent in its order, and how far that has come is remembered there too. So
//! a repository that is away costs nobody anything and loses nothing: it gets the rest later, some of it twice perhaps, never less.
//! `message` writes a syslog message, `dicom` what is in one, `sink` is the connection, `feed` the way from one to the other.

mod dicom;
mod feed;
mod message;
mod settings;
mod sink;

pub use self::feed::{Feed, Figures, Watched};
pub use self::settings::{Content, SyslogProblem, SyslogSettings};
pub use self::sink::SinkError;
