//! Traces: the way of each message through the stages, sent to an OpenTelemetry collector by OTLP over HTTP.
//!
//! Only builds with the feature `opentelemetry` have any. A span holds what a log line may hold: names that the site has given,
//! control ids, outcomes; never what a message is about (T12). Spans wait in a bounded queue, and go where it is full.

use serde::Deserialize;

/// `[traces]`: where traces are sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// A collector's address for traces: `http://127.0.0.1:4318/v1/traces`. Without one there are none.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The share of messages that are traced, 0 to 1.
    pub share: f64,
}

/// Whether this build can send any.
const AVAILABLE: bool = cfg!(feature = "opentelemetry");

impl TraceSettings {
    /// The setting that is wrong, why, and what to do.
    pub fn problem(&self) -> Option<(&'static str, &'static str, &'static str)> {
        if self.endpoint.is_some() && !AVAILABLE {
            let help = "take it out; or build the gateway with `--features opentelemetry`";
            return Some(("endpoint", "this build of the gateway sends no traces", help));
        }
        let known = |endpoint: &str| endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if !self.endpoint.as_deref().is_none_or(known) {
            let help = "write \"http://127.0.0.1:4318/v1/traces\"";
            return Some(("endpoint", "`traces.endpoint` is no address of a collector", help));
        }
        (!(0.0..=1.0).contains(&self.share)).then_some(("share", "a share is from 0 to 1", "0.1 traces a tenth"))
    }
}

#[cfg(feature = "opentelemetry")]
pub use self::exported::Traces;

#[cfg(not(feature = "opentelemetry"))]
pub use self::none::Traces;

#[cfg(feature = "opentelemetry")]
mod exported {
    use std::time::Duration;

    use opentelemetry::KeyValue;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing::Subscriber;
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::registry::LookupSpan;

    use super::TraceSettings;
    use crate::telemetry::TelemetryError;

    /// What sends the traces; nothing, where no collector is configured.
    #[derive(Debug)]
    pub struct Traces(Option<SdkTracerProvider>);

    /// For what waits to be sent when the gateway ends.
    const FAREWELL: Duration = Duration::from_secs(2);

    impl Traces {
        /// # Errors
        /// When the collector's address cannot be used.
        pub fn start(settings: &TraceSettings) -> Result<Self, TelemetryError> {
            let Some(endpoint) = &settings.endpoint else { return Ok(Self(None)) };
            let exporter =
                SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(endpoint);
            let exporter = exporter.build().map_err(|error| TelemetryError::Traces(error.to_string()))?;
            // Of the environment nothing is looked at: only `main` does that.
            let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
            let resource = Resource::builder_empty().with_service_name("fhircast-gateway").with_attribute(version);
            let provider = SdkTracerProvider::builder()
                .with_resource(resource.build())
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.share))))
                .with_batch_exporter(exporter)
                .build();
            Ok(Self(Some(provider)))
        }

        /// What turns spans of the gateway's own into traces; what libraries say of themselves shows what is on the wire.
        pub(in crate::telemetry) fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
        where
            S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
        {
            let tracer = self.0.as_ref()?.tracer("fhircast-gateway");
            let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
            Some(layer.with_filter(filter_fn(|it| it.is_span() && it.target().starts_with("fhircast_gateway"))))
        }

        /// Sends what still waits, for a bounded time.
        pub async fn end(self) {
            let Some(provider) = self.0 else { return };
            // It waits for a thread of its own. What is not sent by then is lost, as traces may be.
            let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FAREWELL)).await;
        }
    }
}

#[cfg(not(feature = "opentelemetry"))]
mod none {
    use super::TraceSettings;
    use crate::telemetry::TelemetryError;

    /// Nothing, in this build.
    #[derive(Debug)]
    pub struct Traces;

    impl Traces {
        /// # Errors
        /// Never, in this build.
        pub fn start(_: &TraceSettings) -> Result<Self, TelemetryError> {
            Ok(Self)
        }

        /// At once, in this build.
        pub async fn end(self) {}
    }
}
