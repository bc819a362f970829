//! The site's key: the one secret of which topics are made, so that they are stable and cannot be guessed (SEC-03).

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::{hmac, rand};

/// 256 random bits, made at the first start and kept in the store's directory, readable by its owner only.
#[derive(Clone)]
pub struct SiteKey(hmac::Key);

/// Why there is no site key.
#[derive(Debug, thiserror::Error)]
pub enum SiteKeyError {
    /// The system has no randomness to give.
    #[error("the system's random generator gave no key")]
    Random,
    /// The file holds something else.
    #[error(
        "{} is not a site key of {LENGTH} bytes: restore it from a backup, or delete it and tell every application its \
         new topics", path.display()
    )]
    Spoilt {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("{} can be read by others than its owner: run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("cannot use {} as the store's directory: {source}; set `store.directory` to one that can be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

const LENGTH: usize = 32;

impl SiteKey {
    /// The key kept in `directory`; makes both where they are missing.
    ///
    /// # Errors
    /// When the directory cannot be written, or its key is spoilt or readable by others.
    pub fn open(directory: &Path) -> Result<Self, SiteKeyError> {
        let path = directory.join("site.key");
        let io = |source| SiteKeyError::Io { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        match OpenOptions::new().read(true).open(&path) {
            Ok(file) => Self::read(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(directory, &path),
            Err(source) => Err(SiteKeyError::Io { path, source }),
        }
    }

    /// A key of these bytes, for tests and the demonstration.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// 256 bits that only this site derives from `parts`; no two lists of parts give the same input.
    pub fn derive(&self, parts: &[&str]) -> [u8; LENGTH] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut derived = [0; LENGTH];
        derived.copy_from_slice(context.sign().as_ref());
        derived
    }

    fn read(mut file: fs::File, path: PathBuf) -> Result<Self, SiteKeyError> {
        let mut bytes = Vec::with_capacity(LENGTH);
        let metadata = file.metadata().map_err(|source| SiteKeyError::Io { path: path.clone(), source })?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(SiteKeyError::Exposed { path });
        }
        match Read::by_ref(&mut file).take(LENGTH as u64 + 1).read_to_end(&mut bytes) {
            Ok(_) => bytes.try_into().map(|bytes| Self::from_bytes(&bytes)).map_err(|_| SiteKeyError::Spoilt { path }),
            Err(source) => Err(SiteKeyError::Io { path, source }),
        }
    }

    /// Written beside and renamed, so that a crash leaves no half a key.
    fn create(directory: &Path, path: &Path) -> Result<Self, SiteKeyError> {
        let mut bytes = [0; LENGTH];
        rand::fill(&mut bytes).map_err(|_| SiteKeyError::Random)?;
        let fresh = directory.join("site.key.new");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, path)?;
            fs::File::open(directory)?.sync_all()
        };
        write().map_err(|source| SiteKeyError::Io { path: directory.to_owned(), source })?;
        Ok(Self::from_bytes(&bytes))
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SiteKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("fhircast-gateway-{name}-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn sec_03_the_key_outlives_a_restart_and_is_its_owners_alone() {
        let directory = directory("restart");
        let first = SiteKey::open(&directory).unwrap().derive(&["user", "drjones"]);
        assert_eq!(SiteKey::open(&directory).unwrap().derive(&["user", "drjones"]), first);
        let mode = fs::metadata(directory.join("site.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn sec_03_two_sites_and_two_users_never_share_what_is_derived() {
        let (one, other) = (SiteKey::from_bytes(&[1; 32]), SiteKey::from_bytes(&[2; 32]));
        assert_ne!(one.derive(&["user", "a"]), other.derive(&["user", "a"]));
        assert_ne!(one.derive(&["user", "ab"]), one.derive(&["usera", "b"]));
    }

    #[test]
    fn a_key_that_is_cut_short_or_open_to_others_is_refused_and_not_replaced() {
        let directory = directory("spoilt");
        let path = directory.join("site.key");
        fs::write(&path, b"short").unwrap();
        assert!(matches!(SiteKey::open(&directory), Err(SiteKeyError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SiteKey::open(&directory), Err(SiteKeyError::Spoilt { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named_with_what_to_do() {
        let error = SiteKey::open(Path::new("/proc/no-such/data")).unwrap_err().to_string();
        assert!(error.contains("/proc/no-such/data") && error.contains("store.directory"), "{error}");
    }
}
