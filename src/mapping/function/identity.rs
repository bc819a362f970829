//! `oid` and `uuid`: identifiers that stay the same for the same thing.

use uuid::Uuid;

/// The space of the identifiers that mappings make. Never to change: a close would no longer name what was opened before.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_7a52_3c1e_5b0a_9d44_2a86_51e7_c93f);

/// A DICOM UID has at most so many characters (DICOM PS3.5, 9.1).
const MAX_UID: usize = 64;

/// `urn:oid:` before what is an OID, or a DICOM UID; nothing for anything else.
pub(super) fn oid(text: &str) -> Option<String> {
    let bare = text.trim_matches([' ', '\0']);
    let bare = bare.strip_prefix("urn:oid:").unwrap_or(bare);
    is_oid(bare).then(|| format!("urn:oid:{bare}"))
}

fn is_oid(text: &str) -> bool {
    let mut arcs = text.split('.');
    let root = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let arcs_fit = text.len() > 2 && arcs.all(|arc| arc == "0" || is_number_without_leading_zero(arc));
    root && arcs_fit && text.len() <= MAX_UID
}

fn is_number_without_leading_zero(arc: &str) -> bool {
    !arc.is_empty() && !arc.starts_with('0') && arc.bytes().all(|byte| byte.is_ascii_digit())
}

/// The UUID (version 5) of `words` and `text` with bars between: the same words, the same UUID, for ever.
pub(super) fn uuid(words: &[Box<str>], text: &str) -> String {
    let name = words.iter().map(|word| &**word).chain([text]).collect::<Vec<_>>().join("|");
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_is_recognised_by_its_form() {
        for good in ["1.2", "0.0", "2.16.840.1.113883", " 1.2.3\0", "urn:oid:1.2.3"] {
            assert!(oid(good).is_some(), "{good:?}");
        }
        let long = format!("1.{}", "1".repeat(63));
        for bad in ["", "1", "1.", ".1", "3.1", "1.02", "1..2", "1.2.x", "MAIN", long.as_str()] {
            assert_eq!(oid(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_uuid_never_changes() {
        let words = ["Patient".into(), "urn:oid:1.2.3".into()];
        assert_eq!(uuid(&words, "12345"), "9f6d8a69-1012-5e37-881f-69a61b21ad7c");
        assert_ne!(uuid(&words, "12345"), uuid(&words, "12346"));
    }
}
