//! Certificate and key files, as the operator's tools renew them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A certificate chain and its key, as they are in their files.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFiles {
    /// The chain, the own certificate first.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}; check that it is there, and readable by the user that the gateway runs as", path.display())]
pub struct PemFileError {
    path: PathBuf,
    source: io::Error,
}

/// Reads both files.
///
/// # Errors
/// The first that cannot be read.
pub fn pem_files(certificate: &Path, key: &Path) -> Result<PemFiles, PemFileError> {
    Ok(PemFiles { certificate: pem_file(certificate)?, key: pem_file(key)? })
}

/// Reads one file.
///
/// # Errors
/// When it cannot be read.
pub fn pem_file(path: &Path) -> Result<Vec<u8>, PemFileError> {
    fs::read(path).map_err(|source| PemFileError { path: path.to_owned(), source })
}
