//! What an operator does about a message that came in before: has it handled again, or says that somebody has seen to it.
//!
//! One after the other, whoever asks: what one has done is there before the next one looks. The stored message never changes.

use std::sync::Arc;

use bytes::Bytes;
use fhircast_gateway_adapter_api::{Inbound, Outcome};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::handled::Handled;
use super::{Arrival, Gateway, message_id, timestamp};
use crate::audit::{Action, Agent, Entry};
use crate::hub::topic_digest;
use crate::store::{Message, MessageRow, ReprocessingRecord, StoreError, Transaction, Write, sha_256};

/// How a message is to be handled again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reprocess {
    /// On whose order.
    pub operator: String,
    /// Whether what is too old to be true of anybody's screen is shown all the same.
    #[serde(default)]
    pub even_if_old: bool,
    /// Whether it is only to be told what would become of it.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a message that was handled again; of a dry run, what would have.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reprocessed {
    /// The message's number.
    pub message: i64,
    /// `accepted`, `too old`, `ignored` or `rejected`.
    pub outcome: String,
    /// Why, where it was refused or ignored, or something of it was too old to be shown.
    pub reason: Option<String>,
    /// The mapping that spoke for it.
    pub mapping: Option<String>,
    /// The session that its events went to, as logs show it.
    pub session: Option<String>,
    /// The events it became: name and id.
    pub events: Vec<(String, String)>,
    /// Whether somebody must still look at it.
    pub is_dead_letter: bool,
}

/// That somebody has seen to a dead letter, or has not after all.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// Who says so.
    pub operator: String,
    /// What they say of it.
    #[serde(default)]
    pub note: Option<String>,
    /// Whether nobody has, after all.
    #[serde(default)]
    pub undo: bool,
}

/// Why nothing was done about a message.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// Somebody has seen to it already.
    #[error("message {message} was handled by {by} at {at:.0}")]
    AlreadyHandled {
        /// The message's number.
        message: i64,
        /// Who.
        by: String,
        /// When.
        at: jiff::Timestamp,
    },
    /// There is no such message, or none any more.
    #[error("there is no message {0}")]
    Gone(i64),
    /// It never was one that somebody must look at.
    #[error("message {0} is no dead letter: nobody has to look at it")]
    NoDeadLetter(i64),
    /// There is nothing to be undone.
    #[error("message {0} is not marked as handled")]
    NotHandled(i64),
    /// Nothing of it is durable, so that it may be asked for again.
    #[error("message {message} stays as it was: {reason}")]
    NotKept {
        /// The message's number.
        message: i64,
        /// Why.
        reason: String,
    },
    /// The message it is a resend of is the one with the bytes.
    #[error("message {message} is a resend of message {of}: reprocess that one")]
    Resend {
        /// The message's number.
        message: i64,
        /// The other's.
        of: i64,
    },
    /// The store does not answer.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// Nobody knows any more how its source's messages are read.
    #[error("message {message} came from `{source_name}`, and no adapter of that name is configured any more")]
    SourceGone {
        /// The message's number.
        message: i64,
        /// The source.
        source_name: Arc<str>,
    },
    /// Its source is configured otherwise than when it came.
    #[error("message {message} cannot be read any more: {reason}")]
    Unreadable {
        /// The message's number.
        message: i64,
        /// What its adapter says.
        reason: String,
    },
    /// Who asks does not say who they are, or says too much.
    #[error("{0}")]
    Words(&'static str),
}

impl NotDone {
    /// Whether the next message would fare the same.
    pub fn is_of_the_gateway(&self) -> bool {
        matches!(self, Self::NotKept { .. } | Self::Store(_))
    }
}

/// The longest name of an operator, in characters.
const MOST_NAME: usize = 100;

/// The longest note, in characters.
const MOST_NOTE: usize = 1000;

impl Gateway {
    /// Handles the message numbered `id` again, as if it came now, with the mappings in force. What becomes of it is durable together
    /// with its events, and settles a dead letter unless it is refused again.
    ///
    /// # Errors
    /// When it cannot be had or read, or what becomes of it cannot be kept; then nothing has changed.
    pub async fn reprocess(&self, id: i64, asked: &Reprocess) -> Result<Reprocessed, NotDone> {
        check(&asked.operator, None)?;
        let _one = self.by_operator.lock().await;
        let Message { row, raw, .. } = self.kept(id)?;
        let inbound = self.again(&row, raw)?;
        let (received, handled) = (row.record.received, timestamp(self.clock.now()));
        let body = sha_256(&inbound.raw);
        let arrival = Arrival { inbound: &inbound, received, handled, id: message_id(&inbound, &body) };
        let mut handled = self.handle(arrival, asked.even_if_old).await;
        if let Outcome::Unavailable { reason } = handled.outcome {
            return Err(NotDone::NotKept { message: id, reason });
        }
        let reprocessed = Reprocessed {
            message: id,
            outcome: handled.name().to_owned(),
            reason: handled.reason(),
            mapping: handled.mapping.clone(),
            session: handled.topic.as_deref().map(topic_digest),
            events: handled.published().to_vec(),
            is_dead_letter: row.is_dead_letter && handled.dead_letter().is_some(),
        };
        if asked.dry_run {
            // What was prepared has never been, as it is dropped with the rest.
            return Ok(reprocessed);
        }
        let write = Write::Reprocessing(Box::new(reprocessing(&row, &handled, arrival, &asked.operator)));
        let kept = self.commit(&mut handled, vec![write], received).await;
        kept.map_err(|reason| NotDone::NotKept { message: id, reason })?;
        info!(number = id, operator = ?asked.operator, outcome = reprocessed.outcome, "Message reprocessed.");
        self.audit.note(audited(&reprocessed, &handled, arrival, asked)).await;
        self.note_audited(&mut handled).await;
        Ok(reprocessed)
    }

