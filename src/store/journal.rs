//! The journal: whether a message may go on or was answered before, and what became of the latest ones.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest as hash_with};
use tokio::sync::broadcast;

use super::database::{Answered, Digest, Filter, Store, StoreError, digest};
use super::records::{AnswerRecord, Record};

/// What names a message for good: who sent it, and what they called it.
#[derive(Clone, Copy, Debug)]
pub struct MessageKey<'m> {
    /// The configured adapter.
    pub source: &'m str,
    /// The sender, in the wire's words.
    pub sender: &'m str,
    /// The sender's identifier of the message.
    pub control_id: &'m str,
}

/// The journal of a store's messages.
pub struct Journal {
    store: Store,
    /// Names of the messages that are being handled, hashed.
    in_hand: Mutex<HashSet<Name>>,
    watchers: broadcast::Sender<Arc<Record>>,
}

type Name = Digest;

/// Whether a message may go on.
#[derive(Debug)]
pub enum Admission {
    /// It is new: it goes on, and its ticket is held until its answer is durable.
    New(Ticket),
    /// It is new, though its control id has been seen with other content.
    ControlIdReused(Ticket),
    /// The same bytes were answered before: the same answer again, and nothing else.
    Resend {
        /// The number of the message that it is a resend of.
        of: i64,
        /// The answer, in JSON.
        outcome: String,
    },
    /// The same message is being handled on another connection.
    InHand,
}

/// The right to handle a message. Once it is dropped, its resend is new, unless its answer is durable by then.
pub struct Ticket {
    name: Option<Name>,
    body: [u8; 32],
    journal: Arc<Journal>,
}

/// Watchers that fall further behind than this miss records.
const WATCHED: usize = 1024;

impl Journal {
    /// The journal of `store`.
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Self { store, in_hand: Mutex::default(), watchers: broadcast::channel(WATCHED).0 })
    }

    /// Asks whether the message named `key`, whose bytes have this SHA-256 hash, may go on. One without control id is never a
    /// resend.
    ///
    /// # Errors
    /// When the store cannot be asked; the message may have been answered before, then.
    pub fn admit(self: &Arc<Self>, key: MessageKey<'_>, body: [u8; 32]) -> Result<Admission, StoreError> {
        let ticket = |name| Ticket { name, body, journal: Arc::clone(self) };
        if key.control_id.is_empty() {
            return Ok(Admission::New(ticket(None)));
        }
        let name = key.hashed();
        if !self.in_hand().insert(name) {
            return Ok(Admission::InHand);
        }
        let ticket = ticket(Some(name));
        Ok(match self.store.answered(&name, &body)? {
            None => Admission::New(ticket),
            Some(Answered::Other) => Admission::ControlIdReused(ticket),
            Some(Answered::Same(of, outcome)) => Admission::Resend { of, outcome },
        })
    }

    /// Tells whoever watches of a message that is durable.
    pub fn tell(&self, record: Record) {
        // Nobody watching is the normal case.
        let _ = self.watchers.send(Arc::new(record));
    }

    /// The newest records, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest(&self, count: usize) -> Result<Vec<Record>, StoreError> {
        let Some(messages) = self.store.messages()? else { return Ok(Vec::new()) };
        Ok(messages.list(&Filter::default(), count)?.into_iter().map(|row| row.record).collect())
    }

    /// Every record from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Record>> {
        self.watchers.subscribe()
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<Name>> {
        // Nothing is done under the lock that could leave it half done.
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The answer `outcome`, in JSON, by which a resend of the message is known; none where it cannot be.
    pub fn answer(&self, outcome: String) -> Option<AnswerRecord> {
        self.name.map(|name| AnswerRecord { name, body: self.body, outcome })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            self.journal.in_hand().remove(&name);
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Ticket")
    }
}

impl MessageKey<'_> {
    fn hashed(&self) -> Name {
        digest(&[self.source, self.sender, self.control_id].map(str::as_bytes))
    }
}

/// The SHA-256 hash by which the journal knows a message's bytes.
pub fn sha_256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(hash_with(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::clock::Manual;
    use crate::store::{MessageRecord, Retention, SiteKey, Transaction, Write};

    fn store() -> Store {
        let retention = Retention {
            messages_for: SignedDuration::from_hours(24),
            bytes: 1 << 30,
            answers_for: SignedDuration::from_hours(24),
            sessions: 9,
        };
        let clock = Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_882_530)));
        Store::temporary(&SiteKey::from_bytes(&[7; 32]), retention, clock).unwrap()
    }

    fn key(control_id: &str) -> MessageKey<'_> {
        MessageKey { source: "ris", sender: "RIS|MAIN", control_id }
    }

    fn record(control_id: &str) -> Record {
        Record {
            received: Timestamp::UNIX_EPOCH,
            source: "ris".into(),
            control_id: control_id.into(),
            kind: "ORM^O01".into(),
            mapping: None,
            outcome: "accepted".into(),
            reason: None,
            topic: None,
            events: Vec::new(),
            microseconds: 1,
        }
    }

    async fn handle(store: &Store, journal: &Arc<Journal>, control_id: &str, body: &[u8]) -> &'static str {
        let (ticket, word) = match journal.admit(key(control_id), sha_256(body)).unwrap() {
            Admission::New(ticket) => (ticket, "new"),
            Admission::ControlIdReused(ticket) => (ticket, "reused"),
            Admission::Resend { outcome, .. } => {
                assert_eq!(outcome, "{}");
                return "resend";
            }
            Admission::InHand => return "in hand",
        };
        let message = MessageRecord {
            record: record(control_id),
            sender: "RIS|MAIN".into(),
            raw: None,
            patients: Vec::new(),
            answer: ticket.answer("{}".into()),
            dead_letter: None,
            resend_of: None,
        };
        store.commit(Transaction(vec![Write::Message(Box::new(message))])).await.unwrap();
        word
    }

    #[tokio::test]
    async fn a_resend_is_known_by_sender_control_id_and_bytes() {
        let store = store();
        let journal = Journal::new(store.clone());
        for (control_id, body, expected) in [
            ("1", "a", "new"),
            ("1", "a", "resend"),
            ("1", "b", "reused"),
            ("1", "a", "resend"),
            ("2", "a", "new"),
            ("", "a", "new"),
            ("", "a", "new"),
        ] {
            assert_eq!(handle(&store, &journal, control_id, body.as_bytes()).await, expected, "{control_id} {body}");
        }
        assert_eq!(journal.newest(2).unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_message_whose_answer_is_not_durable_is_new_when_it_comes_again() {
        let journal = Journal::new(store());
        drop(journal.admit(key("2"), sha_256(b"a")).unwrap());
        assert!(matches!(journal.admit(key("2"), sha_256(b"a")).unwrap(), Admission::New(_)));
    }

    #[tokio::test]
    async fn one_message_on_two_connections_is_handled_once() {
        let journal = Journal::new(store());
        let held = journal.admit(key("1"), sha_256(b"a")).unwrap();
        assert!(matches!(journal.admit(key("1"), sha_256(b"a")).unwrap(), Admission::InHand));
        drop(held);
        assert!(matches!(journal.admit(key("1"), sha_256(b"a")).unwrap(), Admission::New(_)));
    }
}
