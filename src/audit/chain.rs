//! Each line of the audit log holds the SHA-256 of the line before: who changes, adds or takes away a line breaks the chain.

use std::fmt;

use serde::Deserialize;

use crate::store::sha_256;

/// The extension that holds the digest of the line before.
pub(super) const PREVIOUS: &str = "urn:fhircast-gateway:audit:previous-sha256";

/// The SHA-256 of a line, without its end. `Display` writes it in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// What the first line of all holds.
pub const FIRST: Digest = Digest([0; 32]);

/// The first line that does not follow from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} does not follow from the line before: a line was changed, added or taken away there")]
pub struct BrokenChain {
    /// Counted from 1.
    pub line: usize,
}

impl Digest {
    /// Of `line`, without its end.
    pub fn of(line: &str) -> Self {
        Self(sha_256(line.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Checks that each of `lines` follows from the one before, and the first of them from `previous`; gives the digest of the
/// last.
///
/// # Errors
/// At the first line that does not.
pub fn verify<'l>(lines: impl IntoIterator<Item = &'l str>, previous: Digest) -> Result<Digest, BrokenChain> {
    lines.into_iter().enumerate().try_fold(previous, |previous, (index, line)| {
        let follows = named(line).is_some_and(|named| named == previous.to_string());
        follows.then(|| Digest::of(line)).ok_or(BrokenChain { line: index + 1 })
    })
}

/// The digest that a line holds.
fn named(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        extension: Vec<Extension>,
    }
    #[derive(Deserialize)]
    struct Extension {
        url: String,
        #[serde(rename = "valueString")]
        value: String,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    line.extension.into_iter().find(|extension| extension.url == PREVIOUS).map(|extension| extension.value)
}
