//! The configuration: built-in default file ← site file ← environment ← flags, every problem at once, with its place.
//!
//! Knows no adapter: an adapter's settings are a struct of the adapter, composed in `adapters.rs`. Reads no environment
//! and no file of its own accord; `main` hands both in.

mod effective;
mod layers;
mod problems;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use figment::value::{Dict, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use layers::{Layer, LayerError, Layers};
pub use problems::{Place, Problem, Problems};

use crate::audit::AuditSettings;
use crate::audit::syslog::SyslogProblem;
use crate::health;
use crate::http::HttpSettings;
use crate::hub::HubSettings;
use crate::loading::Watching;
use crate::security::{AuthSettings, TlsSettings};
use crate::telemetry::{LogFormat, TraceSettings};
use crate::token_endpoint;

/// The built-in default file, which is also the configuration's reference.
pub const DEFAULT: &str = include_str!("../../config/gateway.toml");

/// The file name under which the built-in defaults are shown.
pub const DEFAULT_NAME: &str = "config/gateway.toml";

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// The listener for the hub, and what its HTTP connections may cost.
    pub http: HttpConfig,
    /// The operator's listener.
    pub admin: AdminConfig,
    /// The hub.
    pub hub: HubSettings,
    /// Who may use the hub.
    pub auth: AuthSettings,
    /// Whose screen a message is for.
    pub sessions: SessionsConfig,
    /// Where mapping files are.
    pub mappings: MappingsConfig,
    /// Where state is kept, and how much of it.
    pub store: StoreConfig,
    /// What is audited.
    pub audit: AuditSettings,
    /// What is logged.
    pub log: LogConfig,
    /// Where traces are sent to.
    pub traces: TraceSettings,
    /// The process itself.
    pub process: ProcessConfig,
    /// The adapters by name, each still in its own kind's terms.
    pub adapters: BTreeMap<String, AdapterConfig>,
}

/// `[http]`: where applications reach the hub.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The address of the hub; beyond loopback only with TLS and authentication (SEC-01, SEC-04).
    pub listen: SocketAddr,
    /// What a connection may cost.
    pub limits: HttpSettings,
    /// TLS of the listener.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// Whether a proxy in front of the hub terminates TLS (SEC-01).
    pub proxy_terminates_tls: bool,
}

/// `[admin]`: where the operator's commands reach the gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Always a loopback address.
    pub listen: SocketAddr,
}

/// `[sessions]`: whose screen a message is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// How a topic is made of a user or workstation.
    pub topic: TopicRule,
    /// What becomes of a message that means an event but names nobody.
    pub nobody: Nobody,
    /// What becomes of contexts whose patient was merged into another.
    pub merged: Merged,
    /// How many sessions the directory lists before it forgets the one unseen for longest.
    pub max: usize,
}

/// How a topic is made of a user or workstation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TopicRule {
    /// A keyed hash of the user, or of the workstation where no user is known (SEC-03).
    Unguessable,
    /// The user's or workstation's name itself: anybody who knows it can follow and steer that screen.
    Name,
}

/// What becomes of a message that means an event but names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nobody {
    /// It is refused, so that a broken link is seen.
    Reject,
    /// It is recorded as ignored.
    Ignore,
}

/// What becomes of open contexts that name a patient by an identifier that a merge has retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Merged {
    /// They are closed: nobody goes on under an identifier that is another patient's by now.
    Close,
    /// They stay, and the operator is told.
    Warn,
}

/// `[mappings]`: where mapping files are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingsConfig {
    /// The site's files. One with the name of a built-in mapping replaces it. May be missing.
    pub directory: PathBuf,
    /// Whether a change of the files is taken up by itself.
    pub watch: bool,
    /// How often the files are looked at, where the system does not tell of changes; otherwise it tells.
    pub poll_every: Option<jiff::SignedDuration>,
}

impl MappingsConfig {
    /// How changes of the files come to be known.
    pub fn watching(&self) -> Watching {
        match (self.watch, self.poll_every) {
            (false, _) => Watching::Off,
            (true, None) => Watching::Told,
            (true, Some(every)) => {
                Watching::Every(Duration::try_from(every).unwrap_or_default().max(Duration::from_secs(1)))
            }
        }
    }
}

