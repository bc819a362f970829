//! One running gateway: everything is read and checked, then everything is bound, then it serves, then it drains.
//!
//! The composition root: store, mappings, hub, adapters, in that order. The demonstration and the tests start the same.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fhircast_gateway_adapter_api::{Clock, Sink};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::adapters::{Adapter, Address, BoundAdapter, NotBound, ReloadCertificate};
use crate::admin::Admin;
use crate::audit::AuditLog;
use crate::audit::syslog::Feed;
use crate::config::{AdapterConfig, Config, Layers, Problem, Problems};
use crate::connector::Connector;
use crate::diagnostic::Diagnostic;
use crate::fhircast::Edition;
use crate::gateway::{Entrance, Gateway, Source, SourceClocks};
use crate::health::Health;
use crate::http::{self, HttpSettings};
use crate::hub::{Hub, RestoreError};
use crate::loading::{LoadError, Loaded, MappingsInForce, MappingsStatus, load};
use crate::mapping::{Diagnostics, MappingSet};
use crate::process;
use crate::security::{Authenticator, AuthenticatorError, ServerTls, TokenIssuer};
use crate::sessions::Directory;
use crate::store::{
    AuditFiles, AuditFilesError, AuditReader, Disk, Journal, MappingFilesError, OperatorToken, OperatorTokenError,
    Retention, SiteKey, SiteKeyError, Store, StoreError,
};
use crate::telemetry::metrics::{Measured, Messages, Metrics, Responses};
use crate::telemetry::{Condition, LogFormat, TraceSettings};
use crate::token_endpoint::{TOKEN_PATH, TokenEndpoint};

/// A gateway whose configuration and mappings are right, before it holds any address.
pub struct Plan {
    config: Config,
    adapters: Vec<Adapter>,
    mappings: Loaded,
    tls: Option<Arc<ServerTls>>,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Who may use the hub cannot be told: the `[auth]` settings name files that cannot be used.
    #[error("{0}")]
    Authenticator(#[from] AuthenticatorError),
    /// An address is taken, or not this machine's.
    #[error("cannot listen on {address} for {purpose}: {source}\n  = help: {}", bind_help(source, key))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What was to listen there.
        purpose: String,
        /// The setting that gives the address.
        key: String,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration is wrong.
    #[error("{0}")]
    Configuration(Problems),
    /// The configuration is wrong, and so are mapping files.
    #[error("{0}\n\n{1}")]
    ConfigurationAndMappings(Problems, Diagnostics),
    /// The mapping files cannot be read.
    #[error(transparent)]
    MappingFiles(MappingFilesError),
    /// Mapping files are wrong.
    #[error("{0}")]
    Mappings(Diagnostics),
    /// The audit log cannot be kept.
    #[error(transparent)]
    AuditFiles(#[from] AuditFilesError),
    /// What was passed on of the audit log cannot be told.
    #[error("cannot read how far the audit log was passed on by syslog: {0}; look at `store.directory`")]
    AuditFeed(io::Error),
    /// The system gives the audit log no thread of its own.
    #[error("cannot start the audit log: {0}")]
    AuditThread(io::Error),
    /// The operator's commands can be given no token.
    #[error(transparent)]
    OperatorToken(#[from] OperatorTokenError),
    /// The store's directory cannot be used.
    #[error(transparent)]
    SiteKey(#[from] SiteKeyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds cannot be used.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Files(error) => Self::MappingFiles(error),
            LoadError::Mistakes(mistakes) => Self::Mappings(mistakes),
        }
    }
}

impl StartError {
    /// Every mistake behind it, for programs.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Configuration(problems) => problems.list(),
            Self::ConfigurationAndMappings(problems, mistakes) => [problems.list(), mistakes.list()].concat(),
            Self::Mappings(mistakes) => mistakes.list(),
            other => vec![Diagnostic::without_place(other.to_string())],
        }
    }
}

