//! HTTP connections: accepting them, bounding them, draining them. What they carry is the routes' business.
//!
//! Our own accept loop, since `axum::serve` never ends a request whose head is only half sent.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::SignedDuration;
use serde::Deserialize;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::security::ServerTls;

/// What HTTP connections may cost. Times of zero or less count as the shortest there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// How long the TLS handshake may take.
    pub handshake_timeout: SignedDuration,
    /// How long the head of a request may take; a connection that dawdles is closed.
    pub header_timeout: SignedDuration,
    /// Connections at once, sockets of subscribers included; more wait in the system's queue.
    pub max_connections: usize,
    /// Connections at once from one address, sockets of subscribers included; more are closed.
    pub max_connections_per_address: usize,
    /// How long a peer that has vanished keeps its connection.
    pub keepalive: SignedDuration,
    /// How long a drain waits for requests in hand.
    pub drain_timeout: SignedDuration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            handshake_timeout: SignedDuration::from_secs(10),
            header_timeout: SignedDuration::from_secs(10),
            max_connections: 16_384,
            max_connections_per_address: 16_384,
            keepalive: SignedDuration::from_secs(30),
            drain_timeout: SignedDuration::from_secs(10),
        }
    }
}

/// How a request has come; an extension of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Whether over TLS that ended here.
    pub secure: bool,
    /// The address it came from: a client's, or a proxy's.
    pub peer: SocketAddr,
}

/// Serves `routes` on `listener` until `shutdown`, over TLS where there is one; then lets the requests in hand end, for a
/// bounded time. Sockets that connections were upgraded to are their routes' to close.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    routes: Router,
    settings: HttpSettings,
    shutdown: CancellationToken,
) {
    let places = Places::new(&settings);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        if let Some(stream) = accepted {
            let server = Server { routes: routes.clone(), settings: settings.clone(), shutdown: shutdown.clone() };
            tasks.spawn(server.connection(stream, tls.clone()));
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(wait(settings.drain_timeout), tasks.wait()).await.is_err() {
        warn!(open = tasks.len(), "Some HTTP requests did not end in time.");
    }
}

/// Pause after a connection could not be accepted: out of descriptors, most likely, and some may be given back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Unanswered probes after which a peer counts as gone.
const KEEPALIVE_PROBES: u32 = 3;

/// The next connection that has a place; `None` when it could not be had.
async fn accept(listener: &TcpListener, places: &Places) -> Option<Placed> {
    let permit = Arc::clone(&places.connections).acquire_owned().await.ok()?;
    let (stream, peer) = match listener.accept().await {
        Ok(accepted) => accepted,
        Err(error) => {
            warn!(%error, "Connection not accepted.");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return None;
        }
    };
    let Some(seat) = places.seat(peer.ip()) else {
        warn!(address = %peer.ip(), "Connection closed: too many from one address.");
        return None;
    };
    Some(Placed { stream, peer, _permit: permit, _seat: seat })
}

/// What one connection is served with.
struct Server {
    routes: Router,
    settings: HttpSettings,
    shutdown: CancellationToken,
}

impl Server {
    async fn connection(self, stream: Placed, tls: Option<Arc<ServerTls>>) {
        if let Err(error) = tune(&stream.stream, wait(self.settings.keepalive)) {
            debug!(%error, "Connection could not be tuned.");
        }
        let peer = stream.peer;
        let Some(tls) = tls else { return self.requests(stream, Transport { secure: false, peer }).await };
        match tokio::time::timeout(wait(self.settings.handshake_timeout), tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, Transport { secure: true, peer }).await,
            Ok(Err(error)) => debug!(%error, "TLS handshake failed."),
            Err(_) => debug!("TLS handshake took too long."),
        }
    }

    async fn requests(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, transport: Transport) {
        let service = self.routes.map_request(move |request: Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(transport);
            request
        });
        let mut connection = std::pin::pin!(
            // The timeout panics at the first connection without the timer.
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(wait(self.settings.header_timeout))
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

/// Small frames go out at once, and a peer that has vanished is noticed within about `vanished`.
fn tune(stream: &TcpStream, vanished: Duration) -> io::Result<()> {
    let (idle, interval) =
        (vanished.max(Duration::from_secs(1)), (vanished / KEEPALIVE_PROBES).max(Duration::from_secs(1)));
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(KEEPALIVE_PROBES);
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(idle))?;
    Ok(())
}

fn wait(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default().max(Duration::from_millis(1))
}

/// How many connections there may be, and how many each address holds.
struct Places {
    connections: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max_per_address: usize,
}

/// One address's place; given back when dropped.
struct Seat {
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Places {
    fn new(settings: &HttpSettings) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            addresses: Arc::default(),
            max_per_address: settings.max_connections_per_address,
        }
    }

    fn seat(&self, address: IpAddr) -> Option<Seat> {
        let mut held = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.get(&address).copied().unwrap_or_default();
        if count >= self.max_per_address {
            return None;
        }
        held.insert(address, count + 1);
        Some(Seat { addresses: Arc::clone(&self.addresses), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.address)),
        }
    }
}

/// A connection with its places, which it keeps when it is upgraded to a socket, and gives back when it is closed.
struct Placed {
    stream: TcpStream,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
    _seat: Seat,
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(max_per_address: usize) -> Places {
        Places::new(&HttpSettings { max_connections_per_address: max_per_address, ..HttpSettings::default() })
    }

    #[test]
    fn t8_an_address_holds_no_more_places_than_it_may_and_gets_them_back() {
        let (places, one, other) = (places(2), IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = places.seat(one);
        let second = places.seat(one);
        assert!(first.is_some() && second.is_some());
        assert!(places.seat(one).is_none());
        assert!(places.seat(other).is_some());
        drop(first);
        assert!(places.seat(one).is_some());
        drop(second);
        assert!(places.addresses.lock().unwrap().is_empty());
    }
}
