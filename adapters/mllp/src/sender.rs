//! The way out: sends messages over MLLP, one at a time, and reads what the receiver says. HL7 v2 reference, section 2.6.
//!
//! Whether to try again is the caller's decision; a [`SendError`] says whether it may help. After an error the connection is
//! gone, so that a late acknowledgement is never taken for the next message's.
//!
//! Knows no mapping and no queue.

mod acknowledgement;

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::frame::{Decoder, Found, encode};
use crate::tls::{self, ClientTls, TlsError};
use acknowledgement::Expected;

pub use acknowledgement::Acknowledgement;

/// Where to send, and how long to wait.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host and port, such as `ris.example.org:2575`.
    pub address: String,
    /// None for a plain connection.
    pub tls: Option<ClientTls>,
    /// Time in which a connection must be there, TLS included.
    pub connect_timeout: Duration,
    /// Time in which a message must be acknowledged, writing included.
    pub acknowledgement_timeout: Duration,
    /// The longest acknowledgement, in bytes.
    pub max_acknowledgement: usize,
    /// Take an acknowledgement with an empty MSA-2 for the message that was sent last.
    pub lenient_acknowledgement: bool,
}

impl Target {
    /// A plain connection to `address`, with the usual limits.
    pub fn plain(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
            connect_timeout: Duration::from_secs(10),
            acknowledgement_timeout: Duration::from_secs(30),
            max_acknowledgement: 1 << 20,
            lenient_acknowledgement: false,
        }
    }
}

/// A connection to a receiver.
pub struct Sender {
    /// Gone after an error.
    stream: Option<Box<dyn Stream>>,
    decoder: Decoder,
    target: Target,
}

/// Why a message was not sent, or not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The receiver closed the connection before it acknowledged; it may have taken the message or not.
    #[error("{0} closed the connection without an acknowledgement")]
    Closed(String),
    /// No connection.
    #[error("could not connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An earlier error has ended this connection; open another.
    #[error("the connection to {0} has ended by an earlier error")]
    Ended(String),
    /// The connection broke.
    #[error("the connection to {address} failed")]
    Failed {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate's name, taken from the address, is none.
    #[error("{0:?} is no name that a certificate can have")]
    ServerName(String),
    /// No acknowledgement in time.
    #[error("{address} did not acknowledge within {limit:?}")]
    TimedOut {
        /// Host and port.
        address: String,
        /// The time that was given.
        limit: Duration,
    },
    /// The settings of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl SendError {
    /// Whether the same bytes may get through later; otherwise the settings must be put right first.
    pub fn may_retry(&self) -> bool {
        !matches!(self, Self::ServerName(_) | Self::Tls(_))
    }
}

impl Sender {
    /// Connects to `target`.
    ///
    /// # Errors
    /// There is nobody, or not in time, or TLS cannot be agreed on.
    pub async fn connect(target: Target) -> Result<Self, SendError> {
        let failed = |source| SendError::Connect { address: target.address.clone(), source };
        let opened = timeout(target.connect_timeout, open(&target)).await;
        let stream =
            opened.map_err(|_| failed(io::Error::new(io::ErrorKind::TimedOut, "connect_timeout passed")))??;
        let decoder = Decoder::new(target.max_acknowledgement);
        Ok(Self { stream: Some(stream), decoder, target })
    }

    /// Sends `payload`, a message without its block characters, and waits until the receiver acknowledges it.
    ///
    /// Acknowledgements of other messages are passed over.
    ///
    /// # Errors
    /// No acknowledgement: the receiver closed, or was silent for too long. This connection is not usable any more then.
    pub async fn send(&mut self, payload: &[u8]) -> Result<Acknowledgement, SendError> {
        let started = Instant::now();
        let deadline = started + self.target.acknowledgement_timeout;
        // Taken out, so that the connection is gone if this is an error, or is dropped half-way.
        let mut stream = self.stream.take().ok_or_else(|| SendError::Ended(self.target.address.clone()))?;
        let exchanged = timeout_at(deadline, self.exchange(&mut *stream, payload)).await;
        let mut acknowledgement = exchanged.map_err(|_| self.timed_out())??;
        acknowledgement.elapsed = started.elapsed();
        self.stream = Some(stream);
        Ok(acknowledgement)
    }

    /// Says goodbye properly: over TLS, a receiver could not tell a silent end from a cut.
    pub async fn close(mut self) {
        if let Some(mut stream) = self.stream.take() {
            // A receiver that has gone already needs no goodbye.
            let _ = timeout(CLOSING, stream.shutdown()).await;
        }
    }

    async fn exchange(&mut self, stream: &mut dyn Stream, payload: &[u8]) -> Result<Acknowledgement, SendError> {
        let expected = Expected::of(payload, self.target.lenient_acknowledgement);
        stream.write_all(&encode(payload)).await.map_err(|source| self.failed(source))?;
        stream.flush().await.map_err(|source| self.failed(source))?;
        loop {
            while let Some(found) = self.decoder.decode() {
                if let Found::Payload(bytes) = found
                    && let Some(acknowledgement) = expected.read(&bytes)
                {
                    return Ok(acknowledgement);
                }
            }
            let read = stream.read_buf(&mut self.decoder.room()).await;
            if read.map_err(|source| self.failed(source))? == 0 {
                return Err(SendError::Closed(self.target.address.clone()));
            }
        }
    }

    fn failed(&self, source: io::Error) -> SendError {
        SendError::Failed { address: self.target.address.clone(), source }
    }

    fn timed_out(&self) -> SendError {
        SendError::TimedOut { address: self.target.address.clone(), limit: self.target.acknowledgement_timeout }
    }
}

/// How long saying goodbye may take.
const CLOSING: Duration = Duration::from_secs(2);

/// A connection, plain or by TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn open(target: &Target) -> Result<Box<dyn Stream>, SendError> {
    let failed = |source| SendError::Connect { address: target.address.clone(), source };
    let connector = target.tls.as_ref().map(|tls| tls::connector(tls).map(|connector| (tls, connector))).transpose()?;
    let stream = TcpStream::connect(&target.address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let Some((tls, connector)) = connector else { return Ok(Box::new(stream)) };
    let name = server_name(tls, &target.address)?;
    Ok(Box::new(connector.connect(name, stream).await.map_err(failed)?))
}

/// The name that the receiver's certificate must have.
fn server_name(tls: &ClientTls, address: &str) -> Result<ServerName<'static>, SendError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = tls.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| SendError::ServerName(name.to_owned()))
}

/// A message from a text file as it goes on the wire: segments end in a carriage return, whatever ends lines in the file.
pub fn with_segment_ends(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
    lines.flat_map(|line| line.iter().copied().chain([b'\r'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_become_segments() {
        for text in ["MSH|1\nPID|2", "MSH|1\r\nPID|2\r\n", "MSH|1\rPID|2\r", "\nMSH|1\n\nPID|2\n\n"] {
            assert_eq!(with_segment_ends(text.as_bytes()), b"MSH|1\rPID|2\r", "{text:?}");
        }
        assert_eq!(with_segment_ends(b""), b"");
    }
}
