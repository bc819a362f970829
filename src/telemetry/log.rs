//! Where the log goes: standard error, one line a record, as text or as JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use serde::Deserialize;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{JsonFields, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, field::MakeExt as _};

use super::escape::{Escaped, JsonLines};
use super::traces::{TraceSettings, Traces};

/// How a record looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people: a sentence and its fields.
    Text,
    /// For programs: an object, with `timestamp`, `level`, `message`, and the fields beside them.
    Json,
}

/// Why logging did not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error("`log.filter` cannot be read: {0}; write a level such as \"info\"")]
    Filter(String),
    /// There is a logger already.
    #[error("logging has been started already")]
    Started,
    /// No traces can be sent.
    #[error("`traces.endpoint` cannot be used: {0}")]
    Traces(String),
}

/// Starts logging by `filter`: a level, or levels by module; and tracing, where that is configured.
///
/// # Errors
/// When `filter` cannot be read, no traces can be sent, or logging has been started before.
pub fn start(filter: &str, format: LogFormat, traces: &TraceSettings) -> Result<Traces, TelemetryError> {
    let log = log(filter, format, io::stderr().is_terminal(), io::stderr)?;
    let traces = Traces::start(traces)?;
    let subscriber = Registry::default().with(log);
    #[cfg(feature = "opentelemetry")]
    let subscriber = subscriber.with(traces.layer());
    subscriber.try_init().map_err(|_| TelemetryError::Started)?;
    Ok(traces)
}

/// A log of its own, written to `writer`.
///
/// # Errors
/// When `filter` cannot be read.
pub fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Ok(Registry::default().with(log(filter, format, colours, writer)?))
}

/// What writes records, each on a line, without the spans that they are in: those are for traces.
fn log<S, W>(
    filter: &str,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> Result<impl Layer<S> + Send + Sync + use<S, W>, TelemetryError>
where
    S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter(error.to_string()))?;
    let layer = tracing_subscriber::fmt::layer().with_target(false);
    let layer = match format {
        LogFormat::Text => {
            let fields = debug_fn(|writer: &mut Writer<'_>, field, value| {
                if field.name() != "message" {
                    write!(writer, "{field}=")?;
                }
                write!(Escaped(writer), "{value:?}")
            });
            layer.with_ansi(colours).fmt_fields(fields.delimited(" ")).with_writer(writer).boxed()
        }
        LogFormat::Json => {
            let json = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            json.fmt_fields(JsonFields::new()).with_writer(Escaping(writer)).boxed()
        }
    };
    Ok(layer.with_filter(filter.and(filter_fn(is_shown).with_max_level_hint(LevelFilter::TRACE))))
}

/// Our own records are shown as the filter says. Those of libraries below `info` are not, whatever it says: they show what is on
/// the wire, and patients are.
fn is_shown(record: &tracing::Metadata<'_>) -> bool {
    record.is_event() && (*record.level() <= Level::INFO || record.target().starts_with("fhircast_gateway"))
}

/// Makes writers that escape.
struct Escaping<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Escaping<W> {
    type Writer = JsonLines<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        JsonLines(self.0.make_writer())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::{debug, info, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile.
    fn logged(filter: &str, format: LogFormat, meanwhile: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(filter, format, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, meanwhile);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    /// Line breaks, ANSI, C1, turned text, hidden text, tags.
    const HARMFUL: &str = "A\r\nB\u{1b}[31mC\u{9b}D\u{202e}E\u{200b}F\u{2028}G\u{e0041}H\u{7f}I\0J";

    #[test]
    fn t11_what_a_peer_sends_neither_breaks_a_line_nor_commands_a_terminal() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged("info", format, || {
                info!(sender = HARMFUL, name = %HARMFUL, kind = ?HARMFUL, "{HARMFUL}");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.ends_with('\n') && !text.trim_end_matches('\n').chars().any(char::is_control), "{text:?}");
            assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{e0041}']), "{text:?}");
            assert!(text.contains("202e"), "spelt out: {text}");
        }
    }

    #[test]
    fn t11_a_record_in_json_is_an_object_on_a_line_of_its_own_and_keeps_every_character() {
        let text = logged("info", LogFormat::Json, || {
            warn!(sender = HARMFUL, connections = 3, "Connection refused.");
            info!("Done.");
        });
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len(), 2);
        assert_eq!((&records[0]["level"], &records[0]["message"]), (&"WARN".into(), &"Connection refused.".into()));
        assert_eq!((&records[0]["sender"], &records[0]["connections"]), (&HARMFUL.into(), &3.into()));
        assert!(records[0]["timestamp"].as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()));
    }

    #[test]
    fn t12_records_of_libraries_that_show_what_is_on_the_wire_are_never_written() {
        let text = logged("trace", LogFormat::Text, || {
            trace!(target: "tungstenite::protocol", "frame");
            debug!(target: "hyper::proto", "head");
            info!(target: "rustls", "shown");
            trace!(target: "fhircast_gateway::hub", "ours");
            trace!(target: "fhircast_gateway_mllp", "ours");
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("frame") && !text.contains("head"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let error = subscriber("a=b=c", LogFormat::Text, false, io::sink).err();
        assert!(matches!(error, Some(TelemetryError::Filter(_))), "{error:?}");
    }
}
