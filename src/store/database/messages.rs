//! Questions about messages: was this one answered before, what became of them, which must somebody look at.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, ToSql, params};

use super::load::{json, parsed, perhaps};
use super::write::time;
use super::{BUSY, Store, StoreError, database_file};
use crate::store::records::Record;

/// How a message was answered before.
#[derive(Debug)]
pub enum Answered {
    /// The same bytes: the message's number, and its answer in JSON.
    Same(i64, String),
    /// Other bytes under the same name.
    Other,
}

/// Which messages are meant. What is not said means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// From this source.
    pub source: Option<String>,
    /// With this control id.
    pub control_id: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// About the patient with this identifier; of a message that became no event, one in whose text it stands.
    pub patient: Option<String>,
    /// That somebody must look at, and nobody has.
    pub dead_letters: bool,
    /// Messages numbered below this, for the next page.
    pub before: Option<i64>,
}

/// A message in a list.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its number.
    pub id: i64,
    /// The sender, in the wire's words.
    pub sender: String,
    /// What became of it.
    pub record: Record,
    /// The message that it is a resend of.
    pub resend_of: Option<i64>,
    /// Whether somebody must look at it, and nobody has.
    pub is_dead_letter: bool,
    /// What became of it when it was handled again for the last time, if it was.
    pub again: Option<String>,
}

/// A message with everything that is known of it. It has no `Debug`, as it names patients.
#[derive(Clone)]
pub struct Message {
    /// As in a list.
    pub row: MessageRow,
    /// As received; none of a resend.
    pub raw: Option<Vec<u8>>,
    /// When and by whom it was handled as a dead letter, and what they say of it.
    pub handled: Option<(Timestamp, String, Option<String>)>,
    /// When it was handled again, and what became of it then.
    pub reprocessed: Vec<Reprocessed>,
    /// Its resends: number, and when it came.
    pub resends: Vec<(i64, Timestamp)>,
}

/// One time that a message was handled again.
#[derive(Clone, Debug)]
pub struct Reprocessed {
    /// When.
    pub at: Timestamp,
    /// On whose order.
    pub operator: String,
    /// The mapping that spoke for it.
    pub mapping: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// The events it became: name and id.
    pub events: Vec<(String, String)>,
}

impl Store {
    /// How the message of this hashed name was answered before, if it was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn answered(&self, name: &[u8; 16], body: &[u8; 32]) -> Result<Option<Answered>, StoreError> {
        let Some(open) = &self.0 else { return Ok(None) };
        let connection = Self::reader(open);
        let same = connection
            .prepare_cached("SELECT message, outcome FROM answer WHERE name = ?1 AND body = ?2")?
            .query_row(params![name, body], |row| Ok(Answered::Same(row.get(0)?, row.get(1)?)))
            .optional()?;
        if same.is_some() {
            return Ok(same);
        }
        let mut other = connection.prepare_cached("SELECT 1 FROM answer WHERE name = ?1 LIMIT 1")?;
        Ok(other.query_row(params![name], |_| Ok(Answered::Other)).optional()?)
    }

    /// The store's messages, to ask about.
    ///
    /// # Errors
    /// When the database cannot be opened once more.
    pub fn messages(&self) -> Result<Option<Messages>, StoreError> {
        self.0.as_ref().map(|open| Messages::at(&open.path)).transpose()
    }
}

/// The messages of a store, read beside a gateway that may be running.
pub struct Messages(Connection);

