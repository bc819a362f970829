//! Character sets: what MSH-18 says, what the bytes are, and what is made of the two. HL7 v2 reference, section 4.4.
//!
//! Knows no message: MSH-18 and a payload in, a decision out.

use encoding_rs::{
    BIG5, EUC_KR, Encoding, GB18030, ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6,
    ISO_8859_7, ISO_8859_8, ISO_8859_13, ISO_8859_14, ISO_8859_15, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252,
    WINDOWS_1254,
};
use serde::Deserialize;

use crate::oddity::Oddity;

/// How messages are decoded whose MSH-18 is silent or wrong.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Taken where MSH-18 names nothing known and the bytes are not UTF-8.
    pub fallback: CharsetName,
    /// Refuse messages that are not in the character set they name, instead of reading them as well as can be.
    pub strict: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fallback: CharsetName(WINDOWS_1252), strict: false }
    }
}

/// A character set by one of the names that MSH-18 may hold, such as `8859/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CharsetName(pub(crate) &'static Encoding);

/// A name that is no character set, or not one that can travel in MLLP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a character set that can be read here; write it as MSH-18 does, such as \"8859/1\" or \"UNICODE UTF-8\""
)]
pub struct CharsetNameError(String);

impl TryFrom<String> for CharsetName {
    type Error = CharsetNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match declared(name.as_bytes()) {
            Declared::Known(encoding) => Ok(Self(encoding)),
            Declared::Nothing | Declared::Unknown | Declared::CannotTravel => Err(CharsetNameError(name)),
        }
    }
}

/// What was decided for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset {
    /// What the payload's bytes are.
    pub(crate) encoding: &'static Encoding,
    /// What the peer should be known for.
    pub(crate) oddity: Option<Oddity>,
}

impl Charset {
    /// Whether the raw bytes may be searched for separators: in some sets they occur as second bytes of characters.
    pub(crate) fn splits_safely(&self) -> bool {
        ![SHIFT_JIS, BIG5, GB18030, ISO_2022_JP].contains(&self.encoding)
    }
}

/// Why a message cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CharsetError {
    #[error("the character set in MSH-18 cannot travel in MLLP")]
    CannotTravel,
    #[error("the message is not in the character set that MSH-18 names")]
    Mismatch,
    #[error("the character set in MSH-18 is not known")]
    Unknown,
}

/// The character set of `payload`, whose MSH-18 is `declaration`.
pub(crate) fn choose(declaration: &[u8], payload: &[u8], policy: Policy) -> Result<Charset, CharsetError> {
    let multibyte_utf8 = || !payload.is_ascii() && std::str::from_utf8(payload).is_ok();
    match declared(declaration) {
        Declared::CannotTravel => Err(CharsetError::CannotTravel),
        Declared::Unknown if policy.strict => Err(CharsetError::Unknown),
        Declared::Unknown => Ok(Charset { oddity: Some(Oddity::CharsetUnknown), ..guess(payload, policy) }),
        Declared::Nothing => Ok(guess(payload, policy)),
        Declared::Known(encoding) if !fits(encoding, payload) => mismatch(guess(payload, policy).encoding, policy),
        Declared::Known(encoding) if claims_everything(encoding) && multibyte_utf8() => mismatch(UTF_8, policy),
        Declared::Known(encoding) => Ok(Charset { encoding, oddity: None }),
    }
}

/// The encoding that MSH-18 names; `None` where it names none.
pub(crate) fn declared_encoding(declaration: &[u8]) -> Option<&'static Encoding> {
    if let Declared::Known(encoding) = declared(declaration) { Some(encoding) } else { None }
}

fn guess(payload: &[u8], policy: Policy) -> Charset {
    if std::str::from_utf8(payload).is_ok() {
        return Charset { encoding: UTF_8, oddity: None };
    }
    Charset { encoding: policy.fallback.0, oddity: Some(Oddity::CharsetAssumed) }
}

fn mismatch(encoding: &'static Encoding, policy: Policy) -> Result<Charset, CharsetError> {
    if policy.strict {
        return Err(CharsetError::Mismatch);
    }
    Ok(Charset { encoding, oddity: Some(Oddity::CharsetMismatch) })
}

/// Whether the bytes are valid where that can be told cheaply; the multi-byte sets of Asia show it as U+FFFD.
fn fits(encoding: &'static Encoding, payload: &[u8]) -> bool {
    encoding != UTF_8 || std::str::from_utf8(payload).is_ok()
}

/// Whether every sequence of bytes is text in this set, so that only the other side of the comparison can tell a lie.
fn claims_everything(encoding: &'static Encoding) -> bool {
    encoding.is_single_byte()
}

