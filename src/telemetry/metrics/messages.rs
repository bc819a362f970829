//! The way of messages in numbers: what came, what became of it, and how long that took, by source.

use std::collections::HashMap;
use std::sync::Arc;

use fhircast_gateway_adapter_api::{BoxFuture, Fault, Inbound, Outcome, Sink};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::seconds::{Seconds, of_computing, of_waiting};

/// The configured name of an adapter: nothing that a peer could choose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySource {
    source: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    source: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFault {
    source: Arc<str>,
    fault: &'static str,
}

/// What is counted of messages. A source that is not configured is not counted: nothing can come from it.
#[derive(Debug)]
pub struct Messages {
    sources: HashMap<Arc<str>, Source>,
    families: Families,
}

/// What is counted of the messages of one source; shared with the families, so that counting looks nothing up.
#[derive(Debug)]
struct Source {
    received: Counter,
    accepted: Counter,
    ignored: Counter,
    rejected: Counter,
    unavailable: Counter,
    faults: [Counter; 5],
    seconds: Histogram,
    mapping_seconds: Histogram,
    commit_seconds: Histogram,
    control_ids_reused: Counter,
    resends: Counter,
    events_published: Counter,
    events_too_old: Counter,
}

#[derive(Debug)]
struct Families {
    received: Family<BySource, Counter>,
    answered: Family<ByOutcome, Counter>,
    refused: Family<ByFault, Counter>,
    seconds: Seconds<BySource>,
    mapping_seconds: Seconds<BySource>,
    commit_seconds: Seconds<BySource>,
    control_ids_reused: Family<BySource, Counter>,
    resends: Family<BySource, Counter>,
    events_published: Family<BySource, Counter>,
    events_too_old: Family<BySource, Counter>,
}

const FAULTS: [(Fault, &str); 5] = [
    (Fault::RequiredFieldMissing, "required_field_missing"),
    (Fault::ValueUnreadable, "value_unreadable"),
    (Fault::CodeUnknown, "code_unknown"),
    (Fault::KindUnsupported, "kind_unsupported"),
    (Fault::Internal, "internal"),
];

impl Messages {
    /// Nothing yet, of these sources.
    pub fn new<'s>(sources: impl IntoIterator<Item = &'s Arc<str>>) -> Arc<Self> {
        let families = Families::new();
        let sources = sources.into_iter().map(|name| (Arc::clone(name), families.of(name))).collect();
        Arc::new(Self { sources, families })
    }

    /// A sink that measures every message on its way into `inner`, and its answer.
    pub fn measured(self: &Arc<Self>, inner: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(Measured { inner, messages: Arc::clone(self) })
    }

    /// Does `mapping` of a message of `source`, and notes how long that took.
    pub fn mapping<T>(&self, source: &str, mapping: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let mapped = mapping();
        self.of(source, |it| it.mapping_seconds.observe(begun.elapsed().as_secs_f64()));
        mapped
    }

    /// Waits until a message of `source` is durable, and notes how long that took.
    pub async fn commit<T>(&self, source: &str, commit: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let committed = commit.await;
        self.of(source, |it| it.commit_seconds.observe(begun.elapsed().as_secs_f64()));
        committed
    }

    /// A control id of `source` came again with other content.
    pub fn control_id_reused(&self, source: &str) {
        self.of(source, |it| it.control_ids_reused.inc());
    }

    /// A message of `source` came again, and got the same answer again.
    pub fn resent(&self, source: &str) {
        self.of(source, |it| it.resends.inc());
    }

    /// So many events of a message of `source` were published.
    pub fn published(&self, source: &str, events: usize) {
        self.of(source, |it| it.events_published.inc_by(events as u64));
    }

    /// So many events of a message of `source` were not shown, as they were too old.
    pub fn too_old(&self, source: &str, events: usize) {
        self.of(source, |it| it.events_too_old.inc_by(events as u64));
    }

    fn of<T>(&self, source: &str, note: impl FnOnce(&Source) -> T) {
        self.sources.get(source).map(note);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let it = &self.families;
        registry.register("messages_received", "Messages that adapters have handed over", it.received.clone());
        registry.register("messages_answered", "Messages answered, by what became of them", it.answered.clone());
        registry.register("messages_refused", "Messages rejected, by the kind of mistake", it.refused.clone());
        registry.register("message_seconds", "From a message's arrival to its answer", it.seconds.clone());
        registry.register("mapping_seconds", "What a mapping takes for one message", it.mapping_seconds.clone());
        registry.register("message_commit_seconds", "Until a message is durable", it.commit_seconds.clone());
        let reused = "Messages whose control id was known with other content";
        registry.register("control_ids_reused", reused, it.control_ids_reused.clone());
        registry.register(
            "resends",
            "Messages that were answered before, and got that answer again",
            it.resends.clone(),
        );
        registry.register(
            "message_events_published",
            "Events of messages that were published",
            it.events_published.clone(),
        );
        let too_old = "Events of messages that were too old to be shown";
        registry.register("message_events_too_old", too_old, it.events_too_old.clone());
    }
}

impl Families {
    fn new() -> Self {
        Self {
            received: Family::default(),
            answered: Family::default(),
            refused: Family::default(),
            seconds: of_waiting(),
            mapping_seconds: of_computing(),
            commit_seconds: of_waiting(),
            control_ids_reused: Family::default(),
            resends: Family::default(),
            events_published: Family::default(),
            events_too_old: Family::default(),
        }
    }

    fn of(&self, name: &Arc<str>) -> Source {
        let source = BySource { source: Arc::clone(name) };
        let by_outcome = |outcome| ByOutcome { source: Arc::clone(name), outcome };
        let answered = |outcome| self.answered.get_or_create_owned(&by_outcome(outcome));
        let by_fault = |(_, fault)| ByFault { source: Arc::clone(name), fault };
        Source {
            received: self.received.get_or_create_owned(&source),
            accepted: answered("accepted"),
            ignored: answered("ignored"),
            rejected: answered("rejected"),
            unavailable: answered("unavailable"),
            faults: FAULTS.map(|fault| self.refused.get_or_create_owned(&by_fault(fault))),
            seconds: self.seconds.get_or_create_owned(&source),
            mapping_seconds: self.mapping_seconds.get_or_create_owned(&source),
            commit_seconds: self.commit_seconds.get_or_create_owned(&source),
            control_ids_reused: self.control_ids_reused.get_or_create_owned(&source),
            resends: self.resends.get_or_create_owned(&source),
            events_published: self.events_published.get_or_create_owned(&source),
            events_too_old: self.events_too_old.get_or_create_owned(&source),
        }
    }
}

impl Source {
    fn answered(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Accepted => &self.accepted,
            Outcome::Ignored => &self.ignored,
            Outcome::Rejected(_) => &self.rejected,
            Outcome::Unavailable { .. } => &self.unavailable,
        };
        counter.inc();
        if let Outcome::Rejected(rejection) = outcome {
            for (_, counter) in FAULTS.iter().zip(&self.faults).filter(|((fault, _), _)| *fault == rejection.fault) {
                counter.inc();
            }
        }
    }
}

/// Measures what goes through it.
struct Measured {
    inner: Arc<dyn Sink>,
    messages: Arc<Messages>,
}

impl Sink for Measured {
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
        let (begun, name) = (Instant::now(), Arc::clone(&inbound.source));
        self.messages.of(&name, |source| source.received.inc());
        Box::pin(async move {
            let outcome = self.inner.submit(inbound).await;
            self.messages.of(&name, |source| {
                source.answered(&outcome);
                source.seconds.observe(begun.elapsed().as_secs_f64());
            });
            outcome
        })
    }
}