fn bind_help(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program listens there, perhaps another gateway: stop it, or set `{key}` to a free address")
        }
        io::ErrorKind::PermissionDenied => format!("ports below 1024 are the system's: set `{key}` to a higher one"),
        _ => format!("set `{key}` to an address of this machine"),
    }
}

/// A gateway that serves.
pub struct Node {
    /// Where applications subscribe.
    pub hub_url: String,
    /// Where the operator's commands reach it.
    pub admin_url: String,
    /// Where dictation systems ask for the hub, where that is configured (CLI-38).
    pub connector_url: Option<String>,
    /// Where clients get tokens of the gateway's own, where any are configured (SMA-01).
    pub token_url: Option<String>,
    /// The adapters: name and address.
    pub adapters: Vec<(Arc<str>, SocketAddr)>,
    /// Whose screen.
    pub sessions: Arc<Directory>,
    /// What came in.
    pub journal: Arc<Journal>,
    operator_token: OperatorToken,
    gateway: Arc<Gateway>,
    mappings: Arc<MappingsInForce>,
    reload: Reload,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    health: Health,
    /// Of what goes on until everything else has drained: the operator's listener, and the pulse.
    end: CancellationToken,
    last: TaskTracker,
}

/// Wakes whoever reads files again. Each has its own, as one wakes one.
#[derive(Clone, Default)]
struct Reload {
    certificates: Arc<Notify>,
    mappings: Arc<Notify>,
}

/// How often certificates are looked at where the hub has none.
const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// How long a drain may take before the process ends all the same.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);

impl Plan {
    /// Reads and checks everything that can be wrong before anything is bound.
    ///
    /// # Errors
    /// Every problem of the configuration, or every problem of the mappings.
    pub fn check(layers: &Layers, mut problems: Problems) -> Result<Self, StartError> {
        let config = Config::read(layers, &mut problems);
        let adapters = config.as_ref().map(|config| configured_adapters(config, layers, &mut problems));
        let (Some(config), Some(adapters)) = (config, adapters) else {
            return Err(StartError::Configuration(problems));
        };
        let mappings = match load(&config.mappings.directory) {
            Err(LoadError::Mistakes(mistakes)) if !problems.is_empty() => {
                return Err(StartError::ConfigurationAndMappings(problems, mistakes));
            }
            loaded => loaded?,
        };
        check_bound_mappings(&config, &mappings.set, layers, &mut problems);
        let tls = load_tls(&config, layers, &mut problems);
        check_feed(&config, layers, &mut problems);
        if !problems.is_empty() {
            return Err(StartError::Configuration(problems));
        }
        Ok(Self { config, adapters, mappings, tls })
    }

    /// The mappings.
    pub fn mappings(&self) -> &MappingSet {
        &self.mappings.set
    }

    /// The log's filter.
    pub fn log_filter(&self) -> &str {
        &self.config.log.filter
    }

    /// What a record of the log looks like.
    pub fn log_format(&self) -> LogFormat {
        self.config.log.format
    }

    /// Where traces are sent to.
    pub fn traces(&self) -> &TraceSettings {
        &self.config.traces
    }

    /// Whether the process may write its memory to a file.
    pub fn core_dumps(&self) -> bool {
        self.config.process.core_dumps
    }

    /// Binds every address, then serves.
    ///
    /// # Errors
    /// When the store cannot be used, or an address cannot be had.
    pub async fn start(self, clock: Arc<dyn Clock>) -> Result<Node, StartError> {
        let site_key = SiteKey::open(&self.config.store.directory)?;
        let store = Store::open(&self.config.store.directory, &site_key, retention(&self.config), Arc::clone(&clock))?;
        let audit = open_audit_log(&self.config)?;
        let directory = self.config.store.directory.clone();
        let node = self.start_with(clock, site_key, audit, store).await?;
        // Now that every address is this gateway's: the file of another that runs already stays as it is.
        node.operator_token.write(&directory)?;
        Ok(node)
    }