/// `[store]`: where state is kept, and how much of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Created with owner-only permissions.
    pub directory: PathBuf,
    /// How long messages are kept; dead letters that nobody has handled stay.
    pub keep_messages: jiff::SignedDuration,
    /// How large the database may become; beyond, the oldest messages go.
    pub max_size: ByteSize,
    /// How long a resend is recognised.
    pub remember: jiff::SignedDuration,
}

/// `[log]`: what is logged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or a filter by module: `info`, `fhircast_gateway::hub=debug,info`.
    pub filter: String,
    /// What a record looks like.
    pub format: LogFormat,
}

/// `[process]`: the process itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// Whether its memory, which patients are in, may be written to a file when it crashes (T12).
    pub core_dumps: bool,
}

/// `[adapter.NAME]`: one adapter, its own settings not yet read.
#[derive(Debug)]
pub struct AdapterConfig {
    /// What wire it speaks.
    pub kind: String,
    /// The mapping of everything it receives; without one, each mapping's `accept` decides.
    pub mapping: Option<String>,
    /// Whether a message that no mapping speaks for is refused.
    pub mapping_required: bool,
    /// The settings of its kind, over the kind's defaults.
    pub settings: Value,
}

impl Config {
    /// Reads the layers. Problems go into `problems`; what is wrong there falls back to the default, so that all the
    /// others are found in the same run.
    pub fn read(layers: &Layers, problems: &mut Problems) -> Option<Self> {
        let merged = layers.merged();
        let mut reader = Reader { layers, problems };
        reader.check_sections(&merged);
        Some(Self {
            http: reader.section(&merged, "http")?,
            admin: reader.section(&merged, "admin")?,
            hub: reader.section(&merged, "hub")?,
            auth: reader.section(&merged, "auth")?,
            sessions: reader.section(&merged, "sessions")?,
            mappings: reader.section(&merged, "mappings")?,
            store: reader.section(&merged, "store")?,
            audit: reader.section(&merged, "audit")?,
            log: reader.section(&merged, "log")?,
            traces: reader.section(&merged, "traces")?,
            process: reader.section(&merged, "process")?,
            adapters: reader.adapters(&merged),
        })
        .inspect(|config| {
            config.check_loopback(layers, problems);
            config.check_mounts(layers, problems);
            config.check_legacy_binding(layers, problems);
            config.check_auth(layers, problems);
            config.check_audit(layers, problems);
            config.check_traces(layers, problems);
            config.check_clients(layers, problems);
        })
    }

    fn check_mounts(&self, layers: &Layers, problems: &mut Problems) {
        for (name, text) in self.hub.mounts_at(health::PATHS, "where load balancers ask for the gateway's health") {
            problems.push(Problem::new(text).at(layers.place_of_value(&["hub", "mount", name, "path"])));
        }
        for (setting, text, help) in self.hub.connector_mistakes() {
            let place = layers.place_of_value(&["hub", "connector", setting]);
            let place = place.or_else(|| layers.place_of_key(&["hub", "connector"]));
            problems.push(Problem::new(text).help(help).at(place));
        }
        for (mount, setting, text) in self.hub.mount_mistakes() {
            problems.push(Problem::new(text).at(layers.place_of_value(&["hub", "mount", mount, setting])));
        }
    }

    /// Who can reach the hub can guess the address of such a socket (CLI-39, SUB-10).
    fn check_legacy_binding(&self, layers: &Layers, problems: &mut Problems) {
        if self.http.listen.ip().is_loopback() && !self.http.proxy_terminates_tls {
            return;
        }
        for mount in self.hub.legacy_mounts() {
            let text =
                format!("mount `{mount}` cannot have `legacy_binding`, as the hub is reached from other machines");
            let help = "listen on 127.0.0.1 without a proxy: such a socket's address can be guessed";
            let place = layers.place_of_value(&["hub", "mount", mount, "legacy_binding"]);
            problems.push(Problem::new(text).help(help).at(place));
        }
    }

