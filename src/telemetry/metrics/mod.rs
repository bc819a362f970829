//! Numbers for Prometheus, in OpenMetrics text, at `GET /metrics` of the operator's listener. `config/metrics.md` names them.
//!
//! No label's value comes from a peer: each is the name of a configured adapter, the template of a route, or of a closed set.
//! So the number of series is bounded by the configuration, and no patient can be in one (T12). The registry is a value that is
//! handed on; there is no global one.

mod collectors;
mod messages;
mod responses;
mod seconds;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

pub use self::messages::Messages;
pub use self::responses::Responses;

use self::collectors::{AdapterCollector, AuditCollector, HubCollector, ProcessCollector, StateCollector};
use super::Readiness;
use crate::adapters::AdapterFigures;
use crate::audit::AuditLog;
use crate::audit::syslog::Watched;
use crate::hub::Hub;
use crate::store::Store;

/// Everything that is measured.
pub(crate) struct Measured {
    /// The way of messages.
    pub(crate) messages: Arc<Messages>,
    /// Answers over HTTP.
    pub(crate) responses: Responses,
    /// The hub.
    pub(crate) hub: Hub,
    /// The adapters.
    pub(crate) adapters: Vec<AdapterFigures>,
    /// The audit log.
    pub(crate) audit: AuditLog,
    /// Its feed.
    pub(crate) audit_feed: Watched,
    /// The store.
    pub(crate) store: Store,
    /// Whether work may be sent here.
    pub(crate) readiness: Readiness,
    /// When the gateway started.
    pub(crate) started: SystemTime,
}

/// The metrics of a gateway. Clones are the same metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Registry>);

/// What stands before the name of every metric that is the gateway's own.
const PREFIX: &str = "fhircast_gateway";

impl Metrics {
    pub(crate) fn new(measured: Measured) -> Self {
        let Measured { messages, responses, hub, adapters, audit, audit_feed, store, readiness, started } = measured;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector { started }));
        let own = registry.sub_registry_with_prefix(PREFIX);
        messages.register(own);
        responses.register(own);
        hub.fan_out(|fan_out| own.register("hub_fan_out", "Subscribers told of one event", fan_out));
        own.register_collector(Box::new(HubCollector(hub)));
        own.register_collector(Box::new(AdapterCollector(adapters)));
        own.register_collector(Box::new(AuditCollector(audit, audit_feed)));
        own.register_collector(Box::new(StateCollector { readiness, store }));
        Self(Arc::new(registry))
    }

    /// What they are now, as OpenMetrics text.
    ///
    /// # Errors
    /// When a figure cannot be written: a mistake in the gateway.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