    /// Notes that somebody has seen to the dead letter numbered `id`, or takes that back.
    ///
    /// # Errors
    /// When it is none, or nothing would change, or the store does not take it.
    pub async fn settle(&self, id: i64, asked: Settle) -> Result<(), NotDone> {
        check(&asked.operator, asked.note.as_deref())?;
        let _one = self.by_operator.lock().await;
        let Message { row, handled, .. } = self.kept(id)?;
        let now = timestamp(self.clock.now());
        let by = match (handled, row.is_dead_letter, asked.undo) {
            (Some(_), _, true) => None,
            (Some((at, by, _)), _, false) => return Err(NotDone::AlreadyHandled { message: id, by, at }),
            (None, true, true) => return Err(NotDone::NotHandled(id)),
            (None, true, false) => Some((now, asked.operator.clone(), asked.note)),
            (None, false, _) => return Err(NotDone::NoDeadLetter(id)),
        };
        let kept = self.store.commit(Transaction(vec![Write::Handled { message: id, by }])).await;
        kept.map_err(|error| NotDone::NotKept { message: id, reason: error.to_string() })?;
        info!(number = id, operator = ?asked.operator, undone = asked.undo, "Dead letter marked as handled.");
        Ok(())
    }

    fn kept(&self, id: i64) -> Result<Message, NotDone> {
        let found = self.store.messages()?.map(|messages| messages.message(id)).transpose()?;
        found.flatten().ok_or(NotDone::Gone(id))
    }

    /// The stored message as its adapter would hand it over today.
    fn again(&self, row: &MessageRow, raw: Option<Vec<u8>>) -> Result<Inbound, NotDone> {
        let message = row.id;
        let raw = match (raw, row.resend_of) {
            (Some(raw), _) => Bytes::from(raw),
            (None, Some(of)) => return Err(NotDone::Resend { message, of }),
            (None, None) => return Err(NotDone::Unreadable { message, reason: "its bytes are not kept".into() }),
        };
        let source_name = Arc::clone(&row.record.source);
        let Some(source) = self.sources.get(&source_name) else {
            return Err(NotDone::SourceGone { message, source_name });
        };
        let fields = source.reader.read(raw.clone()).map_err(|reason| NotDone::Unreadable { message, reason })?;
        Ok(Inbound {
            source: source_name,
            sender: row.sender.clone(),
            control_id: row.record.control_id.clone(),
            kind: row.record.kind.clone(),
            fields,
            raw,
        })
    }
}

fn reprocessing(row: &MessageRow, handled: &Handled, arrival: Arrival<'_>, operator: &str) -> ReprocessingRecord {
    let record = crate::store::Record {
        mapping: handled.mapping.clone(),
        outcome: handled.name().into(),
        reason: handled.reason(),
        topic: handled.topic.clone(),
        events: handled.published().to_vec(),
        ..row.record.clone()
    };
    let (at, operator) = (arrival.handled, operator.to_owned());
    ReprocessingRecord { message: row.id, at, operator, record, dead_letter: handled.dead_letter() }
}

/// Who had the message handled again, whether past its time, and what was told of whom.
fn audited(reprocessed: &Reprocessed, handled: &Handled, arrival: Arrival<'_>, asked: &Reprocess) -> Entry {
    let names: Vec<&str> = reprocessed.events.iter().map(|(name, _)| name.as_str()).collect();
    let even_if_old = if asked.even_if_old { ", even if old" } else { "" };
    Entry {
        action: Action::Reprocess,
        recorded: arrival.handled,
        agent: Agent::of_operator(&asked.operator, arrival.inbound),
        session: reprocessed.session.clone().unwrap_or_default(),
        asked: format!("message {}{even_if_old}: {}", reprocessed.message, names.join(",")),
        patient: handled.audited.iter().find_map(|entry| entry.patient.clone()),
        refusal: handled.refusal(),
    }
}

/// Whoever asks says who they are, in words that fit a line.
fn check(operator: &str, note: Option<&str>) -> Result<(), NotDone> {
    let fits = |text: &str, most| text.chars().count() <= most && !text.chars().any(char::is_control);
    if operator.trim().is_empty() || !fits(operator, MOST_NAME) {
        return Err(NotDone::Words("an operator's name has 1 to 100 characters, and no control characters"));
    }
    match note.is_none_or(|note| fits(note, MOST_NOTE)) {
        true => Ok(()),
        false => Err(NotDone::Words("a note has at most 1000 characters, and no control characters")),
    }
}