    /// As [`Plan::start`], with a key handed in and without an audit log: leaves no trace on disk.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub async fn start_with_key(self, clock: Arc<dyn Clock>, site_key: SiteKey) -> Result<Node, StartError> {
        let store = Store::temporary(&site_key, retention(&self.config), Arc::clone(&clock))?;
        self.start_with(clock, site_key, (AuditLog::off(), None), store).await
    }

    async fn start_with(
        self,
        clock: Arc<dyn Clock>,
        site_key: SiteKey,
        (audit, feed): (AuditLog, Option<Feed>),
        store: Store,
    ) -> Result<Node, StartError> {
        let Self { config, adapters, mappings, tls } = self;
        let authenticator = Authenticator::from_settings(&config.auth, &site_key, Arc::clone(&clock))?;
        let token_issuer = authenticator.token_issuer();
        let Listeners { http, admin, connector, adapters } = Listeners::bind(&config, adapters).await?;
        let (hub_address, started) = (http.1, clock.now());
        let mut node = Node::assemble(
            &config,
            mappings,
            adapters.iter().map(|adapter| source_of(adapter, &config)).collect(),
            clock,
            site_key,
            (authenticator, audit, store),
            (hub_address, admin.1),
        )?;
        let responses = Responses::new();
        let routes = responses.measured(node.hub_routes(token_issuer, hub_address, tls.is_some()));
        node.serve_http(http, tls.clone(), routes, config.http.limits.clone());
        node.keep_certificates(certificates(tls.as_ref(), &adapters), reload_every(tls.as_deref()));
        let metrics = Metrics::new(Measured {
            messages: Arc::clone(&node.gateway.measures),
            responses,
            hub: node.gateway.hub.clone(),
            adapters: adapters.iter().map(BoundAdapter::figures).collect(),
            audit: node.gateway.audit.clone(),
            audit_feed: feed.as_ref().map(Feed::watched).unwrap_or_default(),
            store: node.gateway.store.clone(),
            readiness: node.health.readiness.clone(),
            started,
        });
        node.serve_operator(admin.0, metrics, config.http.limits.clone());
        node.watch_health();
        if let Some(feed) = feed {
            node.last.spawn(feed.run(node.end.clone()));
        }
        if let Some(listener) = connector {
            node.serve_connector(listener, &config, hub_address);
        }
        node.keep_mappings(&config);
        node.run_adapters(adapters);
        node.health.readiness.met(Condition::Listeners);
        Ok(node)
    }
}

/// Every address, held.
struct Listeners {
    http: Listener,
    admin: Listener,
    connector: Option<Listener>,
    adapters: Vec<BoundAdapter>,
}

/// A listener, and where it listens: the system may have chosen the port.
type Listener = (TcpListener, SocketAddr);

impl Listeners {
    async fn bind(config: &Config, adapters: Vec<Adapter>) -> Result<Self, StartError> {
        Ok(Self {
            http: bind(config.http.listen, "the hub", "http.listen").await?,
            admin: bind(config.admin.listen, "the operator's API", "admin.listen").await?,
            connector: match &config.hub.connector {
                Some(settings) => Some(bind(settings.listen, "the connector", "hub.connector.listen").await?),
                None => None,
            },
            adapters: bind_adapters(adapters).await?,
        })
    }
}

