//! HTTP connections: accepting them, bounding them, draining them. What they carry is the routes' business.
//!
//! Our own accept loop, since `axum::serve` never ends a request whose head is only half sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// What HTTP connections may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// How long the head of a request may take; a connection that dawdles is closed.
    pub header_timeout: SignedDuration,
    /// Connections at once, sockets of subscribers included; more wait in the system's queue.
    pub max_connections: usize,
    /// Connections at once from one address; more are closed.
    pub max_connections_per_address: usize,
    /// How long a peer that has vanished keeps its connection.
    pub keepalive: SignedDuration,
    /// How long a drain waits for requests in hand.
    pub drain_timeout: SignedDuration,
}

/// Serves `routes` on `listener` until `shutdown`; then lets what is in hand end, for a bounded time.
pub async fn serve(listener: TcpListener, routes: Router, settings: HttpSettings, shutdown: CancellationToken) {
    let connections = Arc::new(tokio::sync::Semaphore::new(settings.max_connections.max(1)));
    let addresses = Arc::new(Addresses::default());
    let tasks = TaskTracker::new();
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: pausing lets some connections end.
                warn!(%error, "Connection not accepted.");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(seat) = addresses.seat(peer.ip(), settings.max_connections_per_address) else {
            warn!(%peer, "Connection closed: too many from one address.");
            continue;
        };
        let connection = connection(stream, routes.clone(), settings.clone(), shutdown.clone());
        tasks.spawn(async move {
            connection.await;
            drop((permit, seat));
        });
    }
    tasks.close();
    let drain = Duration::try_from(settings.drain_timeout).unwrap_or_default();
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        warn!("Some HTTP connections did not end in time.");
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Unanswered probes after which a peer counts as gone.
const KEEPALIVE_PROBES: u32 = 3;

async fn connection(stream: TcpStream, routes: Router, settings: HttpSettings, shutdown: CancellationToken) {
    if let Err(error) = tune(&stream, &settings) {
        debug!(%error, "Connection could not be tuned.");
    }
    let service =
        TowerToHyperService::new(routes.map_request(|request: Request<Incoming>| request.map(axum::body::Body::new)));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::try_from(settings.header_timeout).unwrap_or(Duration::from_secs(10)))
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "Connection ended early.");
    }
}

/// Small frames go out at once, and a peer that has vanished is noticed.
fn tune(stream: &TcpStream, settings: &HttpSettings) -> std::io::Result<()> {
    let idle = Duration::try_from(settings.keepalive).unwrap_or(Duration::from_secs(30));
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(idle).with_interval(idle / 3).with_retries(KEEPALIVE_PROBES),
    )?;
    socket.set_tcp_user_timeout(Some(idle))
}

/// How many connections each address holds.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One address's place; given back when dropped.
struct Seat {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn seat(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Seat> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// Whether a `Host` header, or the host part of an `Origin`, names this machine: a page that made a name of its own point
/// here is told from one who asked for this machine.
pub fn is_local_host(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local_host;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "[::1]", "127.0.0.2"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example:8081", "10.0.0.1:8081", "", ":8081"] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
