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
use fhircast_gateway_ccow as ccow;
use fhircast_gateway_mllp as mllp;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use fhircast_gateway_mllp::anonymize::{Anonymized, anonymized};
pub(crate) use fhircast_gateway_mllp::sender as hl7_sender;
pub(crate) use fhircast_gateway_mllp::tls::ClientTls;

use crate::config::{self, AdapterConfig, Layers, Problem, Problems};
use crate::mapping::cases::MessageReader;
use crate::security::{ServerTls, TlsSettings};

/// The field grammars of all protocols that a mapping can name.
pub const GRAMMARS: [&dyn Grammar; 2] = [&mllp::Hl7v2, &ccow::Ccow];

/// Reads the messages in the cases of HL7 v2 mappings.
pub(crate) const HL7_CASES: MessageReader = MessageReader { fence: "hl7", read: read_hl7v2 };

/// Reads the messages in the cases of every protocol's mappings.
pub const CASES: [MessageReader; 2] = [HL7_CASES, MessageReader { fence: "ccow", read: read_ccow }];

/// The kinds that `[adapter.NAME] kind` can name.
const KINDS: [&str; 2] = ["mllp", "ccow"];

/// Reads one message of `protocol` as its adapter would.
///
/// # Errors
/// A sentence that says why these bytes are no such message, or that there is no such protocol.
pub fn read_message(protocol: &str, bytes: &[u8]) -> Result<Arc<dyn Fields>, String> {
    match protocol {
        "hl7v2" => read_hl7v2(bytes),
        "ccow" => read_ccow(bytes),
        other => Err(format!("no adapter speaks `{other}`")),
    }
}

/// The protocol whose message these bytes seem to be: what does not look like another is taken for HL7 v2.
pub(crate) fn protocol_of(bytes: &[u8]) -> &'static str {
    let is_hl7 = bytes.windows(3).any(|start| matches!(start, b"MSH" | b"FHS" | b"BHS"));
    if !is_hl7 && read_ccow(bytes).is_ok() { "ccow" } else { "hl7v2" }
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

fn read_ccow(bytes: &[u8]) -> Result<Arc<dyn Fields>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    let commit = ccow::Commit::read(text).map_err(|error| error.to_string())?;
    Ok(Arc::new(commit))
}

/// Reads the messages of one source again, as its adapter did when they came.
#[derive(Clone)]
pub struct SourceReader(Kind);

impl SourceReader {
    /// The protocol whose field paths the source's mappings are written in.
    pub fn protocol(&self) -> &'static str {
        match self.0 {
            Kind::Mllp { .. } => mllp::Hl7v2.protocol(),
            Kind::Ccow { .. } => ccow::Ccow.protocol(),
        }
    }

    /// The fields of a message that was received as `raw`.
    ///
    /// # Errors
    /// A sentence that says why these bytes are no such message.
    pub fn read(&self, raw: Bytes) -> Result<Arc<dyn Fields>, String> {
        match &self.0 {
            Kind::Mllp { settings, .. } => {
                let message = mllp::message::Message::read(raw, settings.charset_policy());
                message.map(|message| Arc::new(message) as Arc<dyn Fields>).map_err(|refusal| refusal.to_string())
            }
            Kind::Ccow { .. } => read_ccow(&raw),
        }
    }
}

impl fmt::Debug for SourceReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SourceReader({})", self.protocol())
    }
}

/// What an adapter is.
#[derive(Clone)]
enum Kind {
    Mllp { settings: Arc<mllp::Settings>, tls: Option<Arc<mllp::tls::ListenerTls>>, counters: Arc<mllp::Counters> },
    Ccow { settings: Arc<ccow::Settings>, tls: Option<Arc<ServerTls>>, counters: Arc<ccow::Counters> },
}

/// An adapter whose settings are right.
pub(crate) struct Adapter {
    name: Arc<str>,
    kind: Kind,
}

/// An address that an adapter listens at, and the setting that gives it, below `[adapter.NAME]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) address: SocketAddr,
    pub(crate) key: &'static str,
}

/// Why an adapter has not got an address.
pub(crate) struct NotBound {
    pub(crate) address: Address,
    /// What the system said.
    pub(crate) source: io::Error,
}

