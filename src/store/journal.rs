//! The journal: what came in, and what became of it; and the memory by which a resend is known.
//!
//! Knows no wire, no mapping, no hub. Bounded in entries and in time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use fhircast_gateway_adapter_api::Outcome;
use serde::Serialize;
use tokio::sync::broadcast;

/// What names a message for good: who sent it, and what they called it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The configured adapter.
    pub source: Arc<str>,
    /// The sender, in the wire's words.
    pub sender: String,
    /// The sender's identifier of the message.
    pub control_id: String,
}

/// One message and what became of it. Holds no patient data.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When it came in.
    pub received: jiff::Timestamp,
    /// The configured adapter.
    pub source: Arc<str>,
    /// The sender's identifier of the message.
    pub control_id: String,
    /// The peer's name for its kind: `ORM^O01`.
    pub kind: String,
    /// The mapping that spoke for it.
    pub mapping: Option<String>,
    /// `accepted`, `too old`, `ignored`, `rejected`, `unavailable`; `duplicate` for a resend.
    pub outcome: &'static str,
    /// Why, where it was refused or ignored, or something of it was too old to be shown.
    pub reason: Option<String>,
    /// The topic its events went to.
    pub topic: Option<String>,
    /// The events it became: name and id.
    pub events: Vec<(String, String)>,
    /// From its arrival to its answer, in microseconds.
    pub microseconds: u64,
}

/// How much the journal keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages in the journal, and keys in the memory of resends.
    pub messages: usize,
    /// How long a resend is recognised.
    pub remember: Duration,
}

/// The journal.
#[derive(Debug)]
pub struct Journal {
    limits: Limits,
    inner: Mutex<Inner>,
    watchers: broadcast::Sender<Arc<Record>>,
}

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<Arc<Record>>,
    known: HashMap<MessageKey, Known>,
    /// Keys in the order in which they were answered; `known` holds no answered key that is not here.
    order: VecDeque<(SystemTime, MessageKey)>,
}

#[derive(Debug)]
struct Known {
    body: [u8; 32],
    answered: Option<(SystemTime, Outcome)>,
}

/// Whether a message may go on.
#[derive(Debug)]
pub enum Admission {
    /// It is new: it goes on, and its ticket is handed back with the outcome.
    New(Ticket),
    /// It is new, though its control id has been seen with other content.
    ControlIdReused(Ticket),
    /// The same bytes were answered before: the same answer again, and nothing else.
    Resend(Outcome),
    /// The same message is being handled on another connection.
    InHand,
}

/// The right to say what became of a message. Dropped without it, the message is forgotten, and its resend is new.
#[derive(Debug)]
pub struct Ticket {
    key: Option<MessageKey>,
    journal: Arc<Journal>,
}

/// Watchers that fall further behind than this miss records.
const WATCHED: usize = 1024;

impl Journal {
    /// An empty journal.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inner: Mutex::default(), watchers: broadcast::channel(WATCHED).0 })
    }

    /// Asks whether the message named `key`, whose bytes have this SHA-256 hash, may go on. A message without control id is never a resend.
    pub fn admit(self: &Arc<Self>, key: MessageKey, body: [u8; 32], now: SystemTime) -> Admission {
        if key.control_id.is_empty() {
            return Admission::New(Ticket { key: None, journal: Arc::clone(self) });
        }
        let mut inner = self.lock();
        inner.forget_before(now.checked_sub(self.limits.remember));
        let reused = match inner.known.get(&key) {
            None => false,
            Some(Known { answered: None, .. }) => return Admission::InHand,
            Some(Known { body: known, answered: Some((_, outcome)) }) if *known == body => {
                return Admission::Resend(outcome.clone());
            }
            Some(_) => true,
        };
        inner.known.insert(key.clone(), Known { body, answered: None });
        let ticket = Ticket { key: Some(key), journal: Arc::clone(self) };
        if reused { Admission::ControlIdReused(ticket) } else { Admission::New(ticket) }
    }

    /// Adds a record that needs no memory: a resend.
    pub fn note(&self, record: Record) {
        let record = Arc::new(record);
        self.lock().keep(Arc::clone(&record), self.limits.messages);
        // Nobody watching is the normal case.
        let _ = self.watchers.send(record);
    }

    /// The newest records, newest first.
    pub fn newest(&self, count: usize) -> Vec<Arc<Record>> {
        self.lock().records.iter().rev().take(count).cloned().collect()
    }

    /// Every record from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Record>> {
        self.watchers.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing is done under the lock that could leave it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Records what became of the message. What was not kept ([`Outcome::Unavailable`]) is new when it comes again.
    pub fn answer(mut self, outcome: &Outcome, record: Record, now: SystemTime) {
        if !matches!(outcome, Outcome::Unavailable { .. })
            && let Some(key) = self.key.take()
        {
            self.journal.lock().remember(key, outcome.clone(), now, self.journal.limits.messages);
        }
        self.journal.note(record);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.journal.lock().known.remove(&key);
        }
    }
}