    /// Beyond loopback the hub is served with TLS, its own or a proxy's, and with authentication only; and whoever operates
    /// the gateway sits at its machine (SEC-01, SEC-04).
    fn check_loopback(&self, layers: &Layers, problems: &mut Problems) {
        let mut refuse = |key: &str, text: String, help: &str| {
            problems.push(Problem::new(text).help(help).at(layers.place_of_value(&[key, "listen"])));
        };
        let (hub, admin) = (self.http.listen.ip(), self.admin.listen.ip());
        if !admin.is_loopback() {
            let text = format!("`admin.listen` must be a loopback address, not {admin}");
            refuse("admin", text, "the operator's API has no TLS: reach it through a tunnel to this machine");
        }
        if hub.is_loopback() {
            return;
        }
        if self.http.tls.is_none() && !self.http.proxy_terminates_tls {
            let help = "give [http.tls] a certificate and its key; or set http.proxy_terminates_tls = true, if a proxy \
                        terminates TLS and nobody else reaches this address";
            refuse("http", format!("`http.listen` is {hub}, beyond this machine, without TLS"), help);
        }
        if self.hub.public_url.is_none() && self.hub.allowed_hosts.is_empty() {
            let help = "set hub.public_url to the address that applications use: https://hub.example.org";
            refuse("http", format!("`http.listen` is {hub}, beyond this machine, and the hub has no name there"), help);
        }
        if self.auth.is_open() {
            let help = "set auth.mode = \"bearer\", and say who issues the tokens; or listen on 127.0.0.1";
            refuse("http", format!("`http.listen` is {hub}, beyond this machine, and anybody may do anything"), help);
        }
    }

    /// What serde cannot see: addresses, and settings that contradict one another or leave a hole.
    fn check_auth(&self, layers: &Layers, problems: &mut Problems) {
        for found in self.auth.problems() {
            let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
            let table = path.split_last().map_or(path.as_slice(), |(_, table)| table);
            let place = layers.place_of_value(&path).or_else(|| layers.place_of_key(table));
            problems.push(Problem::new(found.message).help(found.help).at(place));
        }
    }

    fn check_traces(&self, layers: &Layers, problems: &mut Problems) {
        if let Some((key, text, help)) = self.traces.problem() {
            problems.push(Problem::new(text.to_owned()).help(help).at(layers.place_of_value(&["traces", key])));
        }
    }

    fn check_audit(&self, layers: &Layers, problems: &mut Problems) {
        let Some(syslog) = &self.audit.syslog else { return };
        let place = |key| layers.place_of_value(&["audit", "syslog", key]);
        for SyslogProblem { key, message, help } in syslog.problems() {
            problems.push(Problem::new(message).help(help).at(place(key)));
        }
        if self.audit.actions.is_empty() {
            let text = "`audit.syslog` has nothing to pass on, as `audit.actions` is empty".to_owned();
            problems.push(Problem::new(text).help("say which actions are recorded").at(place("to")));
        }
    }

    /// What the clients of the gateway's own token endpoint need of the hub (SMA-01).
    fn check_clients(&self, layers: &Layers, problems: &mut Problems) {
        if self.auth.client.is_empty() {
            return;
        }
        for (name, text) in self.hub.mounts_at(token_endpoint::PATHS, "of the gateway's own token endpoint") {
            problems.push(Problem::new(text).at(layers.place_of_value(&["hub", "mount", name, "path"])));
        }
        let served: Vec<&str> = self.hub.served_mounts().collect();
        for (name, client) in &self.auth.client {
            let Some(mount) = client.mount.as_deref().filter(|mount| !served.contains(mount)) else { continue };
            let text = format!("`auth.client.{name}` names a mount that is not served: `{}`", mount.escape_default());
            let problem = Problem::new(text).help(format!("there are: {}", served.join(", ")));
            problems.push(problem.at(layers.place_of_value(&["auth", "client", name, "mount"])));
        }
    }
}

/// Prints the effective configuration, one key a line, each with where its value came from.
pub fn print_effective(layers: &Layers) -> String {
    effective::print(layers)
}

/// Reads `value` as the settings of `path`; each problem is recorded with its place, and the value goes on without it.
///
/// `defaults` is the path whose values stand in where a bad one was taken out.
pub fn settings<T: DeserializeOwned>(
    layers: &Layers,
    path: &[&str],
    value: &Value,
    problems: &mut Problems,
) -> Option<T> {
    Reader { layers, problems }.settings(path, value)
}

struct Reader<'a> {
    layers: &'a Layers,
    problems: &'a mut Problems,
}

/// The sections there are, in the order of the default file.
const SECTIONS: [&str; 13] = [
    "http",
    "admin",
    "hub",
    "auth",
    "sessions",
    "mappings",
    "store",
    "audit",
    "log",
    "traces",
    "process",
    "adapter_defaults",
    "adapter",
];

