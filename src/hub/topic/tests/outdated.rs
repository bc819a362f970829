//! Closes that a system tells late: by the time they happened, they can be meant for an open that is long gone.

use super::*;

/// A patient's event that happened at this second, by the clock of whoever tells it.
fn told(name: &str, id: &str, occurred: Option<i64>) -> Arc<Event> {
    let mut event = Event::clone(&event(name, id, "p1"));
    event.occurred = occurred.map(second);
    Arc::new(event)
}

fn second(second: i64) -> Timestamp {
    later(Timestamp::UNIX_EPOCH, SignedDuration::from_secs(second))
}

#[test]
fn a_close_older_than_the_open_that_stands_changes_nothing() {
    for (opened, closed, refused) in [
        (Some(100), Some(99), true),
        (Some(100), Some(100), false),
        (Some(100), Some(101), false),
        (Some(100), None, false),
        // The open told no time: it came in at second 0, and clocks may differ by a minute.
        (None, Some(-61), true),
        (None, Some(-60), false),
        (None, Some(0), false),
        (None, None, false),
    ] {
        let mut scene = Scene::new();
        scene.submit(told("Patient-open", "e1", opened), standard()).unwrap();
        let outcome = scene.submit(told("Patient-close", "e2", closed), standard());
        assert_eq!(outcome.err(), refused.then_some(Refusal::Outdated), "{opened:?} {closed:?}");
        assert_eq!(scene.current().is_some(), refused, "{opened:?} {closed:?}");
    }
}

#[test]
fn an_open_again_counts_from_its_own_time() {
    let mut scene = Scene::new();
    scene.submit(told("Patient-open", "e1", Some(100)), standard()).unwrap();
    scene.submit(told("Patient-open", "e2", Some(200)), standard()).unwrap();
    assert_eq!(scene.submit(told("Patient-close", "e3", Some(150)), standard()), Err(Refusal::Outdated));
    assert!(scene.submit(told("Patient-close", "e4", Some(200)), standard()).is_ok());
}
