//! What a starting gateway finds: every topic with what is in it, and the sessions.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::digest::Digest;
use super::seal::Seal;
use super::write::{content_digest, context_digest, session_digest, subscription_digest, topic_digest};
use super::{Store, StoreError};
use crate::fhircast::ResourceKey;
use crate::store::records::{
    ContextRecord, EventRecord, SessionRecord, SubscriptionRecord, TopicRecord, WebhookRecord,
};

/// A topic with everything in it. It has no `Debug`, as it names patients.
pub struct StoredTopic {
    /// The topic.
    pub topic: TopicRecord,
    /// Its open contexts, in the order of their opens.
    pub contexts: Vec<(ContextRecord, Vec<SharedResource>)>,
    /// Its latest events, in their order.
    pub events: Vec<EventRecord>,
    /// Its subscriptions, in the order of subscribing.
    pub subscriptions: Vec<SubscriptionRecord>,
}

/// A resource that is shared in a context.
pub type SharedResource = (ResourceKey, Arc<RawValue>);

impl Store {
    /// Every topic. A row that cannot be read is a mistake, and none is left out.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what no gateway has written.
    pub fn topics(&self) -> Result<Vec<StoredTopic>, StoreError> {
        let Some(open) = &self.0 else { return Ok(Vec::new()) };
        stored_topics(&Self::reader(open), Some(&open.seal))
    }

    /// The sessions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let Some(open) = &self.0 else { return Ok(Vec::new()) };
        sessions(&Self::reader(open))
    }
}

/// Every topic; the secrets of webhooks where there is a seal to open them.
pub(super) fn stored_topics(connection: &Connection, seal: Option<&Seal>) -> Result<Vec<StoredTopic>, StoreError> {
    whole(connection)?;
    let mut events = events(connection)?;
    let mut contexts = contexts(connection)?;
    let mut subscriptions = subscriptions(connection, seal)?;
    let stored = |topic: TopicRecord| StoredTopic {
        contexts: contexts.remove(&topic.name).unwrap_or_default(),
        events: events.remove(&topic.name).unwrap_or_default(),
        subscriptions: subscriptions.remove(&topic.name).unwrap_or_default(),
        topic,
    };
    let topics = topics(connection)?.into_iter().map(stored).collect();
    match events.is_empty() && contexts.is_empty() && subscriptions.is_empty() {
        true => Ok(topics),
        false => Err(damaged(connection, "rows belong to no topic")),
    }
}

pub(super) fn sessions(connection: &Connection) -> Result<Vec<SessionRecord>, StoreError> {
    all(connection, "SELECT * FROM session", |row| {
        let record = SessionRecord {
            topic: row.get("topic")?,
            user: row.get("user")?,
            workstation: row.get("workstation")?,
            seen: parsed(row, "seen")?,
            messages: count(row, "messages")?,
        };
        as_written(row, session_digest(&record), record)
    })
}

fn topics(connection: &Connection) -> Result<Vec<TopicRecord>, StoreError> {
    all(connection, "SELECT * FROM topic", |row| {
        let record = TopicRecord {
            name: row.get("name")?,
            sequence: count(row, "sequence")?,
            has_current: row.get("has_current")?,
            is_users: row.get("is_users")?,
            touched: parsed(row, "touched")?,
            told: perhaps(row, "told")?,
        };
        as_written(row, topic_digest(&record), record)
    })
}

type ByTopic<T> = HashMap<Arc<str>, Vec<T>>;

fn contexts(connection: &Connection) -> Result<ByTopic<(ContextRecord, Vec<SharedResource>)>, StoreError> {
    let mut content: HashMap<(Arc<str>, ResourceKey), Vec<SharedResource>> = HashMap::new();
    let shared = |row: &Row<'_>| {
        let json = RawValue::from_string(row.get("resource")?).map_err(|error| unreadable("resource", error))?;
        let place: (Arc<str>, ResourceKey) = (row.get("topic")?, key(row, "anchor_type", "anchor_id")?);
        let resource: SharedResource = (key(row, "resource_type", "resource_id")?, Arc::from(json));
        let digest = content_digest(&place.0, &place.1, &resource.0, resource.1.get());
        as_written(row, digest, (place, resource))
    };
    for (place, resource) in all(connection, "SELECT * FROM content ORDER BY id", shared)? {
        content.entry(place).or_default().push(resource);
    }
    let mut contexts: ByTopic<_> = HashMap::new();
    for record in all(connection, "SELECT * FROM context ORDER BY opened_at", context)? {
        let content = content.remove(&(Arc::clone(&record.topic), record.anchor.clone())).unwrap_or_default();
        contexts.entry(Arc::clone(&record.topic)).or_default().push((record, content));
    }
    if !content.is_empty() {
        return Err(damaged(connection, "content belongs to no context"));
    }
    Ok(contexts)
}

