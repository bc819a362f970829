//! Everything that a peer can do oddly and that is tolerated here: one name each, for the counter and the log. Section 13.

/// Something a peer did that the standard does not have. Each has a counter of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Oddity {
    /// A secret that stands for a user (`vistatoken`) was set, and dropped: it is shown to nobody.
    BearerSecretDropped,
    /// Bytes that are no UTF-8, read as windows-1252.
    CharsetAssumed,
    /// A decision of a participant that is not in the standard, read as a conditional one.
    DecisionUnknown,
    /// A `%` that no escape follows, taken for itself.
    EscapeInvalid,
    /// An argument under a misspelt name.
    Misspelling,
    /// A registry call of the Vergence dialect, answered with nothing.
    VendorCall,
    /// `%uXXXX`, as old pages write it.
    WideEscape,
}

const TEXTS: [(Oddity, &str); Oddity::COUNT] = [
    (Oddity::BearerSecretDropped, "bearer_secret_dropped"),
    (Oddity::CharsetAssumed, "charset_assumed"),
    (Oddity::DecisionUnknown, "decision_unknown"),
    (Oddity::EscapeInvalid, "escape_invalid"),
    (Oddity::Misspelling, "misspelling"),
    (Oddity::VendorCall, "vendor_call"),
    (Oddity::WideEscape, "wide_escape"),
];

impl Oddity {
    pub(crate) const COUNT: usize = Self::WideEscape as usize + 1;

    /// Every oddity, in the order of its number.
    pub fn all() -> impl Iterator<Item = Self> {
        TEXTS.iter().map(|(oddity, _)| *oddity)
    }

    /// The counter's name, also the value of the log's `oddity` field.
    pub fn name(self) -> &'static str {
        TEXTS[self as usize].1
    }
}

/// The oddities of one request, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u32);

impl Oddities {
    /// Notes that this was seen.
    pub fn note(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u8;
    }

    /// What was seen.
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::all().filter(move |oddity| self.0 & 1 << *oddity as u8 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_stands_at_its_own_number() {
        assert!(Oddity::all().enumerate().all(|(number, oddity)| oddity as usize == number));
    }
}
