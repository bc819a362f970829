//! What only the database itself can show: its settings, its upkeep, its tools, and what it makes of damage.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::upkeep::Chore;
use super::*;
use crate::clock::Manual;
use crate::fhircast::ResourceKey;
use crate::store::{
    ContextRecord, MessageRecord, Record, SessionRecord, SubscriptionRecord, TopicRecord, WebhookRecord, Write,
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

const RETENTION: Retention = Retention { messages_for: HOUR, bytes: u64::MAX, answers_for: HOUR, sessions: 3 };

fn open(directory: &Path) -> Result<Store, StoreError> {
    let clock = Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_882_530)));
    Store::open(directory, &SiteKey::from_bytes(&[7; 32]), RETENTION, clock)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_777_882_530 + second).unwrap()
}

fn message(control_id: &str, received: Timestamp, dead_letter: Option<&str>) -> Write {
    let record = Record {
        received,
        source: "ris".into(),
        control_id: control_id.into(),
        kind: "ORM^O01".into(),
        mapping: None,
        outcome: "accepted".into(),
        reason: None,
        topic: None,
        events: Vec::new(),
        microseconds: 1,
    };
    Write::Message(Box::new(MessageRecord {
        record,
        sender: "RIS|MAIN".into(),
        raw: Some(vec![b'x'; 2000].into()),
        patients: vec!["4711".into()],
        answer: None,
        dead_letter: dead_letter.map(str::to_owned),
        resend_of: None,
    }))
}

fn topic(name: &str) -> Write {
    Write::Topic(TopicRecord {
        name: name.into(),
        sequence: 1,
        has_current: false,
        is_users: true,
        touched: at(0),
        told: None,
    })
}

async fn commit(store: &Store, writes: Vec<Write>) {
    store.commit(Transaction(writes)).await.unwrap();
}

fn control_ids(directory: &Path) -> Vec<String> {
    let rows = Messages::open(directory).unwrap().list(&Filter::default(), 1000).unwrap();
    rows.into_iter().map(|row| row.record.control_id).collect()
}

#[tokio::test]
async fn everything_is_synced_and_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("data")).unwrap();
    commit(&store, vec![message("1", at(0), None)]).await;
    let connection = connect(&database_file(&directory.path().join("data"))).unwrap();
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
    assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
    assert_eq!(pragma("synchronous").unwrap(), 2.into(), "FULL");
    assert_eq!(pragma("auto_vacuum").unwrap(), 2.into(), "INCREMENTAL");
    assert_eq!(pragma("foreign_keys").unwrap(), 1.into());
    for file in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_transaction_is_made_whole_or_not_at_all_and_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let record = SubscriptionRecord {
        endpoint: [1; 32],
        topic: "nowhere".into(),
        mount: "standard".into(),
        events: Vec::new(),
        expires: at(9),
        connects_by: None,
        name: None,
        alias: None,
        principal: "".into(),
        scopes: String::new(),
        webhook: None,
    };
    // There is no such topic, which the database itself does not let pass.
    let impossible = Transaction(vec![message("1", at(0), None), Write::Subscription(Box::new(record))]);
    let possible = Transaction(vec![message("2", at(0), None)]);
    let (one, other) = tokio::join!(store.commit(impossible), store.commit(possible));
    assert_eq!((one, other), (Err(CommitError::Refused), Ok(())));
    assert_eq!(control_ids(directory.path()), ["2"]);
}

#[tokio::test]
async fn a_webhooks_secret_is_nowhere_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let webhook = WebhookRecord { callback: "https://app.example/hook".into(), secret: Some("whispered words".into()) };
    let record = SubscriptionRecord {
        endpoint: [1; 32],
        topic: "t1".into(),
        mount: "stu2".into(),
        events: vec!["Patient-open".into()],
        expires: at(9),
        connects_by: Some(at(1)),
        name: Some("viewer".into()),
        alias: Some("https://app.example/hook".into()),
        principal: "me".into(),
        scopes: "fhircast/*.read".into(),
        webhook: Some(webhook),
    };
    commit(&store, vec![topic("t1"), Write::Subscription(Box::new(record.clone()))]).await;
    assert_eq!(store.topics().unwrap()[0].subscriptions, [record]);
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"whispered"));
    }
}