impl Node {
    fn assemble(
        config: &Config,
        mappings: Loaded,
        sources: HashMap<Arc<str>, Source>,
        clock: Arc<dyn Clock>,
        site_key: SiteKey,
        (authenticator, audit, store): (Authenticator, AuditLog, Store),
        (http, admin): (SocketAddr, SocketAddr),
    ) -> Result<Self, StartError> {
        let hub = Hub::open(config.hub.clone(), Arc::clone(&clock), authenticator, audit.clone(), store.clone())?;
        let hub_url = hub.url(http, config.http.tls.is_some());
        let sessions = Arc::new(Directory::new(site_key, &config.sessions));
        sessions.restore(store.sessions()?);
        let journal = Journal::new(store.clone());
        let mappings = MappingsInForce::new(
            mappings,
            config.mappings.directory.clone(),
            bound_mappings(config),
            Arc::clone(&clock),
        );
        let health = Health::default();
        health.readiness.met(Condition::Mappings);
        health.readiness.met(Condition::Store);
        let gateway = Gateway {
            measures: Messages::new(sources.keys()),
            mappings: Arc::clone(mappings.set()),
            sources,
            nobody: config.sessions.nobody,
            merged: config.sessions.merged,
            sessions: Arc::clone(&sessions),
            hub,
            store,
            journal: Arc::clone(&journal),
            audit,
            clock,
            source_clocks: SourceClocks::default(),
            by_operator: Mutex::default(),
        };
        Ok(Self {
            hub_url,
            admin_url: format!("http://{admin}"),
            connector_url: None,
            token_url: None,
            adapters: Vec::new(),
            sessions,
            journal,
            operator_token: OperatorToken::random()?,
            gateway: Arc::new(gateway),
            mappings: Arc::new(mappings),
            reload: Reload::default(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            health,
            end: CancellationToken::new(),
            last: TaskTracker::new(),
        })
    }

    /// What is served at the hub's listener, which listens at `address`, over TLS or not.
    fn hub_routes(&mut self, token_issuer: Option<Arc<TokenIssuer>>, address: SocketAddr, secure: bool) -> Router {
        let hub = self.gateway.hub.clone();
        let routes = hub.routes().merge(self.health.routes_for_strangers());
        let Some(issuer) = token_issuer else { return routes };
        self.token_url = Some(hub.url_at(TOKEN_PATH, address, secure));
        let (sessions, clock) = (Arc::clone(&self.sessions), Arc::clone(&self.gateway.clock));
        let endpoint = TokenEndpoint { issuer, sessions, hub, audit: self.gateway.audit.clone(), clock };
        routes.merge(endpoint.routes())
    }

    /// Serves the operator until everything else has drained.
    fn serve_operator(&self, listener: TcpListener, metrics: Metrics, limits: HttpSettings) {
        let admin = Admin {
            sessions: Arc::clone(&self.sessions),
            gateway: Arc::clone(&self.gateway),
            hub_url: self.hub_url.as_str().into(),
            metrics,
            hub: self.gateway.hub.clone(),
            mappings: Arc::clone(&self.mappings),
        };
        let routes = admin.routes(self.operator_token.clone(), self.health.routes_for_operator());
        self.last.spawn(http::serve(listener, None, routes, limits, self.end.clone()));
    }

    fn serve_http(&self, (listener, _): Listener, tls: Option<Arc<ServerTls>>, routes: Router, limits: HttpSettings) {
        self.tasks.spawn(http::serve(listener, tls, routes, limits, self.shutdown.clone()));
    }

    /// Serves the connector of a hub that listens at `hub`, where it is configured.
    fn serve_connector(&mut self, listener: Listener, config: &Config, hub: SocketAddr) {
        let hub_endpoint = self.gateway.hub.powercast_url(hub, config.http.tls.is_some());
        let Some((settings, hub_endpoint)) = config.hub.connector.as_ref().zip(hub_endpoint) else { return };
        self.connector_url = Some(format!("http://{}", listener.1));
        let connector = Connector::new(settings, hub_endpoint, Arc::clone(&self.sessions));
        self.serve_http(listener, None, connector.routes(), config.http.limits.clone());
    }

    /// Looks at the files of certificates, the hub's and the adapters', every now and then, and whenever it is asked to.
    fn keep_certificates(&mut self, certificates: Vec<(Arc<str>, ReloadCertificate)>, every: Duration) {
        let (asked, shutdown) = (Arc::clone(&self.reload.certificates), self.shutdown.clone());
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(every) => {}
                    () = asked.notified() => {}
                    () = shutdown.cancelled() => return,
                }
                for (of, reload) in &certificates {
                    match reload() {
                        Ok(true) => info!(%of, "Certificate renewed; new connections get it."),
                        Ok(false) => {}
                        Err(error) => warn!(%of, error, "Certificate not renewed; the old one stays."),
                    }
                }
            }
        });
    }

    /// Loads the mappings again whenever it is asked to, and whenever a file changes.
    fn keep_mappings(&self, config: &Config) {
        let (mappings, asked) = (Arc::clone(&self.mappings), Arc::clone(&self.reload.mappings));
        self.tasks.spawn(mappings.keep(config.mappings.watching(), asked, self.shutdown.clone()));
    }

    /// Reads again what can change while the gateway runs: certificates, and the mappings.
    pub fn reload(&self) {
        self.reload.certificates.notify_one();
        self.reload.mappings.notify_one();
    }

    /// How it stands with the mappings, after each reload from now on.
    pub fn mapping_reloads(&self) -> watch::Receiver<MappingsStatus> {
        self.mappings.attempts()
    }

    fn run_adapters(&mut self, adapters: Vec<BoundAdapter>) {
        let sink = self.gateway.measures.measured(Arc::clone(&self.gateway) as Arc<dyn Sink>);
        let entrance: Arc<dyn Sink> = Arc::new(Entrance::new(sink, self.tasks.clone()));
        for adapter in adapters {
            info!(adapter = %adapter.name, address = %adapter.address, "Adapter listens.");
            self.adapters.push((Arc::clone(&adapter.name), adapter.address));
            let clock = Arc::clone(&self.gateway.clock);
            self.tasks.spawn(adapter.run(Arc::clone(&entrance), clock, self.shutdown.clone()));
        }
    }

    /// Feels the pulse of the event loop, and tells how it stands with the store, until the end.
    fn watch_health(&self) {
        self.last.spawn(self.health.pulse.clone().beat(self.end.clone()));
        let (readiness, end) = (self.health.readiness.clone(), self.end.clone());
        let mut disk = self.gateway.store.disk();
        self.last.spawn(end.run_until_cancelled_owned(async move {
            while disk.changed().await.is_ok() {
                match *disk.borrow_and_update() {
                    Disk::Well => readiness.met(Condition::Store),
                    Disk::Full => readiness.unmet(Condition::Store, "its disk is full"),
                    Disk::Failed => readiness.unmet(Condition::Store, "it has failed"),
                }
            }
        }));
    }

    /// The mappings in force.
    pub fn mappings(&self) -> Arc<MappingSet> {
        self.mappings.set().load_full()
    }

    /// Every path under which the hub is served, with its edition.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, Edition)> {
        self.gateway.hub.mounts()
    }

    /// Returns when the store has failed: nothing can be promised any more, and the process must end.
    pub async fn failed(&self) {
        if self.gateway.store.disk().wait_for(|disk| *disk == Disk::Failed).await.is_err() {
            // A store that is closed cannot fail any more.
            std::future::pending().await
        }
    }

    /// What the operator's API asks for.
    pub fn operator_token(&self) -> &OperatorToken {
        &self.operator_token
    }

    /// Whether the event loop turns.
    pub fn is_alive(&self) -> bool {
        self.health.pulse.is_felt()
    }

    /// Stops taking anything new, answers what is in hand, closes the sockets, and waits for all that, for a bounded time.
    /// False when that time ran out.
    pub async fn drain(self) -> bool {
        info!("Draining.");
        self.health.readiness.drain();
        self.shutdown.cancel();
        self.tasks.close();
        let hub = &self.gateway.hub;
        let ended = async {
            // Adapters first: what they have in hand may still become an event.
            self.tasks.wait().await;
            hub.shutdown().await;
            hub.drained().await;
            self.gateway.store.close().await;
            self.gateway.audit.flush().await;
            // Last, as until then it is told that the gateway drains.
            self.end.cancel();
            self.last.close();
            self.last.wait().await;
        };
        tokio::time::timeout(DRAIN, ended).await.is_ok()
    }
}

