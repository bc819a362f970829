//! The token that the operator's commands show to the running gateway: whoever can read its file may operate the gateway.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;

use super::secret_file::{Secret, SecretFileError, secret_file};

/// 256 random bits, others at each start. Clones are the same token.
#[derive(Clone)]
pub struct OperatorToken(Arc<str>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OperatorTokenError {
    /// The system has no randomness to give.
    #[error("the system's random generator gave no token")]
    Random,
    /// The disk refused.
    #[error("cannot write {}: {source}; set `store.directory` to a directory that can be written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

const FILE: &str = "operator.token";

impl OperatorToken {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> Result<Self, OperatorTokenError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| OperatorTokenError::Random)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()))
    }

    /// Leaves it in `directory`, readable by its owner only. Written beside and renamed, so that nobody reads half of it.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), OperatorTokenError> {
        let (fresh, path) = (directory.join(format!("{FILE}.new")), Self::file(directory));
        let write = || -> io::Result<()> {
            // One that a crash left may have another mode.
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            writeln!(file, "{}", self.0)?;
            fs::rename(&fresh, &path)
        };
        write().map_err(|source| OperatorTokenError::Io { path: path.clone(), source })
    }

    /// What a running gateway has left in `directory`.
    ///
    /// # Errors
    /// When there is none, or this user may not read it.
    pub fn read(directory: &Path) -> Result<Secret, SecretFileError> {
        secret_file(&Self::file(directory))
    }

    /// Where it is.
    pub fn file(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Whether it is the one that is shown. How much of it is right, no time tells.
    pub fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown.as_bytes()).is_ok()
    }

    /// The token itself, for whoever has to show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OperatorToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_token_is_its_owners_alone_and_another_at_each_start() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (OperatorToken::random().unwrap(), OperatorToken::random().unwrap());
        fs::write(directory.path().join("operator.token.new"), "left by a crash").unwrap();
        for token in [&first, &second] {
            token.write(directory.path()).unwrap();
            assert_eq!(OperatorToken::read(directory.path()).unwrap().reveal(), token.reveal());
        }
        let mode = fs::metadata(OperatorToken::file(directory.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(second.is(second.reveal()) && !second.is(first.reveal()) && !second.is(""));
        assert!(!format!("{second:?}").contains(second.reveal()));
    }
}
