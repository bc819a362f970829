//! What each change is in SQL.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::digest::{Digest, digest, perhaps};
use super::seal::Seal;
use crate::fhircast::ResourceKey;
use crate::store::records::{
    ContextRecord, EventRecord, MessageRecord, ReprocessingRecord, SessionRecord, SubscriptionRecord, TopicRecord,
    Write,
};

/// Events of a topic that are kept (IRA-11).
pub(super) const EVENTS_KEPT: i64 = 64;

/// Does `write`, within a transaction of the caller's.
pub(super) fn write(connection: &Connection, seal: &Seal, write: &Write) -> Result<()> {
    match write {
        Write::Topic(record) => topic(connection, record),
        Write::ForgetTopic(topic) => run(connection, "DELETE FROM topic WHERE name = ?1", params![topic]),
        Write::Context(record) => context(connection, record),
        Write::Version { topic, anchor: ResourceKey { resource_type, id }, version, prior } => run(
            connection,
            "UPDATE context SET version = ?4, prior = ?5 WHERE topic = ?1 AND anchor_type = ?2 AND anchor_id = ?3",
            params![topic, resource_type, id, version.to_string(), prior.map(text)],
        ),
        Write::CloseContext { topic, anchor: ResourceKey { resource_type, id } } => run(
            connection,
            "DELETE FROM context WHERE topic = ?1 AND anchor_type = ?2 AND anchor_id = ?3",
            params![topic, resource_type, id],
        ),
        Write::ClearContexts(topic) => run(connection, "DELETE FROM context WHERE topic = ?1", params![topic]),
        Write::Content { topic, anchor, key, resource } => {
            content(connection, topic, anchor, key, resource.as_ref().map(|json| json.get()))
        }
        Write::Event(record) => event(connection, record),
        Write::EventFailed { topic, id } => {
            run(connection, "UPDATE event SET failed = 1 WHERE topic = ?1 AND id = ?2", params![topic, id])
        }
        Write::Subscription(record) => subscription(connection, seal, record),
        Write::Connected(endpoint) => {
            run(connection, "UPDATE subscription SET connects_by = NULL WHERE endpoint = ?1", params![endpoint])
        }
        Write::EndSubscription(endpoint) => {
            run(connection, "DELETE FROM subscription WHERE endpoint = ?1", params![endpoint])
        }
        Write::Session(record) => session(connection, record),
        Write::Message(record) => message(connection, record),
        Write::Reprocessing(record) => reprocessing(connection, record),
        Write::Handled { message, by } => {
            let (at, who, note) = match by {
                Some((at, who, note)) => (Some(time(*at)), Some(who), note.as_ref()),
                None => (None, None, None),
            };
            run(
                connection,
                "UPDATE dead_letter SET handled = ?2, handled_by = ?3, note = ?4 WHERE message = ?1",
                params![message, at, who, note],
            )
        }
    }
}

fn topic(connection: &Connection, record: &TopicRecord) -> Result<()> {
    let TopicRecord { name, sequence, has_current, is_users, touched, told } = record;
    run(
        connection,
        "INSERT INTO topic (name, sequence, has_current, is_users, touched, told, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (name) DO UPDATE SET sequence = ?2, has_current = ?3, is_users = ?4, touched = ?5, told = ?6,
                              digest = ?7",
        params![
            name,
            number(*sequence),
            has_current,
            is_users,
            touched.to_string(),
            told.map(text),
            topic_digest(record)
        ],
    )
}

pub(super) fn topic_digest(record: &TopicRecord) -> Digest {
    let flags = [u8::from(record.has_current), u8::from(record.is_users)];
    digest(&[record.name.as_bytes(), &record.sequence.to_be_bytes(), &flags])
}