/// What a starting gateway tells its operator.
impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "hub.url        {}", self.hub_url)?;
        let mounts: Vec<String> =
            self.gateway.hub.mounts().skip(1).map(|(path, edition)| format!("{path} ({edition})")).collect();
        writeln!(formatter, "also at        {}", mounts.join(", "))?;
        for (name, address) in &self.adapters {
            writeln!(formatter, "listens        {address}  adapter {name}")?;
        }
        writeln!(formatter, "operator       {}", self.admin_url)?;
        if let Some(connector) = &self.connector_url {
            writeln!(formatter, "connector      {connector}")?;
        }
        if let Some(token) = &self.token_url {
            writeln!(formatter, "tokens         {token}")?;
        }
        if self.gateway.sessions.topics_are_names() {
            writeln!(
                formatter,
                "topics         are users' names (sessions.topic): whoever reaches the hub can follow any of them"
            )?;
        }
        for mapping in self.mappings().mappings().filter(|mapping| mapping.has_events()) {
            writeln!(formatter, "mapping        {:<24} {}", mapping.name(), mapping.about().unwrap_or_default())?;
        }
        Ok(())
    }
}

fn retention(config: &Config) -> Retention {
    Retention {
        messages_for: config.store.keep_messages,
        bytes: config.store.max_size.as_u64(),
        answers_for: config.store.remember,
        sessions: config.sessions.max,
    }
}

