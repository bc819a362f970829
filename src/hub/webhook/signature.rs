//! The signature by which a callback knows that it is the hub that calls (WH-03).

use std::fmt::Write as _;

use aws_lc_rs::hmac;

/// The value of `X-Hub-Signature`: HMAC-SHA-256 over the exact body, in hexadecimal (WebSub, 8).
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    tag.as_ref().iter().fold(String::from("sha256="), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wh_03_the_signature_is_that_of_rfc_4231() {
        for (key, data, expected) in [
            (
                "Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            ("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ] {
            assert_eq!(signature(key, data.as_bytes()), format!("sha256={expected}"));
        }
    }
}
