//! TLS for listeners and senders, 1.2 and 1.3, with certificates of either side. HL7 v2 reference, section 2.4.
//!
//! Reads PEM files and builds what the sockets need; keys and certificates appear in no error text.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::settings::{ClientAuth, Tls};

/// TLS of a sender.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// The authorities that the receiver's certificate may come from, PEM.
    pub ca: PathBuf,
    /// The sender's own certificate chain and key, PEM, for receivers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the receiver's certificate, where it is not the host that is connected to.
    pub server_name: Option<String>,
}

/// Why TLS cannot be set up: always something to put right in the settings or the files they name.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file holds no certificate.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// A file that is not PEM.
    #[error("{} is not what it should be, in PEM", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file that is missing, or that the gateway may not read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Certificate and key do not fit, or TLS has other objections.
    #[error("the certificate or key cannot be used")]
    Refused(#[from] rustls::Error),
    /// The authorities' certificates cannot be used to judge others.
    #[error("the authorities in {} cannot be used", .0.display())]
    Verifier(PathBuf, #[source] rustls::server::VerifierBuilderError),
}

/// TLS of a listener, whose files can be read again while it listens.
pub struct ListenerTls {
    tls: Tls,
    in_force: Mutex<InForce>,
}

struct InForce {
    files: Files,
    acceptor: TlsAcceptor,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl ListenerTls {
    /// Reads the files that `tls` names.
    ///
    /// # Errors
    /// One cannot be read, or its content cannot be used.
    pub fn load(tls: Tls) -> Result<Self, TlsError> {
        let files = Files::read(&tls)?;
        let acceptor = acceptor(&tls, &files)?;
        Ok(Self { tls, in_force: Mutex::new(InForce { files, acceptor }) })
    }

    /// Reads the files again; new connections get what is in them. Gives whether anything has changed.
    ///
    /// # Errors
    /// As [`Self::load`]; then nothing has changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.tls)?;
        let mut in_force = self.in_force();
        if in_force.files == files {
            return Ok(false);
        }
        let acceptor = acceptor(&self.tls, &files)?;
        *in_force = InForce { files, acceptor };
        Ok(true)
    }

    /// What accepts the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.in_force().acceptor.clone()
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn read(tls: &Tls) -> Result<Self, TlsError> {
        let client_ca = tls.client_ca.as_ref().filter(|_| tls.client_auth != ClientAuth::None);
        Ok(Self {
            certificate: read(&tls.certificate)?,
            key: read(&tls.key)?,
            client_ca: client_ca.map(|file| read(file)).transpose()?,
        })
    }
}

fn acceptor(tls: &Tls, files: &Files) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_verifier(tls, files)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates(&tls.certificate, &files.certificate)?;
    let config = builder.with_single_cert(chain, key(&tls.key, &files.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a sender opens TLS connections with.
///
/// # Errors
/// A file cannot be read, or its content cannot be used.
pub(crate) fn connector(tls: &ClientTls) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities(&tls.ca, &read(&tls.ca)?)?);
    let config = match &tls.identity {
        Some((chain, private)) => {
            builder.with_client_auth_cert(certificates(chain, &read(chain)?)?, key(private, &read(private)?)?)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn client_verifier(tls: &Tls, files: &Files) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (Some(file), Some(ca)) = (&tls.client_ca, &files.client_ca) else { return Ok(None) };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(file, ca)?), provider());
    let builder = if tls.client_auth == ClientAuth::Wanted { builder.allow_unauthenticated() } else { builder };
    let verifier = builder.build().map_err(|error| TlsError::Verifier(file.clone(), error))?;
    Ok(Some(verifier))
}

/// Named here, not taken from a process-wide default that somebody else may have set.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

fn authorities(file: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        authorities.add(certificate)?;
    }
    Ok(authorities)
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|source| TlsError::Pem { file: file.to_owned(), source })?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(certificates) }
}

fn key(file: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|source| TlsError::Pem { file: file.to_owned(), source })
}
