//! Connections to callbacks: resolve, check, and connect to the very address that was checked (WH-06).
//!
//! A name is resolved once for each connection, and only here: a name that means another machine a moment later changes
//! nothing, as nobody asks for it again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fhircast_gateway_adapter_api::BoxFuture;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::{AllowedReceiver, is_allowed};
use super::callback::host;

/// What tells the addresses of a name.
pub(crate) trait Resolver: Send + Sync + 'static {
    /// The addresses of `host` at this moment, the best first.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Opens connections to callbacks.
pub(super) struct Connector {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) allowed: Vec<AllowedReceiver>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) connect_time: Duration,
}

/// Why there is no connection. Says nothing that the other end has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unconnected {
    /// Every address of the host is one that may not be called.
    #[error("its address is not one that may be called: see the `allowed` setting")]
    NotAllowed,
    /// The host has no address.
    #[error("its name could not be resolved")]
    Unresolved,
    /// Nobody answers there, or not in time.
    #[error("no connection could be made")]
    Unreachable,
    /// TLS did not come about: most likely a certificate that this machine does not trust.
    #[error("no TLS connection could be made; is its certificate of an authority that this machine trusts?")]
    Untrusted,
}

/// Both directions of a connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Addresses of one host that are tried; each may take the whole time to connect.
const MOST_ADDRESSES: usize = 4;

impl Connector {
    /// A connection to the host of `url`: to one of its addresses that may be called.
    pub(super) async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, Unconnected> {
        let mut failure = Unconnected::Unreachable;
        for address in self.addresses(url).await? {
            match timeout(self.connect_time, self.connect_to(address, url)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(why)) => failure = why,
                Err(_) => failure = Unconnected::Unreachable,
            }
        }
        Err(failure)
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Unconnected> {
        let (host, port) = (host(url), url.port_or_known_default().unwrap_or_default());
        let found = self.resolve(host).await?;
        let may_be_called = |address: &IpAddr| {
            // Plain text leaves this machine under no name (WH-01).
            let encrypted = url.scheme() == "https" || address.is_loopback();
            encrypted && is_allowed(host, *address, port, &self.allowed)
        };
        let addresses = found.into_iter().filter(may_be_called).map(|address| SocketAddr::new(address, port));
        let addresses: Vec<SocketAddr> = addresses.take(MOST_ADDRESSES).collect();
        if addresses.is_empty() { Err(Unconnected::NotAllowed) } else { Ok(addresses) }
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Unconnected> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        match timeout(self.connect_time, self.resolver.resolve(host)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(Unconnected::Unresolved),
        }
    }

    async fn connect_to(&self, address: SocketAddr, url: &Url) -> Result<Box<dyn Stream>, Unconnected> {
        let stream = TcpStream::connect(address).await.map_err(|_| Unconnected::Unreachable)?;
        // Without it a notification waits for nothing; with an error there is nothing to be done.
        let _ = stream.set_nodelay(true);
        if url.scheme() == "http" {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host(url).to_owned()).map_err(|_| Unconnected::Untrusted)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|_| Unconnected::Untrusted)?;
        Ok(Box::new(stream))
    }
}