/// Where the audit log of a site with this configuration is.
pub fn audit_directory(config: &Config) -> PathBuf {
    config.store.directory.join("audit")
}

/// The audit log, and what passes it on, where that is configured.
fn open_audit_log(config: &Config) -> Result<(AuditLog, Option<Feed>), StartError> {
    if config.audit.actions.is_empty() {
        return Ok((AuditLog::off(), None));
    }
    let directory = audit_directory(config);
    let (files, last) = AuditFiles::open(&directory)?;
    let feed = config.audit.syslog.as_ref().map(|settings| {
        let end = files.end();
        let reader = AuditReader::open(&directory, &end.borrow().clone())?;
        Ok(Feed::new(settings.clone(), reader, end, &process::host_name()))
    });
    let feed = feed.transpose().map_err(StartError::AuditFeed)?;
    Ok((AuditLog::start(&config.audit, files, last).map_err(StartError::AuditThread)?, feed))
}

/// Certificates of the audit log's feed that cannot be used are a problem of the configuration.
fn check_feed(config: &Config, layers: &Layers, problems: &mut Problems) {
    let Some(settings) = &config.audit.syslog else { return };
    if let Err(error) = Feed::check(settings) {
        problems.push(Problem::new(error.to_string()).at(layers.place_of_value(&["audit", "syslog", "to"])));
    }
}

fn configured_adapters(config: &Config, layers: &Layers, problems: &mut Problems) -> Vec<Adapter> {
    let read = |(name, adapter): (&String, _)| Adapter::configure(name, adapter, layers, problems);
    let adapters: Vec<Adapter> = config.adapters.iter().filter_map(read).collect();
    let mut taken = vec![(config.http.listen, "`http`".to_owned()), (config.admin.listen, "`admin`".to_owned())];
    taken.extend(config.hub.connector.as_ref().map(|connector| (connector.listen, "`hub.connector`".to_owned())));
    for adapter in &adapters {
        let (name, (first, second)) = (adapter.name(), adapter.addresses());
        for Address { address, key } in [first].into_iter().chain(second) {
            match taken.iter().find(|(other, _)| *other == address && address.port() != 0) {
                Some((_, holder)) => {
                    let problem = Problem::new(format!("adapter `{name}` claims {address}, which {holder} claims too"));
                    let path: Vec<&str> = ["adapter", &**name].into_iter().chain(key.split('.')).collect();
                    problems.push(problem.at(layers.place_of_value(&path)));
                }
                None => taken.push((address, format!("adapter `{name}`"))),
            }
        }
    }
    adapters
}

