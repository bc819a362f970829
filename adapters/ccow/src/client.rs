//! Callbacks over HTTP: resolve, check, connect to the very address that was checked, and read a bounded answer.
//! Section 6.1; threat T4 of the reliability reference.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::callable::{Callable, is_own_name};

/// Why a callback has no answer that could be used. Says nothing that the other end has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("its address is not one that may be called: see the `callbacks` setting")]
    NotAllowed,
    #[error("its answer is too long, or broke off")]
    Unreadable,
    #[error("its name could not be resolved")]
    Unresolved,
    #[error("no connection could be made")]
    Unreachable,
    #[error("it answers with the status {0}")]
    Status(StatusCode),
    #[error("it did not answer in time")]
    TimedOut,
}

impl CallError {
    /// Whether there was an answer at all: a participant that knows no `Ping` is there all the same.
    pub(crate) fn shows_life(self) -> bool {
        matches!(self, Self::Status(_) | Self::Unreadable)
    }
}

/// Addresses of one host that are tried.
const MOST_ADDRESSES: usize = 4;
/// Of an answer no more is read.
const MOST_READ: usize = 16 << 10;
/// The smallest that the HTTP library takes; it bounds the answer's head.
const MOST_HEAD: usize = 8 << 10;

/// Gets `url` for an application that joined from `joiner`. The caller bounds the time. Redirects are not followed.
pub(crate) async fn get(url: &Url, joiner: IpAddr, callable: &Callable) -> Result<Bytes, CallError> {
    let stream = connect(&addresses(url, joiner, callable).await?).await?;
    // An error leaves the callback a little later.
    let _ = stream.set_nodelay(true);
    let unreachable = |_| CallError::Unreachable;
    let (mut requests, connection) =
        http1::Builder::new().max_buf_size(MOST_HEAD).handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let answer = async {
        let request = request(url).ok_or(CallError::Unreachable)?;
        let response = requests.send_request(request).await.map_err(|_| CallError::Unreadable)?;
        if response.status() != StatusCode::OK {
            return Err(CallError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MOST_READ).collect().await;
        body.map(|body| body.to_bytes()).map_err(|_| CallError::Unreadable)
    };
    // A connection that has ended may have left an answer to be read.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => answer,
        () = driven => Err(CallError::Unreadable),
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, CallError> {
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(CallError::Unreachable)
}

/// The addresses of the host that may be called. Nobody is asked for this machine's own.
async fn addresses(url: &Url, joiner: IpAddr, callable: &Callable) -> Result<Vec<SocketAddr>, CallError> {
    if url.scheme() != "http" {
        return Err(CallError::NotAllowed);
    }
    let port = url.port_or_known_default().unwrap_or(80);
    let found = match url.host().ok_or(CallError::Unresolved)? {
        Host::Ipv4(address) => vec![IpAddr::V4(address)],
        Host::Ipv6(address) => vec![IpAddr::V6(address)],
        // Participants listen on either.
        Host::Domain(name) if is_own_name(name) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Host::Domain(name) => resolve(name, port).await.map_err(|_| CallError::Unresolved)?,
    };
    let allowed = found.into_iter().filter(|address| callable.allows(*address, joiner)).take(MOST_ADDRESSES);
    let allowed: Vec<_> = allowed.map(|address| SocketAddr::new(address, port)).collect();
    if allowed.is_empty() { Err(CallError::NotAllowed) } else { Ok(allowed) }
}

async fn resolve(name: &str, port: u16) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, port)).await?.map(|address| address.ip()).collect())
}

/// `None` when HTTP cannot say it.
fn request(url: &Url) -> Option<Request<Empty<Bytes>>> {
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let request = Request::get(target).header(header::HOST, authority).header(header::CONNECTION, "close");
    request.header(header::USER_AGENT, "fhircast-gateway").body(Empty::new()).ok()
}