fn context(connection: &Connection, record: &ContextRecord) -> Result<()> {
    let ContextRecord { topic, anchor, event, fingerprint, occurred, version, prior, opened_at, since, .. } = record;
    run(
        connection,
        "INSERT INTO context (topic, anchor_type, anchor_id, event, resources, fingerprint, occurred, version, prior,
                              opened_at, since, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (topic, anchor_type, anchor_id) DO UPDATE SET event = ?4, resources = ?5, fingerprint = ?6,
                              occurred = ?7, version = ?8, prior = ?9, opened_at = ?10, since = ?11, digest = ?12",
        params![
            topic,
            anchor.resource_type,
            anchor.id,
            event,
            resources(record),
            fingerprint.cast_signed(),
            occurred.map(text),
            version.to_string(),
            prior.map(text),
            number(*opened_at),
            since.to_string(),
            context_digest(record)
        ],
    )
}

fn resources(record: &ContextRecord) -> String {
    let resources: Vec<[&str; 2]> = record.resources.iter().map(|key| [&*key.resource_type, &*key.id]).collect();
    serde_json::to_string(&resources).unwrap_or_default()
}

pub(super) fn context_digest(record: &ContextRecord) -> Digest {
    let ContextRecord { topic, anchor, event, .. } = record;
    let resources = resources(record);
    digest(&[topic, &*anchor.resource_type, &*anchor.id, event, &resources].map(str::as_bytes))
}

fn content(
    connection: &Connection,
    topic: &str,
    anchor: &ResourceKey,
    key: &ResourceKey,
    resource: Option<&str>,
) -> Result<()> {
    let place = params![topic, anchor.resource_type, anchor.id, key.resource_type, key.id];
    let Some(resource) = resource else {
        return run(
            connection,
            "DELETE FROM content WHERE topic = ?1 AND anchor_type = ?2 AND anchor_id = ?3 AND resource_type = ?4
                                   AND resource_id = ?5",
            place,
        );
    };
    run(
        connection,
        "INSERT INTO content (topic, anchor_type, anchor_id, resource_type, resource_id, resource, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (topic, anchor_type, anchor_id, resource_type, resource_id) DO UPDATE SET resource = ?6,
                              digest = ?7",
        params![
            topic,
            anchor.resource_type,
            anchor.id,
            key.resource_type,
            key.id,
            resource,
            content_digest(topic, anchor, key, resource)
        ],
    )
}

pub(super) fn content_digest(topic: &str, anchor: &ResourceKey, key: &ResourceKey, resource: &str) -> Digest {
    let values = [topic, &*anchor.resource_type, &*anchor.id, &*key.resource_type, &*key.id, resource];
    digest(&values.map(str::as_bytes))
}

fn event(connection: &Connection, record: &EventRecord) -> Result<()> {
    let EventRecord { topic, sequence, id, fingerprint, versions, answered, partial, id_was_taken, failed } = record;
    run(
        connection,
        "INSERT INTO event (topic, sequence, id, fingerprint, version, prior, answered, partial, id_was_taken, failed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            topic,
            number(*sequence),
            id,
            fingerprint.cast_signed(),
            versions.map(|(version, _)| text(version)),
            versions.and_then(|(_, prior)| prior).map(text),
            answered.map(text),
            partial,
            id_was_taken,
            failed
        ],
    )?;
    let kept = number(*sequence) - EVENTS_KEPT;
    if kept < 0 {
        return Ok(());
    }
    run(connection, "DELETE FROM event WHERE topic = ?1 AND sequence <= ?2", params![topic, kept])
}

fn subscription(connection: &Connection, seal: &Seal, record: &SubscriptionRecord) -> Result<()> {
    let SubscriptionRecord { endpoint, topic, mount, events, expires, connects_by, name, alias, principal, .. } =
        record;
    let webhook = record.webhook.as_ref();
    let secret = webhook.and_then(|webhook| webhook.secret.as_ref()).map(|secret| seal.close(secret, endpoint));
    run(
        connection,
        "INSERT INTO subscription (endpoint, topic, mount, events, expires, connects_by, name, alias, principal, scopes,
                                   callback, secret, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (endpoint) DO UPDATE SET events = ?4, expires = ?5, connects_by = ?6, name = ?7, scopes = ?10,
                                   digest = ?13",
        params![
            endpoint,
            topic,
            mount,
            names(events),
            expires.to_string(),
            connects_by.map(text),
            name,
            alias,
            principal,
            record.scopes,
            webhook.map(|webhook| &webhook.callback),
            secret,
            subscription_digest(record)
        ],
    )
}

