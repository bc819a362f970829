//! What traces show of a message: its way through all stages, and nobody whom it is about. Needs the feature `opentelemetry`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::fixture::Gateway;
use crate::main_job::READING_BEGINS;

/// Spans: each with the one around it, and all that was said in any.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<(BTreeMap<String, Option<String>>, String)>>);

struct Words<'w>(&'w mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if !span.metadata().target().starts_with("fhircast_gateway") {
            return;
        }
        let mut seen = self.0.lock().unwrap();
        seen.0.insert(span.name().to_owned(), span.parent().map(|parent| parent.name().to_owned()));
        attributes.record(&mut Words(&mut seen.1));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut Words(&mut self.0.lock().unwrap().1));
    }
}

#[tokio::test]
async fn a_trace_follows_a_message_through_all_stages_and_names_no_patient() {
    let seen = Seen::default();
    // With one alone, what another test's thread meets first is taken for unwanted everywhere.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _tracing = tracing::subscriber::set_default(tracing_subscriber::registry().with(seen.clone()));
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    seen.0.lock().unwrap().0.clear();
    gateway.ris().await.send(READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    let (spans, said) = seen.0.lock().unwrap().clone();
    let inside = |outer: &str| Some(Some(outer.to_owned()));
    assert_eq!(spans.get("message"), Some(&None), "{spans:?}");
    for (stage, outer) in [
        ("map", "message"),
        ("session", "message"),
        ("decide", "message"),
        ("commit", "message"),
        ("store", "commit"),
        ("tell", "commit"),
    ] {
        assert_eq!(spans.get(stage).cloned(), inside(outer), "{stage}: {spans:?}");
    }
    assert!(said.contains("ACME0002") && said.contains("accepted"), "{said}");
    for patient in ["Berger", "4711001", "ACC-2026-004711", "drjones"] {
        assert!(!said.contains(patient), "{said}");
    }
}