fn check_bound_mappings(config: &Config, mappings: &MappingSet, layers: &Layers, problems: &mut Problems) {
    for (name, adapter) in &config.adapters {
        let Some(mapping) = &adapter.mapping else { continue };
        if mappings.mapping(mapping).is_none() {
            let known: Vec<&str> = mappings.names().collect();
            let problem = Problem::new(format!("adapter `{name}` names a mapping that is not there: `{mapping}`"));
            let problem = problem.help(format!("there are: {}", known.join(", ")));
            problems.push(problem.at(layers.place_of_value(&["adapter", name, "mapping"])));
        }
    }
}

fn bound_mappings(config: &Config) -> Vec<(String, String)> {
    let bound = |(name, adapter): (&String, &AdapterConfig)| Some((name.clone(), adapter.mapping.clone()?));
    config.adapters.iter().filter_map(bound).collect()
}

/// The listener's TLS; what is wrong with its files is a problem of the configuration.
fn load_tls(config: &Config, layers: &Layers, problems: &mut Problems) -> Option<Arc<ServerTls>> {
    let settings = config.http.tls.clone()?;
    match ServerTls::load(settings) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(error) => {
            problems.push(Problem::new(error.to_string()).at(layers.place_of_value(&["http", "tls", "certificate"])));
            None
        }
    }
}

/// How each certificate is read again, by whose it is.
fn certificates(hub: Option<&Arc<ServerTls>>, adapters: &[BoundAdapter]) -> Vec<(Arc<str>, ReloadCertificate)> {
    let hub = hub.cloned().map(|tls| {
        let reload: ReloadCertificate = Box::new(move || tls.reload().map_err(|error| error.to_string()));
        (Arc::from("hub"), reload)
    });
    let adapters = adapters.iter().filter_map(|adapter| Some((Arc::clone(&adapter.name), adapter.certificate()?)));
    hub.into_iter().chain(adapters).collect()
}

/// How often certificates are looked at: as the hub's settings say.
fn reload_every(hub: Option<&ServerTls>) -> Duration {
    let every = hub.map_or(RELOAD_EVERY, |tls| Duration::try_from(tls.reload_every()).unwrap_or_default());
    every.max(Duration::from_secs(1))
}

fn source_of(adapter: &BoundAdapter, config: &Config) -> (Arc<str>, Source) {
    let mapping = config.adapters.get(&*adapter.name).and_then(|adapter| adapter.mapping.clone());
    let mapping_required = config.adapters.get(&*adapter.name).is_some_and(|adapter| adapter.mapping_required);
    (Arc::clone(&adapter.name), Source { reader: adapter.reader(), mapping, mapping_required })
}

async fn bind(address: SocketAddr, purpose: &str, key: &str) -> Result<Listener, StartError> {
    let failed = |source| StartError::Bind { address, purpose: purpose.to_owned(), key: key.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn bind_adapters(adapters: Vec<Adapter>) -> Result<Vec<BoundAdapter>, StartError> {
    let mut bound = Vec::with_capacity(adapters.len());
    for adapter in adapters {
        let name = Arc::clone(adapter.name());
        bound.push(adapter.bind().await.map_err(|NotBound { address: Address { address, key }, source }| {
            let key = format!("adapter.{name}.{key}");
            StartError::Bind { address, purpose: format!("adapter `{name}`"), key, source }
        })?);
    }
    Ok(bound)
}
