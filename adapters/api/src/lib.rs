//! The one contract between the gateway and its adapters.
//!
//! An adapter reads one wire (HL7 v2 over MLLP, CCOW, launches) and hands each message over as an [`Inbound`]; the gateway
//! says what became of it with an [`Outcome`], which the adapter spells in its own wire. The adapter also supplies the
//! [`Grammar`] of its field paths, so that a wrong path in a mapping file is found when the file is loaded.
//!
//! Knows no wire, no FHIR, no mapping, no socket. If this file grows, something is leaking.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// A boxed future, as returned by the traits here, so that they can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One message from one peer. It has no `Debug`, as it names patients.
pub struct Inbound {
    /// The configured name of the adapter it came in by, such as `ris-east`.
    pub source: Arc<str>,
    /// Who sent it, in the wire's own words (HL7: MSH-3 and MSH-4, as received). With `control_id` it names the message.
    pub sender: String,
    /// The peer's own identifier of the message (HL7: MSH-10); empty where the wire has none, and then never a duplicate.
    pub control_id: String,
    /// The peer's own name for the kind of message, such as `ORM^O01`.
    pub kind: String,
    /// The message's fields by path.
    pub fields: Arc<dyn Fields>,
    /// The message as received, for the journal.
    pub raw: Bytes,
}

/// What a path found. HL7 tells "nothing said" from "deleted"; a mapping's `or` stops at the second.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'m> {
    /// Not there, or empty: the sender says nothing about it.
    Absent,
    /// Said to be gone (HL7's `""`): leaves its member out like `Absent`, but ends an `or`.
    Deleted,
    /// A value, unescaped and decoded; never empty.
    Text(Cow<'m, str>),
}

/// Never the value: it can name a patient.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Absent => "Absent",
            Self::Deleted => "Deleted",
            Self::Text(_) => "Text([phi])",
        })
    }
}

/// A message, or one repetition inside it, in its source's own words.
///
/// Never panics, whatever the bytes, and whatever path its own [`Grammar`] compiled.
pub trait Fields: Send + Sync {
    /// The first value at `path`.
    fn first<'m>(&'m self, path: &Path) -> Value<'m>;

    /// Every value at `path`, in message order; only paths with a wildcard have more than one. [`Value::Absent`] is left out.
    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>>;

    /// The repetitions at `path`, for `each`: inside one, relative paths start at the repetition, and all others go on to
    /// mean what they mean in the message. Repetitions without any value are left out.
    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>>;
}

/// A field path, compiled by the [`Grammar`] that reads it.
#[derive(Clone)]
pub struct Path {
    text: Arc<str>,
    compiled: Arc<dyn Any + Send + Sync>,
}

impl Path {
    /// A path whose canonical spelling is `text`; `compiled` is whatever the adapter wants back.
    pub fn new(text: &str, compiled: impl Any + Send + Sync) -> Self {
        Self { text: text.into(), compiled: Arc::new(compiled) }
    }

    /// The canonical spelling, for diagnostics and explanations.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the adapter put in; `None` for the path of another adapter.
    pub fn compiled<T: Any>(&self) -> Option<&T> {
        self.compiled.downcast_ref()
    }
}

/// Two paths are the same when they are spelt the same: the spelling is canonical.
impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Path {}

impl fmt::Debug for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Path({})", self.text)
    }
}

/// Reads field paths; asked when a mapping is loaded, never when a message passes.
pub trait Grammar: Send + Sync {
    /// The protocol's name, as a mapping file's `protocol` gives it: `hl7v2`.
    fn protocol(&self) -> &'static str;

    /// Whether `text` is meant as a path of this protocol, rather than as some other word of the mapping language. True
    /// also for misspelt paths, so that they are reported as such.
    fn looks_like_path(&self, text: &str) -> bool;

    /// How many bytes at the start of `text` belong to one path, where `text` may go on with other things.
    fn path_length(&self, text: &str) -> usize;

    /// The path that `text` spells, relative ones (with a leading dot) included.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead, with the bytes of `text` that it is about.
    fn path(&self, text: &str) -> Result<Path, PathError>;

    /// Why no message has anything at `path`, as a fragment: `no ADT message has the segment ZDS`. `known` is what is certain of the
    /// message: paths, each with the only values that it can have. `None` where something may be there.
    fn never_has(&self, path: &Path, known: &[(&Path, Vec<&str>)]) -> Option<String> {
        let _ = (path, known);
        None
    }

    /// Whom `path` names, where that is somebody else than who sits at the screen: `the ordering provider`.
    fn bystander(&self, path: &Path) -> Option<&'static str> {
        let _ = path;
        None
    }
}

/// Why a path cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// What is wrong, as a fragment in lower case: `parentheses are Terser's repetitions, counted from 0`.
    pub message: String,
    /// The right spelling, where it can be told.
    pub suggestion: Option<String>,
    /// The bytes of the path's text that are wrong.
    pub span: Range<usize>,
}

/// What became of a message. Neutral: each adapter spells it in its own wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken; its events, if any, are published.
    Accepted,
    /// Recorded; no mapping speaks for it, or none of its mapping's events holds.
    Ignored,
    /// Recorded; the same bytes would fail again.
    Rejected(Rejection),
    /// Nothing was kept, so the peer must send it again later. The reason is fit for the peer.
    Unavailable {
        /// One true sentence for the peer, without patient data.
        reason: String,
    },
}

/// Why a message was refused, in the source's own words and without any of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What kind of mistake it is.
    pub fault: Fault,
    /// One sentence that tells the sender what is missing or wrong.
    pub reason: String,
    /// The first field it is about, in canonical spelling.
    pub field: Option<Path>,
}

/// The kinds of mistake that a peer can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A field that an event needs has no value.
    RequiredFieldMissing,
    /// A needed value cannot be read: no date, no identifier.
    ValueUnreadable,
    /// A needed code is in none of the mapping's tables.
    CodeUnknown,
    /// No mapping speaks for this kind of message, and the gateway is told to refuse such.
    KindUnsupported,
    /// The gateway itself could not do it.
    Internal,
}

/// Where an adapter hands its messages over.
///
/// Bounded by construction: the caller waits for the answer, and so its wire waits.
pub trait Sink: Send + Sync {
    /// Takes one message, and answers when what it became is as safe as the gateway is configured to make it.
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome>;
}

/// Where the time of day comes from, so that tests can hand in their own. Waiting is tokio's, and can be paused there.
pub trait Clock: Send + Sync {
    /// The time of day, which somebody may set.
    fn now(&self) -> SystemTime;

    /// How long the clock has been running: whatever becomes of the time of day, it goes on evenly, and never back.
    fn running(&self) -> Duration;
}