fn context(row: &Row<'_>) -> rusqlite::Result<ContextRecord> {
    let resources: Vec<(String, String)> = json(row, "resources")?;
    let record = ContextRecord {
        topic: row.get("topic")?,
        anchor: key(row, "anchor_type", "anchor_id")?,
        event: row.get("event")?,
        resources: resources.into_iter().map(|(kind, id)| ResourceKey::new(kind, id)).collect(),
        fingerprint: row.get::<_, i64>("fingerprint")?.cast_unsigned(),
        occurred: perhaps(row, "occurred")?,
        version: parsed(row, "version")?,
        prior: perhaps(row, "prior")?,
        opened_at: count(row, "opened_at")?,
        since: parsed(row, "since")?,
    };
    as_written(row, context_digest(&record), record)
}

fn events(connection: &Connection) -> Result<ByTopic<EventRecord>, StoreError> {
    let event = |row: &Row<'_>| {
        let version: Option<Uuid> = perhaps(row, "version")?;
        let prior = perhaps(row, "prior")?;
        Ok(EventRecord {
            topic: row.get("topic")?,
            sequence: count(row, "sequence")?,
            id: row.get("id")?,
            fingerprint: row.get::<_, i64>("fingerprint")?.cast_unsigned(),
            versions: version.map(|version| (version, prior)),
            answered: perhaps(row, "answered")?,
            partial: row.get("partial")?,
            id_was_taken: row.get("id_was_taken")?,
            failed: row.get("failed")?,
        })
    };
    let mut events: ByTopic<_> = HashMap::new();
    for record in all(connection, "SELECT * FROM event ORDER BY topic, sequence", event)? {
        events.entry(Arc::clone(&record.topic)).or_default().push(record);
    }
    Ok(events)
}

fn subscriptions(connection: &Connection, seal: Option<&Seal>) -> Result<ByTopic<SubscriptionRecord>, StoreError> {
    let subscription = |row: &Row<'_>| {
        let endpoint: [u8; 32] = row.get("endpoint")?;
        let sealed: Option<Vec<u8>> = row.get("secret")?;
        let callback: Option<String> = row.get("callback")?;
        let secret = sealed.zip(seal).map(|(sealed, seal)| {
            seal.open(&sealed, &endpoint).ok_or_else(|| unreadable("secret", "not sealed with this site's key"))
        });
        let secret = secret.transpose()?;
        let record = SubscriptionRecord {
            endpoint,
            topic: row.get("topic")?,
            mount: row.get("mount")?,
            events: json(row, "events")?,
            expires: parsed(row, "expires")?,
            connects_by: perhaps(row, "connects_by")?,
            name: row.get("name")?,
            alias: row.get("alias")?,
            principal: row.get("principal")?,
            scopes: row.get("scopes")?,
            webhook: callback.map(|callback| WebhookRecord { callback, secret }),
        };
        as_written(row, subscription_digest(&record), record)
    };
    let mut subscriptions: ByTopic<_> = HashMap::new();
    for record in all(connection, "SELECT * FROM subscription ORDER BY id", subscription)? {
        subscriptions.entry(Arc::clone(&record.topic)).or_default().push(record);
    }
    Ok(subscriptions)
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let rows = connection.prepare(sql)?.query_map([], read)?.collect::<rusqlite::Result<_>>();
    rows.map_err(|error| match error {
        rusqlite::Error::FromSqlConversionFailure(_, _, finding) => damaged(connection, finding),
        rusqlite::Error::InvalidColumnType(_, column, _) => damaged(connection, format!("{column}: of another type")),
        error => error.into(),
    })
}

/// Whether the tables that a gateway starts from fit together; the messages would take too long.
fn whole(connection: &Connection) -> Result<(), StoreError> {
    for table in ["topic", "context", "content", "event", "subscription", "session"] {
        let found: String = connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))?;
        if found != "ok" {
            return Err(damaged(connection, found));
        }
    }
    Ok(())
}

/// `record`, if the row that it was read from has this digest.
fn as_written<T>(row: &Row<'_>, digest: Digest, record: T) -> rusqlite::Result<T> {
    match row.get::<_, Digest>("digest")? == digest {
        true => Ok(record),
        false => Err(unreadable("digest", "a row is not what was written")),
    }
}

fn damaged(connection: &Connection, finding: impl ToString) -> StoreError {
    StoreError::Damaged { path: connection.path().unwrap_or_default().to_owned(), findings: finding.to_string() }
}

fn key(row: &Row<'_>, kind: &str, id: &str) -> rusqlite::Result<ResourceKey> {
    Ok(ResourceKey::new(row.get::<_, String>(kind)?, row.get::<_, String>(id)?))
}

fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default())
}

/// A column that holds a time or a version, as a text.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, "not in its form"))
}

pub(super) fn perhaps<T: std::str::FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| unreadable(column, "not in its form"))).transpose()
}

pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unreadable(column, "not the JSON that it should be"))
}

/// Names the column, never what is in it.
fn unreadable(column: &str, why: impl ToString) -> rusqlite::Error {
    let why: Box<dyn std::error::Error + Send + Sync> = format!("{column}: {}", why.to_string()).into();
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, why)
}
