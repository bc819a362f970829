//! The separators that a message declares in MSH-1 and MSH-2. HL7 v2 reference, section 4.1.
//!
//! Knows no message: two values in, a set of separators out.

/// The separators of one message. One that is not declared is not used by that message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Separators {
    pub(crate) field: u8,
    pub(crate) component: Option<u8>,
    pub(crate) repetition: Option<u8>,
    pub(crate) escape: Option<u8>,
    pub(crate) subcomponent: Option<u8>,
    pub(crate) truncation: Option<u8>,
}

/// Why MSH-1 and MSH-2 cannot be used: values would be cut at the wrong places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SeparatorsError {
    #[error("two separators are the same")]
    Ambiguous,
    #[error("a separator is a letter, a digit or not printable")]
    Character,
    #[error("MSH-2 holds no separators, or more than five")]
    Count,
}

impl Separators {
    /// What nearly every sender uses, and what is answered in where the sender's cannot be read.
    pub(crate) const STANDARD: Self = Self {
        field: b'|',
        component: Some(b'^'),
        repetition: Some(b'~'),
        escape: Some(b'\\'),
        subcomponent: Some(b'&'),
        truncation: None,
    };

    /// Reads MSH-1 and MSH-2.
    ///
    /// `^~&` is read as it is meant: without an escape character, not with `&` as one.
    pub(crate) fn read(field: u8, encoding: &[u8]) -> Result<Self, SeparatorsError> {
        if encoding.is_empty() || encoding.len() > 5 {
            return Err(SeparatorsError::Count);
        }
        if !is_separator(field) || !encoding.iter().copied().all(is_separator) {
            return Err(SeparatorsError::Character);
        }
        if encoding.contains(&field) || (1..encoding.len()).any(|at| encoding[..at].contains(&encoding[at])) {
            return Err(SeparatorsError::Ambiguous);
        }
        let at = |position: usize| encoding.get(position).copied();
        let (escape, subcomponent) =
            if encoding.len() == 3 && encoding[2] == b'&' { (None, Some(b'&')) } else { (at(2), at(3)) };
        Ok(Self { field, component: at(0), repetition: at(1), escape, subcomponent, truncation: at(4) })
    }

    /// The separator that an escape sequence's letter stands for, in this message.
    pub(crate) fn escaped(&self, letter: &str) -> Option<u8> {
        match letter {
            "F" => Some(self.field),
            "S" => Some(self.component.unwrap_or(b'^')),
            "R" => Some(self.repetition.unwrap_or(b'~')),
            "E" => self.escape,
            "T" => Some(self.subcomponent.unwrap_or(b'&')),
            "P" => Some(self.truncation.unwrap_or(b'#')),
            _ => None,
        }
    }

    /// The letter that stands for `byte` in an escape sequence; `None` for a byte that needs none.
    pub(crate) fn letter(&self, byte: u8) -> Option<u8> {
        let letters = [
            (Some(self.field), b'F'),
            (self.component, b'S'),
            (self.repetition, b'R'),
            (self.escape, b'E'),
            (self.subcomponent, b'T'),
            (self.truncation, b'P'),
        ];
        letters.into_iter().find(|(separator, _)| *separator == Some(byte)).map(|(_, letter)| letter)
    }
}

/// Printable ASCII that is no letter and no digit. A blank would vanish in what people paste and edit.
pub(crate) fn is_separator(byte: u8) -> bool {
    byte.is_ascii_punctuation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_separators_are_not_used() {
        let read = |encoding: &[u8]| Separators::read(b'|', encoding).unwrap();
        assert_eq!(read(b"^~\\&"), Separators::STANDARD);
        assert_eq!(read(b"^~\\&#").truncation, Some(b'#'));
        assert_eq!(read(b"^~&").escape, None);
        assert_eq!(read(b"^~&").subcomponent, Some(b'&'));
        assert_eq!(read(b"^~\\").escape, Some(b'\\'));
        assert_eq!(read(b"^~").escape, None);
        assert_eq!(read(b"^").repetition, None);
    }

    #[test]
    fn separators_that_cannot_be_told_apart_are_refused() {
        let refused = |field, encoding: &[u8]| Separators::read(field, encoding).unwrap_err();
        assert_eq!(refused(b'|', b""), SeparatorsError::Count);
        assert_eq!(refused(b'|', b"^~\\&#!"), SeparatorsError::Count);
        assert_eq!(refused(b'|', b"^^\\&"), SeparatorsError::Ambiguous);
        assert_eq!(refused(b'^', b"^~\\&"), SeparatorsError::Ambiguous);
        assert_eq!(refused(b'|', b"A~\\&"), SeparatorsError::Character);
        assert_eq!(refused(b'|', b"^ \\&"), SeparatorsError::Character);
        assert_eq!(refused(b'|', b"\xe9"), SeparatorsError::Character);
    }
}
