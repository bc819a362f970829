//! The adapters there are: the only file that names them.
//!
//! A configured adapter is checked, then bound, then run: all are checked before the first is bound, and all are bound
//! before the first message is taken.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fhircast_gateway_adapter_api::{BoxFuture, Clock, Fields, Grammar, Sink};
use fhircast_gateway_mllp as mllp;
use fhircast_gateway_mllp::tls::ListenerTls;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use fhircast_gateway_mllp::anonymize::{Anonymized, anonymized};
pub(crate) use fhircast_gateway_mllp::sender as hl7_sender;
pub(crate) use fhircast_gateway_mllp::tls::ClientTls;

use crate::config::{self, AdapterConfig, Layers, Problem, Problems};
use crate::mapping::cases::MessageReader;

/// The field grammars of all protocols that a mapping can name.
pub(crate) const GRAMMARS: [&dyn Grammar; 1] = [&mllp::Hl7v2];

/// Reads the messages in the cases of HL7 v2 mappings.
pub const HL7_CASES: MessageReader = MessageReader { fence: "hl7", read: read_hl7v2 };

/// The kinds that `[adapter.NAME] kind` can name.
const KINDS: [&str; 1] = ["mllp"];

/// Reads one message of `protocol` as its adapter would.
///
/// # Errors
/// A sentence that says why these bytes are no such message, or that there is no such protocol.
pub fn read_message(protocol: &str, bytes: &[u8]) -> Result<Arc<dyn Fields>, String> {
    match protocol {
        "hl7v2" => read_hl7v2(bytes),
        other => Err(format!("no adapter speaks `{other}`")),
    }
}

/// One message of HL7 v2 as text, segments on lines of their own.
///
/// # Errors
/// A sentence that says why these bytes are no such message.
pub(crate) fn message_text(bytes: &[u8]) -> Result<String, String> {
    Ok(hl7v2(bytes)?.decoded().replace('\r', "\n"))
}

fn read_hl7v2(bytes: &[u8]) -> Result<Arc<dyn Fields>, String> {
    Ok(Arc::new(hl7v2(bytes)?))
}

fn hl7v2(bytes: &[u8]) -> Result<mllp::message::Message, String> {
    let payload = hl7_sender::with_segment_ends(bytes);
    let policy = mllp::Settings::default().charset_policy();
    mllp::message::Message::read(payload.into(), policy).map_err(|refusal| refusal.to_string())
}

/// Reads the messages of one source again, as its adapter did when they came.
#[derive(Clone)]
pub struct SourceReader(Arc<mllp::Settings>);

impl SourceReader {
    /// The protocol whose field paths the source's mappings are written in.
    pub fn protocol(&self) -> &'static str {
        mllp::Hl7v2.protocol()
    }

    /// The fields of a message that was received as `raw`.
    ///
    /// # Errors
    /// A sentence that says why these bytes are no such message.
    pub fn read(&self, raw: Bytes) -> Result<Arc<dyn Fields>, String> {
        let message = mllp::message::Message::read(raw, self.0.charset_policy());
        message.map(|message| Arc::new(message) as Arc<dyn Fields>).map_err(|refusal| refusal.to_string())
    }
}

impl fmt::Debug for SourceReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SourceReader({})", self.protocol())
    }
}

/// An adapter whose settings are right.
pub(crate) struct Adapter {
    name: Arc<str>,
    settings: Arc<mllp::Settings>,
    tls: Option<Arc<ListenerTls>>,
}

/// Reads a certificate's files again; gives whether anything has changed, or why what they hold cannot be used.
pub(crate) type ReloadCertificate = Box<dyn Fn() -> Result<bool, String> + Send>;

/// What an adapter has counted, under its configured name.
pub(crate) struct AdapterFigures {
    /// The configured name.
    pub(crate) name: Arc<str>,
    counters: Arc<mllp::Counters>,
}

impl AdapterFigures {
    /// Everything counted, by the adapter's own names: a closed set.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters.snapshot()
    }

    /// Connections of peers that are open now.
    pub(crate) fn connections(&self) -> u64 {
        self.counters.open_connections()
    }
}

/// An adapter that holds its address, and is ready to run.
pub(crate) struct BoundAdapter {
    /// The configured name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    settings: Arc<mllp::Settings>,
    tls: Option<Arc<ListenerTls>>,
    counters: Arc<mllp::Counters>,
}

impl Adapter {
    /// Checks the adapter `name`. `None` when it could not be read; what is wrong is in `problems`.
    pub(crate) fn configure(
        name: &str,
        config: &AdapterConfig,
        layers: &Layers,
        problems: &mut Problems,
    ) -> Option<Self> {
        let place = || layers.place_of_value(&["adapter", name, "kind"]);
        if !KINDS.contains(&config.kind.as_str()) {
            let problem = Problem::new(format!("there is no adapter of kind `{}`", config.kind));
            problems.push(problem.help(format!("one of: {}", KINDS.join(", "))).at(place()));
            return None;
        }
        let settings: mllp::Settings = config::settings(layers, &["adapter", name], &config.settings, problems)?;
        for problem in settings.check() {
            let path: Vec<&str> = ["adapter", name].into_iter().chain(problem.key.split('.')).collect();
            let place = layers.place_of_value(&path).or_else(|| layers.place_of_key(&["adapter", name]));
            problems.push(Problem::new(format!("adapter `{name}`: {}", problem.message)).at(place));
        }
        let tls = settings.tls.clone().and_then(|tls| match ListenerTls::load(tls) {
            Ok(tls) => Some(Arc::new(tls)),
            Err(error) => {
                let problem = Problem::new(format!("adapter `{name}`: {error}"));
                problems.push(problem.at(layers.place_of_key(&["adapter", name, "tls"])));
                None
            }
        });
        Some(Self { name: name.into(), settings: Arc::new(settings), tls })
    }

    /// The configured name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is to listen.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.settings.listen
    }

    /// What reads its messages again.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader(Arc::clone(&self.settings))
    }

    /// Takes its address.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn bind(self) -> io::Result<BoundAdapter> {
        let listener = TcpListener::bind(self.settings.listen).await?;
        let address = listener.local_addr()?;
        let Self { name, settings, tls } = self;
        Ok(BoundAdapter { name, address, listener, settings, tls, counters: Arc::default() })
    }
}

impl BoundAdapter {
    /// What reads its messages again.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader(Arc::clone(&self.settings))
    }

    /// What it counts.
    pub(crate) fn figures(&self) -> AdapterFigures {
        AdapterFigures { name: Arc::clone(&self.name), counters: Arc::clone(&self.counters) }
    }

    /// Its certificate, where it has one: reads its files again, and says whether anything has changed.
    pub(crate) fn certificate(&self) -> Option<ReloadCertificate> {
        let tls = Arc::clone(self.tls.as_ref()?);
        Some(Box::new(move || tls.reload().map_err(|error| error.to_string())))
    }

    /// Runs until `shutdown`, and then until what it has in hand is answered.
    pub(crate) fn run(
        self,
        sink: Arc<dyn Sink>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> BoxFuture<'static, ()> {
        let Self { name, listener, settings, tls, counters, .. } = self;
        Box::pin(mllp::serve(listener, tls, settings, name, sink, clock, counters, shutdown))
    }
}
