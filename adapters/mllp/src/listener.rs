//! The shell around connections: accepts them within bounds, and ends them within bounds. HL7 v2 reference, sections 2.3 and
//! 2.4.
//!
//! Socket, clock and shutdown are handed in. A slow or dead peer costs its own connection and nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fhircast_gateway_adapter_api::{Clock, Sink};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::connection::{Connection, Shared};
use crate::control_ids::ControlIds;
use crate::counters::{Count, Counters, Warnings};
use crate::seats::{Seat, Seats};
use crate::settings::{Settings, timer, unless_zero};
use crate::tls::ListenerTls;

/// Serves MLLP on `listener` until `shutdown`, handing each message to `sink` under the name `source`.
///
/// On shutdown it accepts no more, lets every connection finish the message in hand and its answer, and returns after
/// `drain_timeout` at the latest. Connections are encrypted where there is `tls`.
#[expect(clippy::too_many_arguments, reason = "each is another part of the world, handed in")]
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ListenerTls>>,
    settings: Arc<Settings>,
    source: Arc<str>,
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
) {
    let seats = Seats::new(settings.max_connections, settings.max_connections_per_address);
    let (control_ids, warnings) = (ControlIds::new(), Warnings::default());
    let shared = Shared { settings, source, sink, clock, counters, shutdown, control_ids, warnings };
    let mut door = Door { tls, seats, shared: Arc::new(shared), connections: JoinSet::new() };
    door.accept_until_shutdown(&listener).await;
    drop(listener);
    door.drain().await;
}

/// Where connections come in, and what is needed to let them.
struct Door {
    tls: Option<Arc<ListenerTls>>,
    seats: Arc<Seats>,
    shared: Arc<Shared>,
    connections: JoinSet<()>,
}

impl Door {
    async fn accept_until_shutdown(&mut self, listener: &TcpListener) {
        loop {
            tokio::select! {
                biased;
                () = self.shared.shutdown.cancelled() => return,
                Some(ended) = self.connections.join_next() => self.ended(ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer),
                    Err(error) => self.pause(&error).await,
                },
            }
        }
    }

    /// Starts a connection, or closes it at once if it may not be.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let shared = Arc::clone(&self.shared);
        let allowed = &shared.settings.allow;
        if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(peer.ip())) {
            shared.counters.count(Count::ConnectionRefused);
            return warn!(source = %shared.source, %peer, "Connection refused: its address is not among those allowed.");
        }
        let seat = match self.seats.take(peer.ip()) {
            Ok(seat) => seat,
            Err(error) => {
                shared.counters.count(Count::ConnectionRefused);
                return warn!(source = %shared.source, %peer, %error, "Connection refused: no place is free.");
            }
        };
        if let Err(error) = set_options(&stream, &shared.settings) {
            return warn!(source = %shared.source, %peer, %error, "Connection closed: its options could not be set.");
        }
        let open = Open::new(seat, &shared.counters);
        self.connections.spawn(converse(stream, peer, open, self.tls.as_ref().map(|tls| tls.acceptor()), shared));
    }

    /// Lets connections finish, for as long as the settings say.
    async fn drain(&mut self) {
        let limit = timer(self.shared.settings.drain_timeout);
        let drained = timeout(limit, async {
            while let Some(ended) = self.connections.join_next().await {
                self.ended(ended);
            }
        });
        if drained.await.is_err() {
            let (source, left) = (&self.shared.source, self.connections.len());
            warn!(%source, left, "Connections were cut: drain_timeout passed before they ended.");
            self.connections.shutdown().await;
        }
    }

    /// A panic in one connection ends that connection only; somebody should know.
    fn ended(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            error!(source = %self.shared.source, "Connection ended by a defect in the gateway; please report it.");
        }
    }

    /// When descriptors run out, trying again at once would only take the processor as well.
    async fn pause(&self, error: &io::Error) {
        warn!(%error, source = %self.shared.source, "Connection could not be accepted.");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// The place of an open connection, which is counted as ended when it is given back.
struct Open {
    _seat: Seat,
    counters: Arc<Counters>,
}

impl Open {
    fn new(seat: Seat, counters: &Arc<Counters>) -> Self {
        counters.count(Count::ConnectionAccepted);
        Self { _seat: seat, counters: Arc::clone(counters) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counters.count(Count::ConnectionEnded);
    }
}

/// One connection's whole life, from TLS to its end.
async fn converse(stream: TcpStream, peer: SocketAddr, open: Open, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let source = Arc::clone(&shared.source);
    info!(%source, %peer, "Connection opened.");
    match acceptor {
        None => Connection::new(stream, peer, shared).run().await,
        Some(acceptor) => {
            let Some(stream) = shake_hands(&acceptor, stream, peer, &shared).await else { return };
            Connection::new(stream, peer, shared).run().await;
        }
    }
    info!(%source, %peer, "Connection closed.");
    drop(open);
}

async fn shake_hands(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Shared,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let limit = timer(shared.settings.handshake_timeout);
    let agreed = tokio::select! {
        biased;
        () = shared.shutdown.cancelled() => return None,
        agreed = timeout(limit, acceptor.accept(stream)) => agreed,
    };
    let error = match agreed {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => error,
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "handshake_timeout passed"),
    };
    shared.counters.count(Count::HandshakeFailed);
    warn!(%error, source = %shared.source, %peer, "Connection closed: TLS could not be agreed on.");
    None
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between the questions whether a silent peer is still there, and how many may go unanswered.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the peer counts as gone.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers leave at once, and dead peers are found.
fn set_options(stream: &TcpStream, settings: &Settings) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    if let Some(time) = unless_zero(settings.keepalive) {
        let keepalive = TcpKeepalive::new().with_time(time).with_interval(KEEPALIVE_INTERVAL);
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))?;
    }
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
