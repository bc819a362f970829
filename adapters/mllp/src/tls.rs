//! TLS for listeners and senders, 1.2 and 1.3, with certificates of either side. HL7 v2 reference, section 2.4.
//!
//! Reads PEM files and builds what the sockets need; keys and certificates appear in no error text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// A file that is missing, unreadable or not PEM.
    #[error("could not read {} as PEM", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit, or TLS has other objections.
    #[error("the certificate or key cannot be used")]
    Refused(#[from] rustls::Error),
    /// The authorities' certificates cannot be used to judge others.
    #[error("the authorities in {} cannot be used", .0.display())]
    Verifier(PathBuf, #[source] rustls::server::VerifierBuilderError),
}

/// What a listener accepts TLS connections with. Call it at start, too, to find mistakes before anything listens.
///
/// # Errors
/// A file cannot be read, or its content cannot be used.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_verifier(tls)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(certificates(&tls.certificate)?, key(&tls.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a sender opens TLS connections with.
///
/// # Errors
/// A file cannot be read, or its content cannot be used.
pub(crate) fn connector(tls: &ClientTls) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities(&tls.ca)?);
    let config = match &tls.identity {
        Some((chain, private)) => builder.with_client_auth_cert(certificates(chain)?, key(private)?)?,
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn client_verifier(tls: &Tls) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (ClientAuth::Wanted | ClientAuth::Required, Some(ca)) = (tls.client_auth, &tls.client_ca) else {
        return Ok(None);
    };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(ca)?), provider());
    let builder = if tls.client_auth == ClientAuth::Wanted { builder.allow_unauthenticated() } else { builder };
    let verifier = builder.build().map_err(|error| TlsError::Verifier(ca.clone(), error))?;
    Ok(Some(verifier))
}

/// Named here, not taken from a process-wide default that somebody else may have set.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(file)? {
        authorities.add(certificate)?;
    }
    Ok(authorities)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Pem { file: file.to_owned(), source };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    let certificates = certificates.map_err(unreadable)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(certificates) }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| TlsError::Pem { file: file.to_owned(), source })
}
