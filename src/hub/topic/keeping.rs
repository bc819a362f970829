//! What of a topic is kept beyond it: the state before a change, should that not become durable; and a topic made again from
//! what was kept of it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::command::{Called, Command, EndpointId, Spelling};
use super::contexts::{Context, Contexts};
use super::history::{History, Past};
use super::subscription::{Connection, Subscription};
use super::{Limits, Topic, later};
use crate::fhircast::scope::Scopes;
use crate::hub::policy::Policy;

/// How long a subscriber may take to come back to a hub that was started again, before the others are told that it is lost.
const RESTART_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// The state before a command, as far as the command can change it.
#[derive(Debug)]
pub(in crate::hub) struct Before {
    contexts: Contexts,
    history: History,
    sequence: u64,
    is_users: bool,
    touched: Timestamp,
    subscriptions: Option<Vec<Subscription>>,
}

/// What is kept of a topic.
#[derive(Debug)]
pub(in crate::hub) struct Kept {
    pub(in crate::hub) sequence: u64,
    /// Whether the last of `contexts` is the current one.
    pub(in crate::hub) has_current: bool,
    pub(in crate::hub) is_users: bool,
    pub(in crate::hub) touched: Timestamp,
    /// In the order of their opens.
    pub(in crate::hub) contexts: Vec<Context>,
    /// In their order.
    pub(in crate::hub) events: Vec<Past>,
    /// In the order of subscribing.
    pub(in crate::hub) subscriptions: Vec<KeptSubscription>,
}

/// What is kept of a subscription.
#[derive(Clone, Debug)]
pub(in crate::hub) struct KeptSubscription {
    pub(in crate::hub) endpoint: EndpointId,
    pub(in crate::hub) events: Vec<Spelling>,
    pub(in crate::hub) expires: Timestamp,
    /// It has not connected yet, and is dropped if it has not by then.
    pub(in crate::hub) connects_by: Option<Timestamp>,
    pub(in crate::hub) policy: Policy,
    pub(in crate::hub) name: Option<String>,
    pub(in crate::hub) alias: Option<String>,
    pub(in crate::hub) principal: Arc<str>,
    pub(in crate::hub) scopes: Scopes,
    pub(in crate::hub) mount: Arc<str>,
    pub(in crate::hub) webhook: Option<Arc<Called>>,
}

impl Topic {
    /// The topic of which `kept` was kept.
    pub(in crate::hub) fn restore(limits: Limits, kept: Kept, now: Timestamp) -> Self {
        let back_by = |policy: &Policy| later(now, policy.reconnect_grace.max(RESTART_GRACE));
        let subscription = |kept: KeptSubscription| Subscription::restore(kept.clone(), back_by(&kept.policy), now);
        Self {
            contexts: Contexts::restore(limits.max_contexts, kept.contexts, kept.has_current),
            subscriptions: kept.subscriptions.into_iter().map(subscription).collect(),
            history: History::restore(kept.events),
            sequence: kept.sequence,
            is_users: kept.is_users,
            touched: kept.touched,
            limits,
        }
    }

    /// The state before `command`, for [`Self::undo`]; `None` for what nobody is promised anything by: time, and sockets.
    pub(in crate::hub) fn before(&self, command: &Command) -> Option<Before> {
        let subscriptions = match command {
            Command::Publish { .. } => None,
            Command::Resubscribe { .. } | Command::Subscribe { .. } | Command::Unsubscribe { .. } => {
                Some(self.subscriptions.clone())
            }
            _ => return None,
        };
        Some(Before {
            contexts: self.contexts.clone(),
            history: self.history.clone(),
            sequence: self.sequence,
            is_users: self.is_users,
            touched: self.touched,
            subscriptions,
        })
    }

    /// Makes it what it was `before` a command, as though that had never come.
    pub(in crate::hub) fn undo(&mut self, before: Before) {
        let Before { contexts, history, sequence, is_users, touched, subscriptions } = before;
        (self.contexts, self.history, self.sequence) = (contexts, history, sequence);
        (self.is_users, self.touched) = (is_users, touched);
        if let Some(subscriptions) = subscriptions {
            self.subscriptions = subscriptions;
        }
    }

    /// The event that was accepted last.
    pub(in crate::hub) fn latest_event(&self) -> Option<&Past> {
        self.history.latest()
    }

    /// The topic's own figures, without what is in it.
    pub(in crate::hub) fn figures(&self) -> (u64, bool, Timestamp) {
        (self.sequence, self.is_users, self.touched)
    }

    /// What is kept of the subscription at `endpoint`.
    pub(in crate::hub) fn kept_subscription(&self, endpoint: EndpointId) -> Option<KeptSubscription> {
        let subscription = &self.subscriptions[self.index(endpoint).ok()?];
        Some(KeptSubscription {
            endpoint,
            events: subscription.events.clone(),
            expires: subscription.expires,
            connects_by: match subscription.connection {
                Connection::Awaited { until } => Some(until),
                _ => None,
            },
            policy: subscription.policy,
            name: subscription.name.clone(),
            alias: subscription.alias.clone(),
            principal: Arc::clone(&subscription.principal),
            scopes: subscription.scopes.clone(),
            mount: Arc::clone(&subscription.mount),
            webhook: subscription.webhook.clone(),
        })
    }

    /// The open context of this anchor.
    pub(in crate::hub) fn context(&self, anchor: &crate::fhircast::ResourceKey) -> Option<&Context> {
        self.contexts.get(anchor)
    }
}
