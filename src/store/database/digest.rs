//! What shows that a row is as it was written. SQLite finds damage to its pages' structure, and not to what stands in them: one
//! flipped bit could name another patient, or another user's topic (reliability.md, F23).

use aws_lc_rs::digest;

/// Of a row's values.
pub(in crate::store) type Digest = [u8; 16];

/// The digest of `values`. No two lists of values give the same bytes to hash.
pub(in crate::store) fn digest(values: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for value in values {
        context.update(&(value.len() as u64).to_be_bytes());
        context.update(value);
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&context.finish().as_ref()[..16]);
    digest
}

/// A value that may be missing, other than an empty one.
pub(super) fn perhaps(value: Option<&str>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| [b"=", value.as_bytes()].concat())
}
