//! The adapters there are: the only file that names them.
//!
//! A configured adapter is checked, then bound, then run: all are checked before the first is bound, and all are bound
//! before the first message is taken.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fhircast_gateway_adapter_api::{BoxFuture, Clock, Fields, Grammar, Sink};
use fhircast_gateway_mllp as mllp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use fhircast_gateway_mllp::sender as hl7_sender;

use crate::config::{self, AdapterConfig, Layers, Problem, Problems};

/// The field grammars of all protocols that a mapping can name.
pub const GRAMMARS: [&'static dyn Grammar; 1] = [&mllp::Hl7v2];

/// The kinds that `[adapter.NAME] kind` can name.
const KINDS: [&str; 1] = ["mllp"];

/// Reads one message of `protocol` as its adapter would.
///
/// # Errors
/// A sentence that says why these bytes are no such message, or that there is no such protocol.
pub fn read_message(protocol: &str, bytes: &[u8]) -> Result<Arc<dyn Fields>, String> {
    match protocol {
        "hl7v2" => mllp::read_file(bytes).map(|message| Arc::new(message) as Arc<dyn Fields>).map_err(|error| error.to_string()),
        other => Err(format!("no adapter speaks `{other}`")),
    }
}

/// An adapter whose settings are right.
pub struct Adapter {
    name: Arc<str>,
    settings: Arc<mllp::Settings>,
}

/// An adapter that holds its address, and is ready to run.
pub struct BoundAdapter {
    /// The configured name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    settings: Arc<mllp::Settings>,
}

impl Adapter {
    /// Checks the adapter `name`. `None` when it could not be read; what is wrong is in `problems`.
    pub fn configure(name: &str, config: &AdapterConfig, layers: &Layers, problems: &mut Problems) -> Option<Self> {
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
        Some(Self { name: name.into(), settings: Arc::new(settings) })
    }

    /// The configured name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is to listen.
    pub fn listen(&self) -> SocketAddr {
        self.settings.listen
    }

    /// Takes its address.
    ///
    /// # Errors
    /// What the system said.
    pub async fn bind(self) -> io::Result<BoundAdapter> {
        let listener = TcpListener::bind(self.settings.listen).await?;
        let address = listener.local_addr()?;
        Ok(BoundAdapter { name: self.name, address, listener, settings: self.settings })
    }
}

impl BoundAdapter {
    /// Runs until `shutdown`, and then until what it has in hand is answered.
    pub fn run(self, sink: Arc<dyn Sink>, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
        let counters = Arc::new(mllp::Counters::default());
        Box::pin(mllp::listener::serve(self.listener, self.settings, self.name, sink, clock, counters, shutdown))
    }
}