impl Inner {
    fn keep(&mut self, record: Arc<Record>, most: usize) {
        if self.records.len() >= most {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    fn remember(&mut self, key: MessageKey, outcome: Outcome, now: SystemTime, most: usize) {
        if let Some(known) = self.known.get_mut(&key) {
            known.answered = Some((now, outcome));
        }
        self.order.push_back((now, key));
        while self.order.len() > most {
            self.forget_oldest();
        }
    }

    fn forget_before(&mut self, horizon: Option<SystemTime>) {
        while let (Some(horizon), Some((answered, _))) = (horizon, self.order.front()) {
            if *answered >= horizon {
                return;
            }
            self.forget_oldest();
        }
    }

    /// A key answered again since stands in `order` twice: only its last place counts.
    fn forget_oldest(&mut self) {
        if let Some((when, key)) = self.order.pop_front()
            && self.known.get(&key).is_some_and(|known| known.answered.as_ref().is_some_and(|(last, _)| *last == when))
        {
            self.known.remove(&key);
        }
    }
}

/// The SHA-256 hash by which the journal knows a message's bytes.
pub fn sha_256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn journal(messages: usize) -> Arc<Journal> {
        Journal::new(Limits { messages, remember: 24 * HOUR })
    }

    fn key(control_id: &str) -> MessageKey {
        MessageKey { source: "ris".into(), sender: "RIS|MAIN".into(), control_id: control_id.into() }
    }

    fn record(control_id: &str) -> Record {
        Record {
            received: jiff::Timestamp::UNIX_EPOCH,
            source: "ris".into(),
            control_id: control_id.into(),
            kind: "ORM^O01".into(),
            mapping: None,
            outcome: "accepted",
            reason: None,
            topic: None,
            events: Vec::new(),
            microseconds: 1,
        }
    }

    fn answer(
        journal: &Arc<Journal>,
        control_id: &str,
        body: &[u8],
        now: SystemTime,
        outcome: &Outcome,
    ) -> &'static str {
        match journal.admit(key(control_id), sha_256(body), now) {
            Admission::New(ticket) => {
                ticket.answer(outcome, record(control_id), now);
                "new"
            }
            Admission::ControlIdReused(ticket) => {
                ticket.answer(outcome, record(control_id), now);
                "reused"
            }
            Admission::Resend(_) => "resend",
            Admission::InHand => "in hand",
        }
    }

    #[test]
    fn a_resend_is_known_by_sender_control_id_and_bytes() {
        let (journal, start) = (journal(100), SystemTime::UNIX_EPOCH);
        assert_eq!(answer(&journal, "1", b"a", start, &Outcome::Accepted), "new");
        assert_eq!(answer(&journal, "1", b"a", start, &Outcome::Accepted), "resend");
        assert_eq!(answer(&journal, "1", b"b", start, &Outcome::Accepted), "reused");
        assert_eq!(answer(&journal, "2", b"a", start, &Outcome::Accepted), "new");
        assert_eq!(answer(&journal, "", b"a", start, &Outcome::Accepted), "new");
        assert_eq!(answer(&journal, "", b"a", start, &Outcome::Accepted), "new");
    }

    #[test]
    fn what_was_not_kept_is_new_when_it_comes_again() {
        let (journal, start) = (journal(100), SystemTime::UNIX_EPOCH);
        let unavailable = Outcome::Unavailable { reason: "stopping".into() };
        assert_eq!(answer(&journal, "1", b"a", start, &unavailable), "new");
        assert_eq!(answer(&journal, "1", b"a", start, &Outcome::Accepted), "new");
        drop(journal.admit(key("2"), sha_256(b"a"), start));
        assert_eq!(answer(&journal, "2", b"a", start, &Outcome::Accepted), "new");
    }

    #[test]
    fn one_message_on_two_connections_is_handled_once() {
        let (journal, start) = (journal(100), SystemTime::UNIX_EPOCH);
        let Admission::New(ticket) = journal.admit(key("1"), sha_256(b"a"), start) else { panic!("not new") };
        assert!(matches!(journal.admit(key("1"), sha_256(b"a"), start), Admission::InHand));
        ticket.answer(&Outcome::Accepted, record("1"), start);
        assert!(matches!(journal.admit(key("1"), sha_256(b"a"), start), Admission::Resend(Outcome::Accepted)));
    }

    #[test]
    fn memory_ends_with_time_and_with_number() {
        let (journal, start) = (journal(3), SystemTime::UNIX_EPOCH + 48 * HOUR);
        for id in ["1", "2", "3", "4"] {
            assert_eq!(answer(&journal, id, b"a", start, &Outcome::Accepted), "new");
        }
        assert_eq!(answer(&journal, "1", b"a", start, &Outcome::Accepted), "new");
        assert_eq!(answer(&journal, "4", b"a", start, &Outcome::Accepted), "resend");
        assert_eq!(answer(&journal, "4", b"a", start + 25 * HOUR, &Outcome::Accepted), "new");
        assert_eq!(journal.newest(9).len(), 3);
        assert_eq!(journal.newest(1)[0].control_id, "4");
    }

    #[test]
    fn a_key_answered_again_is_not_forgotten_by_its_first_place() {
        let (journal, start) = (journal(2), SystemTime::UNIX_EPOCH);
        answer(&journal, "1", b"a", start, &Outcome::Accepted);
        answer(&journal, "1", b"b", start + HOUR, &Outcome::Accepted);
        answer(&journal, "2", b"a", start + HOUR, &Outcome::Accepted);
        assert_eq!(answer(&journal, "1", b"b", start + HOUR, &Outcome::Accepted), "resend");
    }
}
