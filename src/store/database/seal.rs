//! Secrets that must be used again are kept sealed: whoever has the database without the site's key has none of them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use std::sync::Arc;

use crate::store::SiteKey;

/// Bytes of the nonce that stands before what is sealed.
const NONCE: usize = 12;

/// Seals texts, and opens them again (AES-256-GCM).
#[derive(Clone)]
pub(super) struct Seal(Option<Arc<RandomizedNonceKey>>);

impl Seal {
    pub(super) fn of(key: &SiteKey) -> Self {
        // A key of 32 bytes is always taken.
        Self(RandomizedNonceKey::new(&AES_256_GCM, &key.derive(&["store", "secrets"])).ok().map(Arc::new))
    }

    /// `text` sealed, for the record called `name` alone; empty, and so of no use to anybody, where it cannot be.
    pub(super) fn close(&self, text: &str, name: &[u8]) -> Vec<u8> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self.0.as_ref().and_then(|key| key.seal_in_place_append_tag(Aad::from(name), &mut sealed).ok());
        nonce.map_or_else(Vec::new, |nonce| [nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed for the record called `name`; `None` where it was not, or with another site's key.
    pub(super) fn open(&self, sealed: &[u8], name: &[u8]) -> Option<String> {
        let (nonce, text) = sealed.split_at_checked(NONCE)?;
        let (nonce, mut text) = (Nonce::try_assume_unique_for_key(nonce).ok()?, text.to_vec());
        let opened = self.0.as_ref()?.open_in_place(nonce, Aad::from(name), &mut text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_with_the_sites_key_under_its_own_name_alone() {
        let seal = Seal::of(&SiteKey::from_bytes(&[7; 32]));
        let sealed = seal.close("shared secret", b"one");
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(seal.open(&sealed, b"one").as_deref(), Some("shared secret"));
        assert_eq!(seal.open(&sealed, b"other"), None);
        assert_eq!(Seal::of(&SiteKey::from_bytes(&[8; 32])).open(&sealed, b"one"), None);
        assert_eq!(seal.open(&sealed[..4], b"one"), None);
    }
}