#[tokio::test]
async fn old_messages_go_and_dead_letters_stay_until_they_are_handled() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let dead = |control_id| message(control_id, at(0), Some("no patient"));
    let session = |topic: &str, second| {
        Write::Session(SessionRecord {
            topic: topic.into(),
            user: None,
            workstation: None,
            seen: at(second),
            messages: 1,
        })
    };
    commit(&store, vec![message("old", at(0), None), dead("waiting"), dead("handled"), message("new", at(3000), None)])
        .await;
    commit(&store, vec![Write::Handled { message: 3, by: Some((at(1), "ops".into(), None)) }]).await;
    commit(&store, (0..5).map(|second| session(&format!("t{second}"), second)).collect()).await;
    let mut connection = connect(&database_file(directory.path())).unwrap();
    Chore::new(RETENTION, at(3601)).run(&mut connection).unwrap();
    assert_eq!(control_ids(directory.path()), ["new", "waiting"]);
    let sessions: Vec<_> = store.sessions().unwrap().into_iter().map(|session| session.topic).collect();
    assert_eq!(sessions, ["t2".into(), "t3".into(), "t4".into()] as [Arc<str>; 3]);
    let patients: i64 = connection.query_row("SELECT count(*) FROM message_patient", [], |row| row.get(0)).unwrap();
    assert_eq!(patients, 2);
}

#[tokio::test]
async fn what_is_more_than_there_may_be_goes_oldest_first_and_the_disk_gets_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    commit(&store, (0..1000).map(|number| message(&format!("m{number}"), at(number), Some("x"))).collect()).await;
    let mut connection = connect(&database_file(directory.path())).unwrap();
    let retention = Retention { messages_for: SignedDuration::MAX, bytes: 1_000_000, ..RETENTION };
    let pages = |connection: &Connection| connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
    let before = pages(&connection).unwrap();
    for _ in 0..20 {
        Chore::new(retention, at(1000)).run(&mut connection).unwrap();
    }
    let left = control_ids(directory.path());
    assert_eq!(left.first().map(String::as_str), Some("m999"));
    assert!((200..700).contains(&left.len()), "{}", left.len());
    assert!(pages(&connection).unwrap() < before * 2 / 3);
}

#[tokio::test]
async fn a_backup_of_a_running_store_is_whole_and_damage_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (data, copy) = (directory.path().join("data"), directory.path().join("copy"));
    let store = open(&data).unwrap();
    commit(&store, (0..200).map(|number| message(&format!("m{number}"), at(number), None)).collect()).await;
    std::fs::create_dir(&copy).unwrap();
    back_up(&data, &database_file(&copy)).unwrap();
    assert!(back_up(&data, &database_file(&copy)).is_err(), "a backup is never written over");
    check(&copy).unwrap();
    assert_eq!(control_ids(&copy).len(), 200);
    assert_eq!(open(&copy).unwrap().topics().unwrap().len(), 0, "it can be gone on with");
    let mut bytes = std::fs::read(database_file(&copy)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(database_file(&copy), bytes).unwrap();
    assert!(matches!(check(&copy), Err(StoreError::Damaged { .. } | StoreError::Database(_))));
}

#[test]
fn a_database_of_a_later_release_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let connection = Connection::open(database_file(directory.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open(directory.path()), Err(StoreError::Later { found: 99, .. })));
}

/// Topics with a context each, content in it, a subscription, and who sits there.
fn screens(count: u8) -> Vec<Write> {
    (0..count).flat_map(screen).collect()
}

