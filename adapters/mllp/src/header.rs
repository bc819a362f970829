//! The MSH segment as bytes: what an answer echoes, and what decides whether there is a message at all.
//!
//! Reads also an MSH that is cut short, or whose separators are unusable, since such a message is answered too. HL7 v2
//! reference, sections 2.2 and 3.1.

use crate::separators::{Separators, SeparatorsError, is_separator};

/// The fields of an MSH segment, undecoded, as far as they are there. The default has none.
#[derive(Default)]
pub(crate) struct Header<'m> {
    separator: u8,
    fields: [&'m [u8]; LAST_FIELD + 1],
}

/// MSH-18, the character set, is the last field that answers need.
const LAST_FIELD: usize = 18;

impl<'m> Header<'m> {
    /// Reads the MSH segment that `payload` starts with; `None` if it starts with something else.
    pub(crate) fn read(payload: &'m [u8]) -> Option<Self> {
        let rest = payload.strip_prefix(b"MSH")?;
        let (separator, rest) = rest.split_first()?;
        if !is_separator(*separator) {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let mut fields: [&[u8]; LAST_FIELD + 1] = [b""; LAST_FIELD + 1];
        for (field, value) in fields[2..].iter_mut().zip(rest[..end].split(|byte| byte == separator)) {
            *field = value;
        }
        Some(Self { separator: *separator, fields })
    }

    /// MSH-`number`, empty if it is not there.
    pub(crate) fn field(&self, number: usize) -> &'m [u8] {
        self.fields.get(number).copied().unwrap_or_default()
    }

    /// A component of MSH-`number`, counted from 1, empty if it is not there.
    pub(crate) fn component(&self, number: usize, component: usize) -> &'m [u8] {
        let separator = self.separators().ok().and_then(|separators| separators.component);
        let mut components = self.field(number).split(|byte| Some(*byte) == separator);
        components.nth(component - 1).unwrap_or_default()
    }

    /// The separators that the message declares.
    pub(crate) fn separators(&self) -> Result<Separators, SeparatorsError> {
        Separators::read(self.separator, self.field(2))
    }

    /// The version in MSH-12.
    pub(crate) fn version(&self) -> Version {
        Version::read(self.component(12, 1).trim_ascii())
    }
}

/// A version of HL7 v2, as far as answers differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// `2.5.1` is `Known([5, 1])`.
    Known([u8; 2]),
    /// Answered as 2.5.1.
    Missing,
    Unknown,
}

impl Version {
    /// `2` and `2.1` to `2.9`, with any suffix.
    fn read(text: &[u8]) -> Self {
        match text {
            b"" => Self::Missing,
            b"2" => Self::Known([0, 0]),
            [b'2', b'.', minor @ b'1'..=b'9', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_digit) => {
                let patch = match rest {
                    [b'.', patch @ b'0'..=b'9', ..] => patch - b'0',
                    _ => 0,
                };
                Self::Known([minor - b'0', patch])
            }
            _ => Self::Unknown,
        }
    }

    /// Whether what came with 2.`minor`.`patch` may be written to a sender of this version.
    pub(crate) fn has(self, minor: u8, patch: u8) -> bool {
        match self {
            Self::Known(version) => version >= [minor, patch],
            Self::Missing | Self::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msh_counts_its_own_separator() {
        let header = Header::read(b"MSH|^~\\&|RIS|MAIN|GW||20260101||ORM^O01|42|P|2.3^USA\rPID|1").unwrap();
        assert_eq!(header.field(2), b"^~\\&");
        assert_eq!(header.field(3), b"RIS");
        assert_eq!(header.component(9, 2), b"O01");
        assert_eq!(header.field(10), b"42");
        assert_eq!(header.version(), Version::Known([3, 0]));
        assert_eq!(header.field(18), b"");
    }

    #[test]
    fn what_does_not_start_with_msh_has_no_header() {
        for payload in ["", "MSH", "MSHX", "MSH\r", "PID|1", "msh|^~\\&"] {
            assert!(Header::read(payload.as_bytes()).is_none(), "{payload:?}");
        }
        assert!(Header::read(b"MSH|").is_some());
    }

    #[test]
    fn versions_are_known_with_any_suffix() {
        let check = |text: &str, expected| assert_eq!(Version::read(text.as_bytes()), expected, "{text}");
        check("2", Version::Known([0, 0]));
        check("2.3.1", Version::Known([3, 1]));
        check("2.5", Version::Known([5, 0]));
        check("2.8.2", Version::Known([8, 2]));
        check("2.4CH", Version::Known([4, 0]));
        check("", Version::Missing);
        for text in ["9.9", "3", "2.0", "2.10", "2.", "25"] {
            check(text, Version::Unknown);
        }
        assert!(Version::Known([5, 1]).has(5, 0));
        assert!(!Version::Known([3, 0]).has(3, 1));
    }
}
