//! TLS of the hub's listener, 1.2 and 1.3: its certificate, which is renewed without a restart (SEC-01).
//!
//! Keys appear in no error text and no log.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use crate::store::{PemFileError, PemFiles, pem_files};

/// `[http.tls]`: the listener's certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The chain in PEM, own certificate first.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
    /// How often the files are looked at; what has changed is used from then on.
    #[serde(default = "half_a_minute")]
    pub reload_every: SignedDuration,
}

impl TlsSettings {
    /// Of a certificate whose files are looked at as often as others are.
    pub(crate) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, reload_every: half_a_minute() }
    }
}

fn half_a_minute() -> SignedDuration {
    SignedDuration::from_secs(30)
}

/// Why a certificate cannot be used: always something to put right in the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// A file that is not what it should be.
    #[error("{} holds no {what} in PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key do not fit, or TLS has other objections.
    #[error("the certificate in {} cannot be used with its key: {source}", path.display())]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// A listener's TLS, with the certificate that is in force.
pub struct ServerTls {
    settings: TlsSettings,
    /// What the certificate in force was read from.
    files: Mutex<PemFiles>,
    config: ArcSwap<ServerConfig>,
}

impl ServerTls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When they cannot be read, or cannot be used.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let files = pem_files(&settings.certificate, &settings.key)?;
        let config = server_config(&settings, &files)?;
        Ok(Self { settings, files: Mutex::new(files), config: ArcSwap::from_pointee(config) })
    }

    /// Reads the files again. New connections get what is in them, if that can be used; the old certificate stays on any
    /// error. Gives whether anything has changed.
    ///
    /// # Errors
    /// As [`Self::load`]; then nothing has changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = pem_files(&self.settings.certificate, &self.settings.key)?;
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == files {
            return Ok(false);
        }
        self.config.store(Arc::new(server_config(&self.settings, &files)?));
        *known = files;
        Ok(true)
    }

    /// How often [`Self::reload`] is due.
    pub fn reload_every(&self) -> SignedDuration {
        self.settings.reload_every
    }

    /// What accepts the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

/// HTTP/1.1 alone: WebSocket needs no other, and HTTP/2 brings trouble of its own.
const PROTOCOL: &[u8] = b"http/1.1";

fn server_config(settings: &TlsSettings, files: &PemFiles) -> Result<ServerConfig, TlsError> {
    let refused = |source| TlsError::Refused { path: settings.certificate.clone(), source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::NotPem { path: settings.certificate.clone(), what: "certificate" })?;
    let key = PrivateKeyDer::from_pem_slice(&files.key);
    let key = key.map_err(|_| TlsError::NotPem { path: settings.key.clone(), what: "private key" })?;
    // Named here, not taken from a process-wide default that somebody else may have set.
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(refused)?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(refused)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}