impl Reader<'_> {
    fn check_sections(&mut self, merged: &Dict) {
        for key in merged.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
            self.problems.push(problems::unknown_key(self.layers, &[key], "the configuration", &SECTIONS));
        }
    }

    fn section<T: DeserializeOwned>(&mut self, merged: &Dict, name: &str) -> Option<T> {
        let empty = Value::from(Dict::new());
        self.settings(&[name], merged.get(name).unwrap_or(&empty))
    }

    /// Takes out one bad key after another until what is left can be read; serde itself would stop at the first.
    fn settings<T: DeserializeOwned>(&mut self, path: &[&str], value: &Value) -> Option<T> {
        let mut value = value.clone();
        loop {
            let error = match value.deserialize::<T>() {
                Ok(settings) => return Some(settings),
                Err(error) => error,
            };
            let inner = without_items(&mut value, problems::inner_path(&error));
            let full: Vec<&str> = path.iter().copied().chain(inner.iter().map(String::as_str)).collect();
            self.problems.push(problems::from_figment(self.layers, &full, path, &error));
            if !self.replace_by_default(&mut value, &full, &inner) {
                return None;
            }
        }
    }

    /// Puts the built-in default in the place of a bad value, or takes the value out; false when that changes nothing.
    fn replace_by_default(&self, value: &mut Value, full: &[&str], inner: &[String]) -> bool {
        let Some((last, parents)) = inner.split_last() else { return false };
        let Some(dict) = dict_at(value, parents) else { return false };
        match self.layers.default_value(full) {
            Some(default) if dict.get(last) != Some(&default) => dict.insert(last.clone(), default).is_some(),
            _ => dict.remove(last).is_some(),
        }
    }

    fn adapters(&mut self, merged: &Dict) -> BTreeMap<String, AdapterConfig> {
        let Some(Value::Dict(_, adapters)) = merged.get("adapter") else { return BTreeMap::new() };
        adapters
            .iter()
            .filter_map(|(name, value)| self.adapter(merged, name, value).map(|adapter| (name.clone(), adapter)))
            .collect()
    }

    fn adapter(&mut self, merged: &Dict, name: &str, value: &Value) -> Option<AdapterConfig> {
        let place = || self.layers.place_of_key(&["adapter", name]);
        let Value::Dict(_, settings) = value else {
            self.problems.push(Problem::new(format!("`adapter.{name}` must be a table")).at(place()));
            return None;
        };
        let mut settings = settings.clone();
        let kind = match settings.remove("kind") {
            Some(Value::String(_, kind)) => kind,
            _ => {
                let problem = Problem::new(format!("adapter `{name}` does not say its kind"))
                    .help("add a line such as: kind = \"mllp\"");
                self.problems.push(problem.at(place()));
                return None;
            }
        };
        let mapping = match settings.remove("mapping") {
            None => None,
            Some(Value::String(_, mapping)) => Some(mapping),
            Some(_) => {
                let problem = Problem::new("a mapping is named by a string, such as \"vendors/acme-ris\"".into());
                self.problems.push(problem.at(self.layers.place_of_value(&["adapter", name, "mapping"])));
                None
            }
        };
        let mapping_required = match settings.remove("mapping_required") {
            None => false,
            Some(Value::Bool(_, required)) => required,
            Some(_) => {
                let problem = Problem::new("`mapping_required` is true or false".into());
                self.problems.push(problem.at(self.layers.place_of_value(&["adapter", name, "mapping_required"])));
                false
            }
        };
        let settings = over_kind_defaults(merged, &kind, settings);
        Some(AdapterConfig { kind, mapping, mapping_required, settings })
    }
}

fn over_kind_defaults(merged: &Dict, kind: &str, settings: Dict) -> Value {
    let defaults = match merged.get("adapter_defaults") {
        Some(Value::Dict(_, kinds)) => kinds.get(kind).cloned(),
        _ => None,
    };
    match defaults {
        Some(Value::Dict(_, mut base)) => {
            layers::merge(&mut base, settings);
            Value::from(base)
        }
        _ => Value::from(settings),
    }
}

/// The path, cut off at a list: an item has neither a place nor a default of its own, but the list has both.
fn without_items(value: &mut Value, mut path: Vec<String>) -> Vec<String> {
    while path.split_last().is_some_and(|(_, parents)| dict_at(value, parents).is_none()) {
        path.pop();
    }
    path
}

fn dict_at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Dict> {
    let Value::Dict(_, dict) = value else { return None };
    match path.split_first() {
        None => Some(dict),
        Some((first, rest)) => dict_at(dict.get_mut(first)?, rest),
    }
}

#[cfg(test)]
mod tests;
