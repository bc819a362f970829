//! Secrets that the operator keeps in files: a token for trials, a client's secret.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A secret. Never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret could not be read. Never repeats what is in the file.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Others can read the file.
    #[error("{} can be read by others than its owner: run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no secret, or more than one line.
    #[error("{} must hold one line of at most {LARGEST} bytes: the secret, and nothing else", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("cannot read {}: {source}; check that it is there, and owned by the user that the gateway runs as", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

const LARGEST: usize = 4096;

impl Secret {
    /// The secret that `text` is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for whoever has to send or compare it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret([redacted])")
    }
}

/// The secret in the file `path`, without the end of its line.
///
/// # Errors
/// When the file cannot be read, can be read by others than its owner, or is not one line.
pub fn secret_file(path: &Path) -> Result<Secret, SecretFileError> {
    let io = |source| SecretFileError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretFileError::Exposed { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    one_line(bytes).ok_or_else(|| SecretFileError::Form { path: path.to_owned() })
}

fn one_line(bytes: Vec<u8>) -> Option<Secret> {
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    (!line.is_empty() && !line.chars().any(char::is_control)).then(|| Secret::new(line))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_shown() {
        let path = std::env::temp_dir().join(format!("fhircast-gateway-secret-{}", uuid::Uuid::new_v4()));
        fs::write(&path, "hunter2\r\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(secret_file(&path), Err(SecretFileError::Exposed { .. })));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let secret = secret_file(&path).unwrap();
        assert_eq!((secret.reveal(), format!("{secret:?}").contains("hunter2")), ("hunter2", false));
        for text in ["", "\n", "one\ntwo\n", "nul\u{0}", &"a".repeat(LARGEST + 1)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(secret_file(&path), Err(SecretFileError::Form { .. })), "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(secret_file(&path), Err(SecretFileError::Io { .. })));
    }
}