impl Messages {
    /// Those of the store in `directory`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::at(&database_file(directory))
    }

    fn at(path: &Path) -> Result<Self, StoreError> {
        // Not read-only: the first reader of a log that was left behind has to recover it.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self(connection))
    }

    /// At most `most` messages, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, filter: &Filter, most: usize) -> Result<Vec<MessageRow>, StoreError> {
        let (conditions, values) = filter.sql();
        let sql = format!("{ROW} WHERE {conditions} ORDER BY message.id DESC LIMIT {most}");
        let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
        let mut statement = self.0.prepare(&sql)?;
        Ok(statement.query_map(&*values, row)?.collect::<rusqlite::Result<_>>()?)
    }

    /// How many there are of each outcome among the latest `most` messages: a store may hold millions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn outcomes(&self, filter: &Filter, most: usize) -> Result<Vec<(String, u64)>, StoreError> {
        let (conditions, values) = filter.sql();
        let sql = format!(
            "SELECT outcome, count(*) FROM
               (SELECT outcome FROM message WHERE {conditions} ORDER BY message.id DESC LIMIT {most})
             GROUP BY outcome ORDER BY count(*) DESC, outcome"
        );
        let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
        let counted = |row: &Row<'_>| Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default()));
        Ok(self.0.prepare(&sql)?.query_map(&*values, counted)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The message numbered `id`, if it is still there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn message(&self, id: i64) -> Result<Option<Message>, StoreError> {
        let found = self.0.prepare(&format!("{ROW} WHERE message.id = ?1"))?.query_row([id], row).optional()?;
        let Some(row) = found else { return Ok(None) };
        let raw = self.0.query_row("SELECT raw FROM message WHERE id = ?1", [id], |row| row.get(0))?;
        let handled = self
            .0
            .prepare("SELECT handled, handled_by, note FROM dead_letter WHERE message = ?1 AND handled IS NOT NULL")?
            .query_row([id], |row| Ok((parsed(row, "handled")?, row.get("handled_by")?, row.get("note")?)))
            .optional()?;
        let resends = self
            .0
            .prepare("SELECT id, received FROM message WHERE control_id = ?2 AND resend_of = ?1 ORDER BY id")?
            .query_map(params![id, row.record.control_id], |row| Ok((row.get("id")?, parsed(row, "received")?)))?
            .collect::<rusqlite::Result<_>>()?;
        let reprocessed = self
            .0
            .prepare("SELECT * FROM reprocessing WHERE message = ?1 ORDER BY id")?
            .query_map([id], reprocessed)?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(Message { row, raw, handled, reprocessed, resends }))
    }
}

/// A message without its bytes.
const ROW: &str =
    "SELECT message.id, received, source, sender, control_id, kind, mapping, outcome, message.reason, topic, events,
                          microseconds, resend_of, dead_letter.message IS NOT NULL AND handled IS NULL AS is_dead_letter,
                          (SELECT outcome FROM reprocessing WHERE message = message.id ORDER BY id DESC LIMIT 1) AS again
                   FROM message LEFT JOIN dead_letter ON dead_letter.message = message.id";

fn row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    Ok(MessageRow {
        id: row.get("id")?,
        sender: row.get("sender")?,
        record: Record {
            received: parsed(row, "received")?,
            source: row.get("source")?,
            control_id: row.get("control_id")?,
            kind: row.get("kind")?,
            mapping: row.get("mapping")?,
            outcome: row.get::<_, String>("outcome")?.into(),
            reason: row.get("reason")?,
            topic: row.get("topic")?,
            events: json(row, "events")?,
            microseconds: u64::try_from(row.get::<_, i64>("microseconds")?).unwrap_or_default(),
        },
        resend_of: row.get("resend_of")?,
        is_dead_letter: row.get("is_dead_letter")?,
        again: row.get("again")?,
    })
}

fn reprocessed(row: &Row<'_>) -> rusqlite::Result<Reprocessed> {
    Ok(Reprocessed {
        at: perhaps(row, "at")?.unwrap_or_default(),
        operator: row.get("operator")?,
        mapping: row.get("mapping")?,
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        events: json(row, "events")?,
    })
}

/// Messages that became no event are looked through as they are: nobody has read an identifier out of them.
const OF_PATIENT: &str = "(message.id IN (SELECT message FROM message_patient WHERE identifier = ?)
                           OR (events = '[]' AND instr(raw, CAST(? AS BLOB)) > 0))";

/// From the few dead letters to their messages, as there may be millions of these.
const WAITS: &str = "message.id IN (SELECT message FROM dead_letter WHERE handled IS NULL)";

impl Filter {
    fn sql(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let mut conditions = vec!["TRUE".to_owned()];
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut add = |condition: &str, given: Vec<Box<dyn ToSql>>| {
            conditions.push(condition.to_owned());
            values.extend(given);
        };
        if let Some(since) = self.since {
            add("received >= ?", vec![Box::new(time(since))]);
        }
        if let Some(until) = self.until {
            add("received < ?", vec![Box::new(time(until))]);
        }
        for (column, text) in [("source", &self.source), ("control_id", &self.control_id), ("outcome", &self.outcome)] {
            if let Some(text) = text {
                add(&format!("{column} = ?"), vec![Box::new(text.clone())]);
            }
        }
        if let Some(patient) = &self.patient {
            add(OF_PATIENT, vec![Box::new(patient.clone()), Box::new(patient.clone())]);
        }
        if let Some(before) = self.before {
            add("message.id < ?", vec![Box::new(before)]);
        }
        if self.dead_letters {
            add(WAITS, Vec::new());
        }
        (conditions.join(" AND "), values)
    }
}

#[cfg(test)]
mod tests;
