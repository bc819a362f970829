//! The signature by which a receiver knows that a notification is the hub's (WH-03).

use std::fmt;

use aws_lc_rs::hmac;

/// What a subscriber has given as `hub.secret`: the key of its notifications' signatures. Never shown.
#[derive(Clone)]
pub(crate) struct Secret(hmac::Key);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hub.secret must have 1 to {LONGEST} bytes")]
pub(crate) struct SecretError;

/// In bytes: under 200 (WH-01).
const LONGEST: usize = 199;

impl Secret {
    /// The secret that a form's `hub.secret` holds.
    ///
    /// # Errors
    /// When it is empty or too long (WH-01).
    pub(crate) fn parse(text: &str) -> Result<Self, SecretError> {
        match text.len() {
            1..=LONGEST => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))),
            _ => Err(SecretError),
        }
    }

    /// The value of `X-Hub-Signature` for exactly these bytes: `sha256=`, and their HMAC in lower-case hexadecimal
    /// (WH-03).
    pub(super) fn signature(&self, body: &[u8]) -> String {
        use fmt::Write as _;
        let tag = hmac::sign(&self.0, body);
        tag.as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, cases 1 and 2.
    #[test]
    fn wh_03_signatures_are_those_that_the_rfc_gives() {
        for (secret, body, expected) in [
            ("\u{b}".repeat(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                "Jefe".to_owned(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            let signature = Secret::parse(&secret).unwrap().signature(body.as_bytes());
            assert_eq!(signature, format!("sha256={expected}"));
        }
    }

    #[test]
    fn wh_03_one_byte_more_is_another_signature() {
        let secret = Secret::parse("s3cret").unwrap();
        assert_ne!(secret.signature(b"{}"), secret.signature(b"{} "));
    }

    #[test]
    fn wh_01_a_secret_has_less_than_200_bytes_and_at_least_one() {
        for (secret, taken) in [
            (String::new(), false),
            ("x".to_owned(), true),
            ("x".repeat(199), true),
            ("x".repeat(200), false),
            ("ä".repeat(100), false),
        ] {
            assert_eq!(Secret::parse(&secret).is_ok(), taken, "{}", secret.len());
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert!(!format!("{:?}", Secret::parse("hunter2").unwrap()).contains("hunter2"));
    }
}
