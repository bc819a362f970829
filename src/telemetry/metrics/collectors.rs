//! What others count, or can be asked for, read when somebody looks.

use std::fmt;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::adapters::AdapterFigures;
use crate::audit::AuditLog;
use crate::audit::syslog::Watched;
use crate::hub::Hub;
use crate::process;
use crate::store::Store;
use crate::telemetry::Readiness;

/// Collectors are to be shown, though nobody looks.
macro_rules! debug_by_name {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(stringify!($name))
            }
        })+
    };
}

debug_by_name!(HubCollector, AdapterCollector, AuditCollector, StateCollector, ProcessCollector);

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(described(encoder, name, help, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    ConstGauge::new(value).encode(described(encoder, name, help, MetricType::Gauge)?)
}

/// A help is a sentence, as the registry makes of those that are registered.
fn described<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, &format!("{help}."), None, kind)
}

/// Everything in the hub's own counters, and what there is now.
pub(super) struct HubCollector(pub(super) Hub);

impl Collector for HubCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(hub) = self;
        let counted = hub.counters();
        for (name, help, value) in counted.figures() {
            counter(&mut encoder, &format!("hub_{name}"), help.trim().trim_end_matches('.'), value)?;
        }
        let open = counted.sockets_opened.saturating_sub(counted.sockets_ended);
        gauge(&mut encoder, "hub_sockets_open", "Sockets that are open now", open)?;
        gauge(&mut encoder, "hub_subscriptions", "Subscriptions that there are now", hub.subscriptions() as u64)?;
        gauge(&mut encoder, "hub_topics", "Topics that there are now", hub.topics() as u64)
    }
}

/// What each adapter has counted, under its configured name and its own names of events.
pub(super) struct AdapterCollector(pub(super) Vec<AdapterFigures>);

impl Collector for AdapterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What has happened on an adapter's wire, by the adapter's own names";
        let mut events = described(&mut encoder, "adapter_events", help, MetricType::Counter)?;
        for adapter in &self.0 {
            for (event, count) in adapter.counts() {
                let labels = [("adapter", &*adapter.name), ("event", event)];
                ConstCounter::new(count).encode(events.encode_family(&labels)?)?;
            }
        }
        let help = "Connections of peers that are open now";
        let mut connections = described(&mut encoder, "adapter_connections", help, MetricType::Gauge)?;
        for adapter in &self.0 {
            let open = i64::try_from(adapter.connections()).unwrap_or(i64::MAX);
            ConstGauge::new(open).encode(connections.encode_family(&[("adapter", &*adapter.name)])?)?;
        }
        Ok(())
    }
}

/// The audit log, and its feed: what waits, what was written or sent, what was lost.
pub(super) struct AuditCollector(pub(super) AuditLog, pub(super) Watched);

impl Collector for AuditCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.figures();
        gauge(&mut encoder, "audit_waiting", "Audit entries that wait for the disk", figures.waiting)?;
        counter(&mut encoder, "audit_written", "Audit entries written", figures.written)?;
        counter(&mut encoder, "audit_lost", "Audit entries that could not be written", figures.lost)?;
        let feed = self.1.figures();
        gauge(
            &mut encoder,
            "audit_syslog_connected",
            "1 while the syslog receiver is there",
            u64::from(feed.connected),
        )?;
        gauge(&mut encoder, "audit_syslog_waiting_bytes", "Bytes of the audit log not sent yet", feed.waiting_bytes)?;
        counter(&mut encoder, "audit_syslog_sent", "Audit entries sent by syslog", feed.sent)?;
        counter(&mut encoder, "audit_syslog_lost", "Audit entries that the feed could not read any more", feed.lost)?;
        counter(&mut encoder, "audit_syslog_failures", "Connections to the syslog receiver that failed", feed.failures)
    }
}

/// Whether the gateway can do its work, and what waits for the store.
pub(super) struct StateCollector {
    pub(super) readiness: Readiness,
    pub(super) store: Store,
}

impl Collector for StateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(&mut encoder, "ready", "1 where `/readyz` says so", u64::from(self.readiness.is_ready()))?;
        gauge(&mut encoder, "draining", "1 while the gateway drains", u64::from(self.readiness.is_draining()))?;
        gauge(&mut encoder, "store_waiting", "Changes that wait to be durable", self.store.waiting() as u64)
    }
}

/// The process, under the names that every Prometheus client gives it.
pub(super) struct ProcessCollector {
    pub(super) started: SystemTime,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let help = "When the gateway started, in seconds since 1970";
        gauge(&mut encoder, "process_start_time_seconds", help, started.as_secs())?;
        // Not every system can be asked.
        let Some(figures) = process::figures() else { return Ok(()) };
        let help = "Memory that the process holds";
        gauge(&mut encoder, "process_resident_memory_bytes", help, figures.resident_bytes)?;
        gauge(&mut encoder, "process_open_fds", "Descriptors that are open", figures.open_descriptors)?;
        gauge(&mut encoder, "process_max_fds", "Descriptors that may be open", figures.max_descriptors)?;
        let help = "Processor time used";
        let cpu = described(&mut encoder, "process_cpu_seconds", help, MetricType::Counter)?;
        ConstCounter::new(figures.processor_seconds).encode(cpu)
    }
}
