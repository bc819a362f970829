//! The connection to a syslog receiver: TLS, TCP or UDP.

use std::future::pending;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::message::framed;
use super::settings::{Destination, SyslogSettings, Transport};
use crate::store::{PemFileError, pem_file};

/// Why nothing can be sent. No text of it names what was to be sent.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The receiver has ended the connection.
    #[error("the receiver has closed the connection")]
    Closed,
    /// The settings name no receiver.
    #[error("`audit.syslog.to` is no address of a syslog receiver")]
    Destination,
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// The network, or the receiver's certificate.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The host is no name that a certificate can hold.
    #[error("the receiver's name can stand in no certificate: {0}")]
    Name(#[from] InvalidDnsNameError),
    /// A file holds something else.
    #[error("`audit.syslog.{0}` holds nothing of that kind in PEM")]
    NotPem(&'static str),
    /// Certificate and key do not fit, or TLS has other objections.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// It takes nothing, or does not answer, in time.
    #[error("the receiver does not answer in time")]
    Timeout,
}

/// An open connection.
pub(super) enum Sink {
    Stream(Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>),
    Datagram(UdpSocket),
}

/// Finds what is wrong with the certificates before anything is sent; what else is wrong, the settings say themselves.
///
/// # Errors
/// When a file cannot be read or used.
pub(super) fn check(settings: &SyslogSettings) -> Result<(), SinkError> {
    match settings.destination().map(|destination| destination.transport) {
        Some(Transport::Tls) => client_config(settings).map(drop),
        Some(Transport::Tcp | Transport::Udp) | None => Ok(()),
    }
}

impl Sink {
    /// Connects. Certificates are read each time, so that renewed ones are used.
    pub(super) async fn connect(settings: &SyslogSettings) -> Result<Self, SinkError> {
        let Destination { transport, host, port } = settings.destination().ok_or(SinkError::Destination)?;
        let address = (host.as_str(), port);
        match transport {
            Transport::Udp => {
                let mut error = io::Error::from(io::ErrorKind::NotFound);
                for address in tokio::net::lookup_host(address).await? {
                    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    let socket = UdpSocket::bind(own).await?;
                    match socket.connect(address).await {
                        Ok(()) => return Ok(Self::Datagram(socket)),
                        Err(failed) => error = failed,
                    }
                }
                Err(error.into())
            }
            Transport::Tcp => Ok(Self::stream(TcpStream::connect(address).await?)),
            Transport::Tls => {
                let config = client_config(settings)?;
                let name = ServerName::try_from(host.clone())?;
                let stream = TcpStream::connect(address).await?;
                Ok(Self::stream(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
            }
        }
    }

    fn stream(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (read, write) = split(stream);
        Self::Stream(Box::new(read), Box::new(write))
    }

    /// Sends all of `messages`.
    pub(super) async fn send(&mut self, messages: &[String]) -> Result<(), SinkError> {
        match self {
            Self::Stream(_, write) => {
                let mut frames = Vec::new();
                messages.iter().for_each(|message| framed(message, &mut frames));
                write.write_all(&frames).await?;
                write.flush().await?;
            }
            Self::Datagram(socket) => {
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
            }
        }
        Ok(())
    }

    /// Returns when the receiver is known to be gone. What a receiver says has no meaning in syslog.
    pub(super) async fn lost(&mut self) -> SinkError {
        let Self::Stream(read, _) = self else { return pending().await };
        let mut ignored = [0; 512];
        loop {
            match read.read(&mut ignored).await {
                Ok(0) => return SinkError::Closed,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    /// Says that nothing more comes, and waits until the receiver has read all: true where it has said so by closing as well.
    pub(super) async fn close(mut self) -> bool {
        match &mut self {
            Self::Datagram(_) => true,
            Self::Stream(_, write) => write.shutdown().await.is_ok() && matches!(self.lost().await, SinkError::Closed),
        }
    }
}

fn client_config(settings: &SyslogSettings) -> Result<ClientConfig, SinkError> {
    // Named here, not taken from a process-wide default that somebody else may have set.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &settings.ca {
        None => builder.with_platform_verifier()?,
        Some(file) => {
            let mut authorities = RootCertStore::empty();
            for certificate in certificates(&pem_file(file)?, "ca")? {
                authorities.add(certificate)?;
            }
            builder.with_root_certificates(authorities)
        }
    };
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_slice(&pem_file(key)?).map_err(|_| SinkError::NotPem("key"))?;
    Ok(builder.with_client_auth_cert(certificates(&pem_file(certificate)?, "certificate")?, key)?)
}

fn certificates(pem: &[u8], setting: &'static str) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|found| !found.is_empty()).ok_or(SinkError::NotPem(setting))
}
