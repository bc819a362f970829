//! `oid`, `uri` and `uuid`: identifiers that stay the same for the same thing.

use uuid::Uuid;

/// The space of the identifiers that mappings make. Never to change: a close would no longer name what was opened before.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_7a52_3c1e_5b0a_9d44_2a86_51e7_c93f);

/// A DICOM UID has at most so many characters (DICOM PS3.5, 9.1).
const MAX_UID: usize = 64;

/// `urn:oid:` before what is an OID, or a DICOM UID; nothing for anything else.
pub(super) fn oid(text: &str) -> Option<String> {
    let bare = text.trim_matches([' ', '\0']);
    let bare = bare.strip_prefix("urn:oid:").unwrap_or(bare);
    is_oid(bare).then(|| ["urn:oid:", bare].concat())
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

/// A URI as it is; an OID or a UUID as the URI that it is (HL7 v2.5.1, 2.A.33, HD); nothing for anything else, such as a bare word.
pub(super) fn uri(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(uuid) = Uuid::try_parse(text)
        && text.len() == HYPHENATED_UUID
    {
        return Some(format!("urn:uuid:{uuid}"));
    }
    oid(text).or_else(|| is_uri(text).then(|| text.to_owned()))
}

/// `8-4-4-4-12` digits: without hyphens it could be any number.
const HYPHENATED_UUID: usize = 36;

/// A colon alone makes no URI of a local code like `WARD:7`: it has `//` behind it, or is a URN.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let named = scheme.starts_with(|it: char| it.is_ascii_alphabetic()) && scheme.bytes().all(letters);
    let authority = rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty());
    let urn = scheme.eq_ignore_ascii_case("urn")
        && rest.split_once(':').is_some_and(|(space, name)| !space.is_empty() && !name.is_empty());
    let clean = !text.contains(|it: char| it.is_whitespace() || it.is_control() || "<>\"{}|\\^`".contains(it));
    named && (authority || urn) && clean
}

/// The UUID (version 5) of `words` and `text` with bars between: the same words, the same UUID, for ever.
pub(super) fn uuid(words: &[impl AsRef<str>], text: &str) -> String {
    let name = words.iter().map(AsRef::as_ref).chain([text]).collect::<Vec<_>>().join("|");
    let uuid = Uuid::new_v5(&NAMESPACE, name.as_bytes());
    uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
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
    fn a_uri_is_taken_as_it_is_and_what_is_only_a_word_is_not() {
        for (text, expected) in [
            ("http://hospital.example/mrn", Some("http://hospital.example/mrn")),
            ("urn:oid:1.2.3", Some("urn:oid:1.2.3")),
            ("urn:hospital:mrn", Some("urn:hospital:mrn")),
            ("1.2.276.0.76", Some("urn:oid:1.2.276.0.76")),
            ("C4F3B2A1-0000-4000-8000-0123456789AB", Some("urn:uuid:c4f3b2a1-0000-4000-8000-0123456789ab")),
            ("C4F3B2A1000040008000012345678 9AB", None),
            ("c4f3b2a10000400080000123456789ab", None),
            ("hospital.example", None),
            ("WARD:7", None),
            ("urn:7", None),
            ("http://", None),
            ("http://a b", None),
            ("MAIN", None),
            ("", None),
        ] {
            assert_eq!(uri(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_uuid_never_changes() {
        let words = ["Patient", "urn:oid:1.2.3"];
        assert_eq!(uuid(&words, "12345"), "9f6d8a69-1012-5e37-881f-69a61b21ad7c");
        assert_ne!(uuid(&words, "12345"), uuid(&words, "12346"));
    }
}