fn names(events: &[Arc<str>]) -> String {
    serde_json::to_string(events).unwrap_or_default()
}

pub(super) fn subscription_digest(record: &SubscriptionRecord) -> Digest {
    let SubscriptionRecord { endpoint, topic, mount, events, principal, scopes, webhook, .. } = record;
    let (events, callback) = (names(events), perhaps(webhook.as_ref().map(|webhook| &*webhook.callback)));
    let texts = [topic, mount, &*events, principal, scopes].map(str::as_bytes);
    digest(&[&[endpoint.as_slice(), &callback], texts.as_slice()].concat())
}

fn session(connection: &Connection, record: &SessionRecord) -> Result<()> {
    let SessionRecord { topic, user, workstation, seen, messages } = record;
    run(
        connection,
        "INSERT INTO session (topic, user, workstation, seen, messages, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (topic) DO UPDATE SET user = ?2, workstation = ?3, seen = ?4, messages = ?5, digest = ?6",
        params![topic, user, workstation, time(*seen), number(*messages), session_digest(record)],
    )
}

pub(super) fn session_digest(record: &SessionRecord) -> Digest {
    let SessionRecord { topic, user, workstation, .. } = record;
    digest(&[topic.as_bytes(), &perhaps(user.as_deref()), &perhaps(workstation.as_deref())])
}

fn message(connection: &Connection, message: &MessageRecord) -> Result<()> {
    let MessageRecord { record, sender, raw, patients, answer, dead_letter, resend_of } = message;
    run(
        connection,
        "INSERT INTO message (received, source, sender, control_id, kind, mapping, outcome, reason, topic, events,
                              microseconds, resend_of, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            time(record.received),
            record.source,
            sender,
            record.control_id,
            record.kind,
            record.mapping,
            record.outcome,
            record.reason,
            record.topic,
            serde_json::to_string(&record.events).unwrap_or_default(),
            number(record.microseconds),
            resend_of,
            raw.as_deref()
        ],
    )?;
    let id = connection.last_insert_rowid();
    for identifier in patients {
        let sql = "INSERT OR IGNORE INTO message_patient (message, identifier) VALUES (?1, ?2)";
        run(connection, sql, params![id, identifier])?;
    }
    if let Some(answer) = answer {
        run(
            connection,
            "INSERT OR REPLACE INTO answer (name, body, message, answered, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![answer.name, answer.body, id, time(record.received), answer.outcome],
        )?;
    }
    match dead_letter {
        Some(reason) => {
            run(connection, "INSERT INTO dead_letter (message, reason) VALUES (?1, ?2)", params![id, reason])
        }
        None => Ok(()),
    }
}

/// The stored message is never changed: what became of it this time stands beside it.
fn reprocessing(connection: &Connection, reprocessing: &ReprocessingRecord) -> Result<()> {
    let ReprocessingRecord { message, at, operator, record, dead_letter } = reprocessing;
    run(
        connection,
        "INSERT INTO reprocessing (message, at, operator, mapping, outcome, reason, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            message,
            time(*at),
            operator,
            record.mapping,
            record.outcome,
            record.reason,
            serde_json::to_string(&record.events).unwrap_or_default()
        ],
    )?;
    let waiting = "SELECT 1 FROM dead_letter WHERE message = ?1 AND handled IS NULL";
    let waits = connection.prepare_cached(waiting)?.query_row(params![message], |_| Ok(())).optional()?.is_some();
    match dead_letter {
        Some(reason) if waits => {
            run(connection, "UPDATE dead_letter SET reason = ?2 WHERE message = ?1", params![message, reason])
        }
        None if waits => run(
            connection,
            "UPDATE dead_letter SET handled = ?2, handled_by = ?3, note = 'reprocessed' WHERE message = ?1",
            params![message, time(*at), operator],
        ),
        _ => Ok(()),
    }
}

fn run(connection: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// To the millisecond, so that texts are in the order of the times.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn text(value: impl ToString) -> String {
    value.to_string()
}

/// Counts stay below 2^63 for longer than any disk lasts.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