/// Reads a certificate's files again; gives whether anything has changed, or why what they hold cannot be used.
pub(crate) type ReloadCertificate = Box<dyn Fn() -> Result<bool, String> + Send>;

/// What an adapter has counted, under its configured name.
pub(crate) struct AdapterFigures {
    /// The configured name.
    pub(crate) name: Arc<str>,
    kind: Kind,
}

impl AdapterFigures {
    /// Everything counted, by the adapter's own names: a closed set.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        match &self.kind {
            Kind::Mllp { counters, .. } => counters.snapshot(),
            Kind::Ccow { counters, .. } => counters.snapshot(),
        }
    }

    /// Connections of peers that are open now.
    pub(crate) fn connections(&self) -> u64 {
        match &self.kind {
            Kind::Mllp { counters, .. } => counters.open_connections(),
            Kind::Ccow { counters, .. } => counters.open_connections(),
        }
    }
}

impl Adapter {
    /// Checks the adapter `name`. `None` when it could not be read; what is wrong is in `problems`.
    pub(crate) fn configure(
        name: &str,
        config: &AdapterConfig,
        layers: &Layers,
        problems: &mut Problems,
    ) -> Option<Self> {
        let section = Section { name, config, layers };
        let kind = match config.kind.as_str() {
            "mllp" => section.mllp(problems)?,
            "ccow" => section.ccow(problems)?,
            other => {
                let problem = Problem::new(format!("there is no adapter of kind `{other}`"));
                let place = layers.place_of_value(&["adapter", name, "kind"]);
                problems.push(problem.help(format!("one of: {}", KINDS.join(", "))).at(place));
                return None;
            }
        };
        Some(Self { name: name.into(), kind })
    }

    /// The configured name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is to listen; the second, where there is one, is for TLS.
    pub(crate) fn addresses(&self) -> (Address, Option<Address>) {
        let listen = |address| Address { address, key: "listen" };
        match &self.kind {
            Kind::Mllp { settings, .. } => (listen(settings.listen), None),
            Kind::Ccow { settings, .. } => {
                let tls = settings.tls.as_ref().map(|tls| Address { address: tls.listen, key: "tls.listen" });
                (listen(settings.listen), tls)
            }
        }
    }

    /// What reads its messages again.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader(self.kind.clone())
    }

    /// Takes its addresses.
    ///
    /// # Errors
    /// The first that it does not get.
    pub(crate) async fn bind(self) -> Result<BoundAdapter, NotBound> {
        let bind = async |address: Address| {
            let not_bound = |source| NotBound { address, source };
            let listener = TcpListener::bind(address.address).await.map_err(not_bound)?;
            Ok((listener.local_addr().map_err(not_bound)?, listener))
        };
        let (first, second) = self.addresses();
        let (address, listener) = bind(first).await?;
        let tls_listener = match second {
            Some(second) => Some(bind(second).await?.1),
            None => None,
        };
        Ok(BoundAdapter { name: self.name, address, listener, tls_listener, kind: self.kind })
    }
}

/// An adapter as it stands in the configuration.
struct Section<'c> {
    name: &'c str,
    config: &'c AdapterConfig,
    layers: &'c Layers,
}

impl Section<'_> {
    fn mllp(&self, problems: &mut Problems) -> Option<Kind> {
        let settings: mllp::Settings = self.settings(problems)?;
        settings.check().iter().for_each(|mistake| self.mistake(&mistake.key, &mistake.message, problems));
        let tls = self.usable(settings.tls.clone().map(mllp::tls::ListenerTls::load), problems);
        Some(Kind::Mllp { settings: Arc::new(settings), tls: tls.map(Arc::new), counters: Arc::default() })
    }

    fn ccow(&self, problems: &mut Problems) -> Option<Kind> {
        let settings: ccow::Settings = self.settings(problems)?;
        settings.check().iter().for_each(|mistake| self.mistake(&mistake.key, &mistake.message, problems));
        let tls = settings.tls.clone().map(|tls| ServerTls::load(TlsSettings::new(tls.certificate, tls.key)));
        let tls = self.usable(tls, problems);
        Some(Kind::Ccow { settings: Arc::new(settings), tls: tls.map(Arc::new), counters: Arc::default() })
    }

    fn settings<T: DeserializeOwned>(&self, problems: &mut Problems) -> Option<T> {
        config::settings(self.layers, &["adapter", self.name], &self.config.settings, problems)
    }

    fn mistake(&self, key: &str, message: &str, problems: &mut Problems) {
        let path: Vec<&str> = ["adapter", self.name].into_iter().chain(key.split('.')).collect();
        let place = self.layers.place_of_value(&path).or_else(|| self.layers.place_of_key(&["adapter", self.name]));
        problems.push(Problem::new(format!("adapter `{}`: {message}", self.name)).at(place));
    }

    fn usable<T>(&self, tls: Option<Result<T, impl fmt::Display>>, problems: &mut Problems) -> Option<T> {
        let unusable = |error| {
            let place = self.layers.place_of_key(&["adapter", self.name, "tls"]);
            problems.push(Problem::new(format!("adapter `{}`: {error}", self.name)).at(place));
        };
        tls?.map_err(unusable).ok()
    }
}