enum Declared {
    Nothing,
    Known(&'static Encoding),
    Unknown,
    CannotTravel,
}

/// Table 0211, as senders write it: the first repetition of MSH-18 is the message's own set.
fn declared(declaration: &[u8]) -> Declared {
    let name: Vec<u8> =
        declaration.iter().filter(|byte| !matches!(byte, b' ' | b'-' | b'_')).map(u8::to_ascii_uppercase).collect();
    let first = match name.split(|byte| *byte == b'~').next() {
        // `~ISO IR87`: ASCII, from which ISO 2022 escapes lead into the alternates.
        Some(b"") if name.len() > 1 => &name[1..],
        first => first.unwrap_or_default(),
    };
    match first {
        b"" | b"ASCII" | b"ISOIR6" => Declared::Nothing,
        b"8859/1" | b"88591" | b"ISO88591" | b"LATIN1" | b"ISOIR100" | b"WINDOWS1252" | b"CP1252" => {
            Declared::Known(WINDOWS_1252)
        }
        b"UNICODEUTF8" | b"UNICODE" | b"UTF8" => Declared::Known(UTF_8),
        b"KSX1001" => Declared::Known(EUC_KR),
        b"GB180302000" | b"GB18030" => Declared::Known(GB18030),
        b"BIG5" => Declared::Known(BIG5),
        b"ISOIR14" | b"SHIFTJIS" => Declared::Known(SHIFT_JIS),
        b"ISOIR87" | b"ISOIR159" => Declared::Known(ISO_2022_JP),
        b"CNS116431992" | b"UNICODEUTF16" | b"UNICODEUTF32" | b"UTF16" | b"UTF32" => Declared::CannotTravel,
        other => iso_8859(other).map_or(Declared::Unknown, Declared::Known),
    }
}

/// `8859/2`, `88592`, `ISO88592`: part 2 and the others.
fn iso_8859(name: &[u8]) -> Option<&'static Encoding> {
    let name = name.strip_prefix(b"ISO").unwrap_or(name).strip_prefix(b"8859")?;
    let encoding = match name.strip_prefix(b"/").unwrap_or(name) {
        b"2" => ISO_8859_2,
        b"3" => ISO_8859_3,
        b"4" => ISO_8859_4,
        b"5" => ISO_8859_5,
        b"6" => ISO_8859_6,
        b"7" => ISO_8859_7,
        b"8" => ISO_8859_8,
        b"9" => WINDOWS_1254,
        b"11" => WINDOWS_874,
        b"13" => ISO_8859_13,
        b"14" => ISO_8859_14,
        b"15" => ISO_8859_15,
        _ => return None,
    };
    Some(encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Policy = Policy { fallback: CharsetName(WINDOWS_1252), strict: true };

    fn check(declaration: &str, payload: &[u8], encoding: &'static Encoding, oddity: Option<Oddity>) {
        let chosen = choose(declaration.as_bytes(), payload, Policy::default());
        assert_eq!(chosen, Ok(Charset { encoding, oddity }), "{declaration}");
    }

    #[test]
    fn section_4_4_declared_sets_are_taken_however_they_are_spelt() {
        check("8859/1", b"M\xfcller", WINDOWS_1252, None);
        check("iso-8859-1", b"M\xfcller", WINDOWS_1252, None);
        check("ISO IR100", b"", WINDOWS_1252, None);
        check("8859/2", b"", ISO_8859_2, None);
        check("ISO-8859-15", b"", ISO_8859_15, None);
        check("8859/9", b"", WINDOWS_1254, None);
        check("8859/11", b"", WINDOWS_874, None);
        check("UNICODE UTF-8", "é".as_bytes(), UTF_8, None);
        check("KS X 1001", b"", EUC_KR, None);
        check("GB 18030-2000", b"", GB18030, None);
        check("BIG-5", b"", BIG5, None);
        check("ISO IR14", b"", SHIFT_JIS, None);
        check("~ISO IR87", b"", ISO_2022_JP, None);
        check("8859/1~ISO IR87", b"", WINDOWS_1252, None);
    }

    #[test]
    fn section_4_4_the_bytes_decide_where_the_name_cannot_be_right() {
        check("", b"plain", UTF_8, None);
        check("ASCII", "é".as_bytes(), UTF_8, None);
        check("", b"\xe9", WINDOWS_1252, Some(Oddity::CharsetAssumed));
        check("8859/1", "é".as_bytes(), UTF_8, Some(Oddity::CharsetMismatch));
        check("UTF-8", b"\xe9", WINDOWS_1252, Some(Oddity::CharsetMismatch));
        check("KLINGON", b"plain", UTF_8, Some(Oddity::CharsetUnknown));
        check("KLINGON", b"\xe9", WINDOWS_1252, Some(Oddity::CharsetUnknown));
    }

    #[test]
    fn section_4_4_sets_that_cannot_travel_are_refused() {
        for name in ["UNICODE UTF-16", "UNICODE UTF-32", "CNS 11643-1992"] {
            assert_eq!(choose(name.as_bytes(), b"", Policy::default()), Err(CharsetError::CannotTravel), "{name}");
        }
    }

    #[test]
    fn strict_refuses_what_is_mislabelled_or_unknown() {
        assert_eq!(choose(b"8859/1", "é".as_bytes(), STRICT), Err(CharsetError::Mismatch));
        assert_eq!(choose(b"UTF-8", b"\xe9", STRICT), Err(CharsetError::Mismatch));
        assert_eq!(choose(b"KLINGON", b"", STRICT), Err(CharsetError::Unknown));
        assert!(choose(b"8859/1", b"\xe9", STRICT).is_ok());
    }
}
