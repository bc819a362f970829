//! What a caller is granted: who it is, which events, which topics, until when.

use std::sync::Arc;

use jiff::Timestamp;

use crate::fhircast::Scopes;

/// What the bearer of a token may do. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who it is, made of issuer, subject and client id; the same principal is the same text, and no two share one. Empty
    /// where the hub is open.
    pub principal: Arc<str>,
    /// Which events may be read and written (SCO-01).
    pub scopes: Scopes,
    /// When the token ends; no lease outlives it (SUB-08). May lie in the past by the leeway that the issuer is given.
    pub expires: Option<Timestamp>,
    /// Which topics may be named at all (CLI-17, SEC-03).
    pub topics: Topics,
}

/// The topics that a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// It is bound to none: whoever knows a topic may use it.
    Any,
    /// These only, at most [`Topics::MOST`]; compared byte by byte.
    Listed(Arc<[Box<str>]>),
}

impl Grant {
    /// What everybody has at an open hub: everything, and no name.
    pub fn anonymous() -> Self {
        Self { principal: "".into(), scopes: Scopes::all(), expires: None, topics: Topics::Any }
    }

    /// Whether `topic` may be named.
    pub fn permits_topic(&self, topic: &str) -> bool {
        self.topics.permits(topic)
    }

    /// Whether the token has ended at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Topics {
    /// A token names a person's sessions, not a hospital's.
    pub const MOST: usize = 64;

    /// These topics only; `None` where they are more than [`Topics::MOST`].
    pub fn listed<'t>(topics: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let topics: Vec<Box<str>> = topics.into_iter().take(Self::MOST + 1).map(Box::from).collect();
        (topics.len() <= Self::MOST).then(|| Self::Listed(topics.into()))
    }

    /// Whether `topic` is among them.
    pub fn permits(&self, topic: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(topics) => topics.iter().any(|listed| **listed == *topic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_17_a_bound_token_permits_its_topics_and_no_other() {
        let topics = Topics::listed(["drjones", "drxray"]).unwrap();
        let grant = Grant { topics, ..Grant::anonymous() };
        assert!(grant.permits_topic("drjones") && !grant.permits_topic("DrJones") && !grant.permits_topic(""));
        assert!(!Topics::listed([]).unwrap().permits("drjones"));
        assert!(Grant::anonymous().permits_topic("anything"));
        assert_eq!(Topics::listed(vec!["topic"; Topics::MOST + 1]), None);
    }
}