/// An adapter that holds its addresses, and is ready to run.
pub(crate) struct BoundAdapter {
    /// The configured name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    tls_listener: Option<TcpListener>,
    kind: Kind,
}

impl BoundAdapter {
    /// What reads its messages again.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader(self.kind.clone())
    }

    /// What it counts.
    pub(crate) fn figures(&self) -> AdapterFigures {
        AdapterFigures { name: Arc::clone(&self.name), kind: self.kind.clone() }
    }

    /// Its certificate, where it has one.
    pub(crate) fn certificate(&self) -> Option<ReloadCertificate> {
        match &self.kind {
            Kind::Mllp { tls, .. } => {
                let tls = tls.clone()?;
                Some(Box::new(move || tls.reload().map_err(|error| error.to_string())))
            }
            Kind::Ccow { tls, .. } => {
                let tls = tls.clone()?;
                Some(Box::new(move || tls.reload().map_err(|error| error.to_string())))
            }
        }
    }

    /// Runs until `shutdown`, and then until what it has in hand is answered.
    pub(crate) fn run(
        self,
        sink: Arc<dyn Sink>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> BoxFuture<'static, ()> {
        let Self { name, listener, tls_listener, kind, .. } = self;
        match kind {
            Kind::Mllp { settings, tls, counters } => {
                Box::pin(mllp::serve(listener, tls, settings, name, sink, clock, counters, shutdown))
            }
            Kind::Ccow { settings, tls, counters } => {
                let encrypted = tls_listener.zip(tls).map(|(listener, tls)| {
                    let acceptor: ccow::Acceptor = Arc::new(move || tls.acceptor());
                    ccow::Door { listener, tls: Some(acceptor) }
                });
                let doors = [ccow::Door { listener, tls: None }].into_iter().chain(encrypted).collect();
                Box::pin(ccow::serve(doors, settings, name, sink, counters, shutdown))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::config::{DEFAULT, DEFAULT_NAME, Layer};

    fn default_of(kind: &str) -> (Layers, config::Config) {
        let mut problems = Problems::default();
        let mut layers = Layers::new(Layer::file(DEFAULT_NAME, DEFAULT, &mut problems), None);
        layers.push(Layer::flag(&format!("adapter.some.kind={kind}")).unwrap());
        let config = config::Config::read(&layers, &mut problems).unwrap_or_else(|| panic!("{problems}"));
        (layers, config)
    }

    fn check<T: DeserializeOwned + Default + Debug>(kind: &str) {
        let ((layers, config), mut problems) = (default_of(kind), Problems::default());
        let section = Section { name: "some", config: &config.adapters["some"], layers: &layers };
        let settings = section.settings::<T>(&mut problems);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(format!("{:?}", settings.unwrap()), format!("{:?}", T::default()), "{kind}");
    }

    #[test]
    fn the_default_file_says_what_each_kind_starts_with() {
        check::<mllp::Settings>("mllp");
        check::<ccow::Settings>("ccow");
    }

    #[test]
    fn a_message_is_read_by_what_it_looks_like() {
        assert_eq!(protocol_of(b"MSH|^~\\&|A|B\rPID|1"), "hl7v2");
        assert_eq!(protocol_of(b"# a case\nPatient.Id.MRN=1\n"), "ccow");
        assert_eq!(protocol_of(b"anything"), "hl7v2");
    }
}