fn screen(number: u8) -> [Write; 5] {
    let name: Arc<str> = format!("topic-{number}").into();
    let anchor = ResourceKey::new("Patient", format!("patient-{number}"));
    let context = ContextRecord {
        topic: Arc::clone(&name),
        anchor: anchor.clone(),
        event: format!(r#"{{"hub.event":"Patient-open","patient":"Berger-{number}"}}"#),
        resources: vec![anchor.clone()],
        fingerprint: 7,
        occurred: Some(at(1)),
        version: uuid::Uuid::from_u128(1),
        prior: None,
        opened_at: 1,
        since: at(1),
    };
    let resource = RawValue::from_string(format!(r#"{{"resourceType":"Observation","id":"o{number}"}}"#)).unwrap();
    let content = Write::Content {
        topic: Arc::clone(&name),
        anchor,
        key: ResourceKey::new("Observation", format!("o{number}")),
        resource: Some(resource.into()),
    };
    let subscription = SubscriptionRecord {
        endpoint: [number; 32],
        topic: Arc::clone(&name),
        mount: "standard".into(),
        events: vec!["Patient-open".into()],
        expires: at(9),
        connects_by: None,
        name: None,
        alias: None,
        principal: "viewer".into(),
        scopes: "fhircast/*.read".into(),
        webhook: None,
    };
    let session = SessionRecord {
        topic: Arc::clone(&name),
        user: Some(format!("user-{number}")),
        workstation: Some(format!("RAD-{number}")),
        seen: at(1),
        messages: 1,
    };
    [
        topic(&name),
        Write::Context(Box::new(context)),
        content,
        Write::Subscription(Box::new(subscription)),
        Write::Session(session),
    ]
}

/// What decides which patient is on which screen.
fn shown(directory: &Path) -> Result<Vec<String>, StoreError> {
    let store = open(directory)?;
    let mut shown = Vec::new();
    for StoredTopic { topic, contexts, subscriptions, .. } in store.topics()? {
        shown.push(format!("{} {} {}", topic.name, topic.has_current, topic.is_users));
        for (ContextRecord { topic, anchor, event, resources, .. }, content) in contexts {
            let content: Vec<_> = content.iter().map(|(key, resource)| (key, resource.get())).collect();
            shown.push(format!("{topic} {anchor:?} {event} {resources:?} {content:?}"));
        }
        for SubscriptionRecord { endpoint, topic, events, principal, scopes, .. } in subscriptions {
            shown.push(format!("{topic} {endpoint:?} {events:?} {principal} {scopes}"));
        }
    }
    shown.extend(store.sessions()?.into_iter().map(|it| format!("{} {:?} {:?}", it.topic, it.user, it.workstation)));
    shown.sort();
    Ok(shown)
}

#[tokio::test]
async fn f23_whatever_byte_is_damaged_nobody_is_shown_another_patient_or_another_topic() {
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    let store = open(&whole).unwrap();
    commit(&store, screens(24)).await;
    store.close().await;
    drop(store);
    let (expected, bytes) = (shown(&whole).unwrap(), std::fs::read(database_file(&whole)).unwrap());
    let (mut random, mut refused) = (fastrand::Rng::with_seed(23), 0);
    for round in 0..100 {
        let damaged = directory.path().join(format!("{round}"));
        std::fs::create_dir(&damaged).unwrap();
        let mut bytes = bytes.clone();
        for _ in 0..random.usize(1..8) {
            let place = random.usize(..bytes.len());
            bytes[place] ^= random.u8(1..);
        }
        std::fs::write(database_file(&damaged), bytes).unwrap();
        match shown(&damaged) {
            Ok(shown) => assert_eq!(shown, expected, "round {round}"),
            Err(_) => refused += 1,
        }
        std::fs::remove_dir_all(&damaged).unwrap();
    }
    assert!(refused > 20, "most of the file is no free space: {refused}");
}

#[tokio::test]
async fn f23_a_row_that_is_not_what_was_written_is_found_by_the_check_and_not_served() {
    for change in [
        "UPDATE context SET event = replace(event, 'Berger-3', 'Berger-4')",
        "UPDATE context SET anchor_id = 'patient-9' WHERE topic = 'topic-3'",
        "UPDATE content SET resource = replace(resource, 'o3', 'o4')",
        "UPDATE subscription SET topic = 'topic-4' WHERE topic = 'topic-3'",
        "UPDATE topic SET has_current = 1 - has_current WHERE name = 'topic-3'",
        "UPDATE session SET user = 'user-4' WHERE topic = 'topic-3'",
        "DELETE FROM topic WHERE name = 'topic-3'",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).unwrap();
        commit(&store, screens(5)).await;
        drop(store);
        check(directory.path()).unwrap();
        let connection = Connection::open(database_file(directory.path())).unwrap();
        connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
        connection.execute(change, []).unwrap();
        assert!(matches!(shown(directory.path()), Err(StoreError::Damaged { .. })), "{change}");
        assert!(matches!(check(directory.path()), Err(StoreError::Damaged { .. })), "{change}");
    }
}
