//! The shell around connections: accepts them within bounds, and ends them within bounds. Section 3; section 2 of the
//! reliability reference.
//!
//! Our own accept loop, since `axum::serve` never ends a request whose head is only half sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use fhircast_gateway_adapter_api::Sink;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::callable::Callable;
use crate::counters::Counters;
use crate::desks::Desks;
use crate::routes::{self, App};
use crate::settings::{Settings, timer};
use crate::shared::Shared;
use crate::sockets::Sockets;
use crate::transaction::Command;

/// Gives what accepts the next connection by TLS: a certificate may be renewed meanwhile.
pub type Acceptor = Arc<dyn Fn() -> TlsAcceptor + Send + Sync>;

/// Where calls come in: clients look at 127.0.0.1:2116, pages that came by TLS at 127.0.0.1:2117.
pub struct Door {
    /// Bound already.
    pub listener: TcpListener,
    /// Where connections are encrypted.
    pub tls: Option<Acceptor>,
}

/// How a request has come; an extension of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transport {
    pub(crate) peer: SocketAddr,
    /// The gateway's end.
    pub(crate) own: SocketAddr,
    pub(crate) secure: bool,
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the registry and its context managers at every door until `shutdown`, handing committed changes to `sink` under
/// the name `source`.
///
/// On shutdown it accepts no more, lets calls in hand end, tells every participant that its session has ended, and returns
/// after `drain_timeout` at the latest, or twice that where both take their time.
pub async fn serve(
    doors: Vec<Door>,
    settings: Arc<Settings>,
    source: Arc<str>,
    sink: Arc<dyn Sink>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
) {
    let shared = Arc::new(Shared {
        callable: Callable(settings.callbacks.clone()),
        sockets: Sockets::default(),
        tasks: TaskTracker::new(),
        start: Instant::now(),
        shutdown: CancellationToken::new(),
        settings,
        source,
        sink,
        counters,
    });
    let desks = Arc::new(Desks::new(Arc::clone(&shared)));
    let routes = routes::router(App { shared: Arc::clone(&shared), desks: Arc::clone(&desks) });
    let places = Arc::new(Semaphore::new(shared.settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let mut accepting = tokio::task::JoinSet::new();
    for door in doors {
        let (server, places) = (Server::new(&routes, &shared, &shutdown), Arc::clone(&places));
        accepting.spawn(accept_until_shutdown(door, server, places, connections.clone()));
    }
    accepting.join_all().await;
    drain(&shared, &desks, &connections).await;
}

async fn drain(shared: &Arc<Shared>, desks: &Desks, connections: &TaskTracker) {
    let limit = timer(shared.settings.drain_timeout);
    connections.close();
    if timeout(limit, connections.wait()).await.is_err() {
        warn!(source = %shared.source, open = connections.len(), "Some calls did not end in time.");
    }
    desks.all().iter().for_each(|desk| desk.tell(Command::Terminate));
    shared.tasks.close();
    if timeout(limit, shared.tasks.wait()).await.is_err() {
        warn!(source = %shared.source, left = shared.tasks.len(), "Some participants were not told of the end in time.");
    }
    shared.shutdown.cancel();
}

async fn accept_until_shutdown(door: Door, server: Server, places: Arc<Semaphore>, connections: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => return,
            accepted = accept(&door.listener, &places) => accepted,
        };
        if let Some((stream, peer, place)) = accepted {
            let tls = door.tls.as_ref().map(|acceptor| acceptor());
            connections.spawn(server.clone().connection(stream, peer, tls, place));
        }
    }
}

/// The next connection that has a place; `None` when it could not be had.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            warn!(%error, "Connection not accepted.");
            // When descriptors run out, trying again at once would only take the processor as well.
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// What one connection is served with.
#[derive(Clone)]
struct Server {
    routes: Router,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
}

impl Server {
    fn new(routes: &Router, shared: &Arc<Shared>, shutdown: &CancellationToken) -> Self {
        Self { routes: routes.clone(), shared: Arc::clone(shared), shutdown: shutdown.clone() }
    }

    async fn connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        place: OwnedSemaphorePermit,
    ) {
        let Ok(own) = stream.local_addr() else { return };
        let _open = self.shared.counters.open_connection();
        // An error leaves answers a little later.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.requests(stream, Transport { peer, own, secure: false }, place).await,
            Some(tls) => match timeout(timer(self.shared.settings.handshake_timeout), tls.accept(stream)).await {
                Ok(Ok(stream)) => self.requests(stream, Transport { peer, own, secure: true }, place).await,
                Ok(Err(error)) => debug!(%error, "TLS could not be agreed on."),
                Err(_) => debug!("TLS took too long to agree on."),
            },
        }
    }

    async fn requests(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        transport: Transport,
        place: OwnedSemaphorePermit,
    ) {
        let place = Arc::new(place);
        let service = self.routes.map_request(move |request: Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(transport);
            // A socket that this becomes keeps the connection's place.
            request.extensions_mut().insert(Arc::clone(&place));
            request
        });
        let mut connection = std::pin::pin!(
            // The timeout panics at the first connection without the timer.
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(timer(self.shared.settings.request_timeout))
                .max_buf_size(self.shared.settings.max_request_bytes())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .with_upgrades()
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "Connection ended early.");
        }
    }
}
