//! Whose screen a message is for: user or workstation → topic.
//!
//! Knows no wire and no subscriber. A topic is derived, not stored: the same user has the same topic after a restart, and
//! before the first message too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::config::{SessionsConfig, TopicRule};
use crate::store::{SessionRecord, SiteKey};

/// Who sits where, as a message tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// The user's name in the source, as the mapping gives it.
    pub user: Option<String>,
    /// The workstation's name.
    pub workstation: Option<String>,
}

/// A session that the gateway has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who sits where, as the latest message told it.
    pub seat: Seat,
    /// Where its events go: `hub.topic`.
    pub topic: String,
    /// When it was last heard of.
    pub seen: jiff::Timestamp,
    /// Messages so far that became events.
    pub messages: u64,
}

/// The sessions, and the rule by which topics are made.
#[derive(Debug)]
pub struct Directory {
    key: SiteKey,
    rule: TopicRule,
    most: usize,
    sessions: Mutex<HashMap<String, Session>>,
}

impl Directory {
    /// An empty directory.
    pub fn new(key: SiteKey, config: &SessionsConfig) -> Self {
        Self { key, rule: config.topic, most: config.max.max(1), sessions: Mutex::default() }
    }

    /// The topic of `seat`: its user's wherever that is known, so that it follows the user from desk to desk; else its
    /// workstation's. `None` when neither is known.
    pub fn topic(&self, seat: &Seat) -> Option<String> {
        let (kind, name) = match (&seat.user, &seat.workstation) {
            (Some(user), _) => ("user", user),
            (None, Some(workstation)) => ("workstation", workstation),
            (None, None) => return None,
        };
        Some(match self.rule {
            TopicRule::Name => name.clone(),
            TopicRule::Unguessable => URL_SAFE_NO_PAD.encode(self.key.derive(&["topic", kind, name])),
        })
    }

    /// Whether topics are names that anybody may know, which the operator must be told.
    pub fn topics_are_names(&self) -> bool {
        self.rule == TopicRule::Name
    }

    /// Puts back what the store has kept.
    pub fn restore(&self, kept: Vec<SessionRecord>) {
        let mut sessions = self.lock();
        for SessionRecord { topic, user, workstation, seen, messages } in kept {
            if sessions.len() >= self.most {
                forget_oldest(&mut sessions);
            }
            let (topic, seat) = (topic.to_string(), Seat { user, workstation });
            sessions.insert(topic.clone(), Session { seat, topic, seen, messages });
        }
    }

    /// Notes that `seat` was heard of on `topic`; gives what is to be kept of it.
    pub fn note(&self, seat: Seat, topic: &str, now: jiff::Timestamp) -> SessionRecord {
        let mut sessions = self.lock();
        if sessions.len() >= self.most && !sessions.contains_key(topic) {
            forget_oldest(&mut sessions);
        }
        let session = sessions.entry(topic.to_owned()).or_insert_with(|| Session {
            seat: Seat::default(),
            topic: topic.to_owned(),
            seen: now,
            messages: 0,
        });
        session.messages += 1;
        // A message that is handled again later says nothing new of who sits where.
        if now >= session.seen {
            (session.seen, session.seat) = (now, seat);
        }
        let Seat { user, workstation } = session.seat.clone();
        SessionRecord { topic: topic.into(), user, workstation, seen: session.seen, messages: session.messages }
    }

    /// The sessions seen, the latest first.
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> = self.lock().values().cloned().collect();
        sessions.sort_by(|one, other| other.seen.cmp(&one.seen).then_with(|| one.topic.cmp(&other.topic)));
        sessions
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // Nothing is done under the lock that could leave it half done.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgetting costs nothing but a line in the list: the topic itself is derived again.
fn forget_oldest(sessions: &mut HashMap<String, Session>) {
    let oldest = sessions.values().min_by_key(|session| session.seen).map(|session| session.topic.clone());
    oldest.map(|topic| sessions.remove(&topic));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Merged, Nobody};

    fn directory(topic: TopicRule, max: usize) -> Directory {
        Directory::new(
            SiteKey::from_bytes(&[7; 32]),
            &SessionsConfig { topic, nobody: Nobody::Reject, merged: Merged::Close, max },
        )
    }

    fn seat(user: &str, workstation: &str) -> Seat {
        let said = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Seat { user: said(user), workstation: said(workstation) }
    }

    #[test]
    fn sec_03_a_topic_is_stable_opaque_and_long_enough() {
        let topic = directory(TopicRule::Unguessable, 9).topic(&seat("drjones", "RAD-7")).unwrap();
        assert_eq!(directory(TopicRule::Unguessable, 9).topic(&seat("drjones", "RAD-7")).unwrap(), topic);
        assert_eq!(topic.len(), 43, "256 bits");
        assert!(!topic.contains("jones"));
    }

    #[test]
    fn a_topic_follows_the_user_from_desk_to_desk_and_else_the_workstation() {
        let directory = directory(TopicRule::Unguessable, 9);
        assert_eq!(directory.topic(&seat("drjones", "RAD-7")), directory.topic(&seat("drjones", "RAD-8")));
        assert_ne!(directory.topic(&seat("drjones", "")), directory.topic(&seat("", "drjones")));
        assert_ne!(directory.topic(&seat("", "RAD-7")), directory.topic(&seat("", "RAD-8")));
        assert_eq!(directory.topic(&Seat::default()), None);
    }

    #[test]
    fn by_name_the_topic_is_the_name() {
        assert_eq!(directory(TopicRule::Name, 9).topic(&seat("drjones", "RAD-7")).as_deref(), Some("drjones"));
    }

    #[test]
    fn what_is_heard_of_later_than_it_was_said_does_not_move_a_user_back() {
        let directory = directory(TopicRule::Name, 2);
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        directory.note(seat("a", "RAD-8"), "a", at(60));
        let kept = directory.note(seat("a", "RAD-7"), "a", at(0));
        assert_eq!((kept.workstation.as_deref(), kept.seen, kept.messages), (Some("RAD-8"), at(60), 2));
    }

    #[test]
    fn the_directory_lists_the_latest_first_and_forgets_the_one_unseen_for_longest() {
        let directory = directory(TopicRule::Name, 2);
        for (second, user) in ["a", "b", "a", "c"].into_iter().enumerate() {
            let now = jiff::Timestamp::from_second(second as i64).unwrap();
            directory.note(seat(user, ""), user, now);
        }
        let listed: Vec<_> =
            directory.sessions().into_iter().map(|session| (session.topic, session.messages)).collect();
        assert_eq!(listed, [("c".to_owned(), 1), ("a".to_owned(), 2)]);
    }
}
