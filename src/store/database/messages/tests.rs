use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::clock::Manual;
use crate::store::{MessageRecord, ReprocessingRecord, Retention, SiteKey, Transaction, Write};

const SOURCES: [&str; 2] = ["east", "west"];
const CONTROL_IDS: [&str; 3] = ["", "A1", "A2"];
const OUTCOMES: [&str; 4] = ["accepted", "ignored", "rejected", "duplicate"];
const PATIENTS: [&str; 3] = ["4711", "471", "%"];

/// Rows of every combination, and of what may go with it.
const ROWS: i64 = 144;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_331_730 + second).unwrap()
}

/// The message that gets the number `id`; two come in each second.
fn message(id: i64) -> MessageRecord {
    let index = usize::try_from(id).unwrap();
    let outcome = OUTCOMES[index % 4];
    let patient = PATIENTS[index / 4 % 3];
    let events = if outcome == "accepted" { vec![("Patient-open".to_owned(), id.to_string())] } else { Vec::new() };
    MessageRecord {
        record: Record {
            received: at(id / 2),
            source: SOURCES[index / 12 % 2].into(),
            control_id: CONTROL_IDS[index / 24 % 3].into(),
            kind: "ADT^A04".into(),
            mapping: None,
            outcome: outcome.into(),
            reason: None,
            topic: None,
            events,
            microseconds: 1,
        },
        sender: "RIS|MAIN".into(),
        // What became an event is found by what was read out of it, and by nothing else.
        raw: (outcome != "duplicate").then(|| format!("PID|1||{patient}|471 {index}").into()),
        patients: if outcome == "accepted" { vec![patient.to_owned()] } else { Vec::new() },
        answer: None,
        dead_letter: (outcome == "rejected").then(|| "no".to_owned()),
        resend_of: None,
    }
}

/// Every third dead letter has been seen to.
fn is_handled(id: i64) -> bool {
    id % 3 == 0
}

fn naive(filter: &Filter, id: i64) -> bool {
    let MessageRecord { record, raw, patients, dead_letter, .. } = message(id);
    let is = |asked: &Option<String>, found: &str| asked.as_deref().is_none_or(|asked| asked == found);
    let text = String::from_utf8(raw.unwrap_or_default().to_vec()).unwrap();
    filter.since.is_none_or(|since| record.received >= since)
        && filter.until.is_none_or(|until| record.received < until)
        && is(&filter.source, &record.source)
        && is(&filter.control_id, &record.control_id)
        && is(&filter.outcome, &record.outcome)
        && filter.patient.as_ref().is_none_or(|patient| {
            patients.contains(patient) || (record.events.is_empty() && text.contains(patient.as_str()))
        })
        && (!filter.dead_letters || (dead_letter.is_some() && !is_handled(id)))
        && filter.before.is_none_or(|before| id < before)
}

fn filters() -> impl Strategy<Value = Filter> {
    let text = |words: &'static [&'static str]| option::of(select(words).prop_map(str::to_owned));
    let time = || option::of((0..ROWS / 2 + 2).prop_map(at));
    let texts = (text(&SOURCES), text(&CONTROL_IDS), text(&OUTCOMES), text(&PATIENTS));
    (time(), time(), texts, any::<bool>(), option::of(0..ROWS + 2)).prop_map(
        |(since, until, (source, control_id, outcome, patient), dead_letters, before)| Filter {
            since,
            until,
            source,
            control_id,
            outcome,
            patient,
            dead_letters,
            before,
        },
    )
}

fn empty() -> Store {
    let retention = Retention {
        messages_for: SignedDuration::from_hours(24),
        bytes: 1 << 30,
        answers_for: SignedDuration::from_hours(24),
        sessions: 9,
    };
    let clock = Arc::new(Manual::at(SystemTime::from(at(0)) + Duration::from_secs(9)));
    Store::temporary(&SiteKey::from_bytes(&[7; 32]), retention, clock).unwrap()
}

async fn commit(store: &Store, writes: Vec<Write>) {
    store.commit(Transaction(writes)).await.unwrap();
}

#[test]
fn a_filter_finds_what_a_look_at_each_row_finds_the_latest_first() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = empty();
    let writes = (1..=ROWS).map(|id| Write::Message(Box::new(message(id))));
    let handled = (1..=ROWS).filter(|id| is_handled(*id)).map(|id| {
        let by = Some((at(999), "anna".to_owned(), None));
        Write::Handled { message: id, by }
    });
    runtime.block_on(commit(&store, writes.chain(handled).collect()));
    let messages = store.messages().unwrap().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let agree = |(filter, most): (Filter, usize)| {
        let expected: Vec<i64> = (1..=ROWS).rev().filter(|id| naive(&filter, *id)).collect();
        let rows = messages.list(&filter, most).unwrap();
        let found: Vec<i64> = rows.iter().map(|row| row.id).collect();
        prop_assert_eq!(&found[..], &expected[..most.min(expected.len())]);
        let mut counted = messages.outcomes(&filter, most).unwrap();
        for row in &rows {
            counted.iter_mut().filter(|(outcome, _)| *outcome == row.record.outcome).for_each(|(_, count)| *count -= 1);
        }
        prop_assert!(counted.iter().all(|(_, count)| *count == 0), "not counted as listed: {:?}", counted);
        for row in rows {
            let is_rejected = row.record.outcome == "rejected";
            prop_assert_eq!(row.is_dead_letter, is_rejected && !is_handled(row.id));
        }
        Ok(())
    };
    runner.run(&(filters(), 0..200_usize), agree).unwrap();
}

#[tokio::test]
async fn a_message_tells_its_resends_and_what_became_of_it_since() {
    let store = empty();
    let mut rejected = message(2);
    rejected.record.control_id = "A9".into();
    let resend = || MessageRecord { raw: None, dead_letter: None, resend_of: Some(1), ..rejected.clone() };
    let again = |outcome: &'static str, second, dead_letter: Option<&str>| {
        Write::Reprocessing(Box::new(ReprocessingRecord {
            message: 1,
            at: at(second),
            operator: "anna".into(),
            record: Record { outcome: outcome.into(), ..rejected.record.clone() },
            dead_letter: dead_letter.map(str::to_owned),
        }))
    };
    let first = Write::Message(Box::new(rejected.clone()));
    commit(&store, vec![first, Write::Message(Box::new(resend())), again("rejected", 60, Some("still"))]).await;
    let messages = store.messages().unwrap().unwrap();
    let found = messages.message(1).unwrap().unwrap();
    assert_eq!(found.resends, [(2, rejected.record.received)]);
    assert_eq!((found.row.is_dead_letter, found.row.again.as_deref()), (true, Some("rejected")));
    commit(&store, vec![again("accepted", 90, None)]).await;
    let found = messages.message(1).unwrap().unwrap();
    assert_eq!((found.row.is_dead_letter, found.row.again.as_deref()), (false, Some("accepted")));
    assert_eq!(found.handled, Some((at(90), "anna".to_owned(), Some("reprocessed".to_owned()))));
    assert_eq!(
        found.reprocessed.iter().map(|again| again.outcome.as_str()).collect::<Vec<_>>(),
        ["rejected", "accepted"]
    );
    assert!(messages.message(3).unwrap().is_none());
}
