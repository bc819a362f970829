//! Field paths as analysts write them: `PID-3`, `PID-3[2].4.2`, `OBX[3.1=113014]-5`. HL7 v2 reference, section 5.
//!
//! Everything counts from 1. What a path reads:
//!
//! | path | reads |
//! |---|---|
//! | `PID-3.4.2` | field 3, component 4, subcomponent 2, of the first repetition |
//! | `PID-3[2].1`, `PID-3[*].1` | of the second repetition; of every one |
//! | `PID-3[5=MR].1`, `PID-3[4.2=1.2.3].1` | of the first repetition whose component 5 (4.2) is just that |
//! | `OBX[2]-5`, `OBX[*]-5` | field 5 of the second OBX; of every one |
//! | `OBX[3.1=113014]-5` | of the first OBX whose field 3, component 1 is just that |
//! | `ORC` | the segment itself: holds when it is there, and is what `each` repeats over |
//! | `.4.2` | inside `each`: relative to the present repetition |
//!
//! * **A composite field named alone** (`PID-3`, `PID-5`, `PV1-3`) gives its first component's first subcomponent, so that
//!   `PID-8` and `ORC-1` mean what they say whichever version made them composite. `OBX-5` of type TX, FT or ST, and
//!   `NTE-3`, give the whole field: there `^ & ~` are often plain text. A component named alone gives its first
//!   subcomponent.
//! * **A relative path** counts components where `each` is over a field (`each = "PID-3"`: `.4.2` is component 4,
//!   subcomponent 2), and fields where it is over a segment (`each = "ORC"`: `.3.1` is field 3, component 1; `.3[2].1` its
//!   second repetition).
//! * **Predicates** compare the first value at their place, after unescaping, exactly. A value with blanks or `]` stands in
//!   quotes: `OBX[3.2="Study Instance UID"]-5`. In `each`, all that match are repeated over.
//! * **Orders are never mixed.** Where a message holds orders, a path to a segment of an order (ORC OBR IPC ZDS TQ1 TQ2 NTE
//!   OBX SPM, other Z-segments after the order's start) reads the first order, or inside `each = "ORC"` the present one. Only
//!   `OBX[2]` and `OBX[*]`, outside of `each`, count over the whole message. The same goes for the patients of a message
//!   that holds several PID.
//!
//! Knows no message: spelling in, a [`Path`] or the right spelling out.

mod dialect;
mod parse;
mod standard;

use std::fmt;

use fhircast_gateway_adapter_api::{Grammar, Path, PathError};

pub(crate) use parse::is_segment_id;

/// The grammar of HL7 v2 field paths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hl7v2;

impl Grammar for Hl7v2 {
    fn protocol(&self) -> &'static str {
        "hl7v2"
    }

    fn looks_like_path(&self, text: &str) -> bool {
        dialect::looks_like_path(text)
    }

    fn path_length(&self, text: &str) -> usize {
        dialect::path_length(text)
    }

    fn path(&self, text: &str) -> Result<Path, PathError> {
        let path = parse::parse(text).map_err(|error| dialect::explain(text, error))?;
        Ok(Path::new(&path.to_string(), path))
    }

    fn never_has(&self, path: &Path, known: &[(&Path, Vec<&str>)]) -> Option<String> {
        let is_type = |path: &Path| path.compiled().is_some_and(standard::is_message_type);
        let mut said = known.iter().filter(|(path, _)| is_type(path)).map(|(_, values)| values);
        let mut types = said.next()?.clone();
        said.for_each(|values| types.retain(|value| values.contains(value)));
        standard::lacking(path.compiled()?, &types)
    }

    fn bystander(&self, path: &Path) -> Option<&'static str> {
        standard::bystander(path.compiled()?)
    }
}

/// The three characters that a segment starts with.
pub(crate) type SegmentId = [u8; 3];

/// A compiled path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldPath {
    /// `PID`, `OBX[2]`, `PID-3.1`.
    Absolute { segment: SegmentId, which: Selector, field: Option<FieldStep> },
    /// `.3[2].1`: numbers whose meaning depends on where they start.
    Relative(FieldStep),
}

/// A number, which of its repetitions, and the numbers below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldStep {
    pub(crate) number: u16,
    pub(crate) repetition: Selector,
    pub(crate) below: Below,
}

/// Up to two numbers, each counted from 1: component and subcomponent under a field.
pub(crate) type Below = [Option<u16>; 2];

/// Which of several segments or repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Nothing said: the first.
    First,
    /// The one of this number, counted from 1.
    Number(u16),
    /// Every one: `*`.
    Every,
    /// The first that has this value at this place.
    Where(Predicate),
}

/// `[3.1=113014]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Predicate {
    /// Field, component and subcomponent of a segment; component and subcomponent of a repetition.
    pub(crate) number: u16,
    pub(crate) below: Below,
    pub(crate) value: String,
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute { segment, which, field } => {
                write!(formatter, "{}{which}", segment.escape_ascii())?;
                field.as_ref().map_or(Ok(()), |field| write!(formatter, "-{field}"))
            }
            Self::Relative(step) => write!(formatter, ".{step}"),
        }
    }
}

impl fmt::Display for FieldStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.number, self.repetition)?;
        write_below(formatter, &self.below)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => Ok(()),
            Self::Number(number) => write!(formatter, "[{number}]"),
            Self::Every => formatter.write_str("[*]"),
            Self::Where(predicate) => write!(formatter, "[{predicate}]"),
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.number)?;
        write_below(formatter, &self.below)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b':');
        match &self.value {
            value if value.bytes().all(plain) => write!(formatter, "={value}"),
            value if value.contains('"') => write!(formatter, "='{value}'"),
            value => write!(formatter, "=\"{value}\""),
        }
    }
}

fn write_below(formatter: &mut fmt::Formatter<'_>, below: &Below) -> fmt::Result {
    below.iter().flatten().try_for_each(|number| write!(formatter, ".{number}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, canonical: &str) {
        let path = Hl7v2.path(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
        assert_eq!(path.text(), canonical, "{text}");
        assert_eq!(Hl7v2.path(canonical).unwrap(), path, "the canonical spelling reads back");
        assert_eq!(Hl7v2.path_length(text), text.len(), "{text}");
        assert!(Hl7v2.looks_like_path(text), "{text}");
    }

    fn refuse(text: &str, message: &str, suggestion: Option<&str>) {
        let error = Hl7v2.path(text).expect_err(text);
        assert!(error.message.contains(message), "{text}: {}", error.message);
        assert_eq!(error.suggestion.as_deref(), suggestion, "{text}");
        assert!(text.get(error.span.clone()).is_some(), "{text}: {:?}", error.span);
        if let Some(suggestion) = suggestion {
            assert_eq!(Hl7v2.path(suggestion).unwrap().text(), suggestion);
        }
    }

    #[test]
    fn section_5_paths_are_read_and_spelt_in_one_way() {
        check("PID-3", "PID-3");
        check("PID-3.1", "PID-3.1");
        check("PID.3.1", "PID-3.1");
        check("PID-03.01", "PID-3.1");
        check("PID-3[2].4.2", "PID-3[2].4.2");
        check("PID-3[*].1", "PID-3[*].1");
        check("PID-3[5=MR].1", "PID-3[5=MR].1");
        check("PID-3[4.2=1.2.3].1", "PID-3[4.2=1.2.3].1");
        check("OBX[3]-5", "OBX[3]-5");
        check("OBX[*]-5", "OBX[*]-5");
        check("OBX[2].5.1", "OBX[2]-5.1");
        check("OBX[3.1=113014]-5", "OBX[3.1=113014]-5");
        check("OBX[3.2=\"Study Instance UID\"]-5", "OBX[3.2=\"Study Instance UID\"]-5");
        check("OBX[3.2='a]b']-5", "OBX[3.2=\"a]b\"]-5");
        check("OBX[3.2='say \"hi\"']-5", "OBX[3.2='say \"hi\"']-5");
        check("OBX[3.1=a b]-5", "OBX[3.1=\"a b\"]-5");
        check("ORC", "ORC");
        check("ZU1-2", "ZU1-2");
        check("MSH-1", "MSH-1");
        check("MSH-9.1", "MSH-9.1");
        check(".1", ".1");
        check(".4.2", ".4.2");
        check(".3[5=MR].1.1", ".3[5=MR].1.1");
    }

    #[test]
    fn section_5_other_notations_are_refused_with_the_right_spelling() {
        refuse("/.PID-3(1)-4-2", "Terser", Some("PID-3[2].4.2"));
        refuse("/.OBX(1)-5", "Terser", Some("OBX[2]-5"));
        refuse("/PATIENT/PID-5-1", "Terser", Some("PID-5.1"));
        refuse("PID-3(1)-4", "parentheses are Terser's repetitions, counted from 0", Some("PID-3[2].4"));
        refuse("PID-3-1", "Terser", Some("PID-3.1"));
        refuse("PID-3-1-2", "Terser", Some("PID-3.1.2"));
        refuse("msg['PID']['PID.3'][1]", "Mirth", Some("PID-3[2]"));
        refuse("msg['PID']['PID.3'][0]['PID.3.1'].toString()", "Mirth", Some("PID-3[1].1"));
        refuse("PID:3(2).4.2", "IRIS", Some("PID-3[2].4.2"));
        refuse("PID:PatientName", "IRIS", None);
        refuse("PID.F3.R2.C4.S2", "python-hl7", Some("PID-3[2].4.2"));
        refuse("PID.F3", "python-hl7", Some("PID-3"));
    }

    #[test]
    fn paths_that_nothing_can_have_are_refused() {
        refuse("PID-0", "counted from 1", None);
        refuse("PID-3[0].1", "counted from 1", Some("PID-3[1].1"));
        refuse("PID-3.0", "counted from 1", None);
        refuse("PID-3.4.2.1", "nothing below a subcomponent", Some("PID-3.4.2"));
        refuse("MSH-2.1", "MSH-2", Some("MSH-2"));
        refuse("MSH-1[2]", "MSH-1", Some("MSH-1"));
        refuse("pid-3.1", "capitals", Some("PID-3.1"));
        refuse("PID-", "field number", None);
        refuse("PID-x", "field number", None);
        refuse("PID-3[5=MR", "`]` is missing", None);
        refuse("PID-3[].1", "number, `*` or", None);
        refuse("PID-3[5=].1", "value", None);
        refuse("PID-3[5=\"MR].1", "quote", None);
        refuse("PID-3 .1", "after the path", None);
        refuse("PID-99999", "too large", None);
        refuse("PIDX-3", "three", None);
        refuse("1ID-3", "three", None);
        refuse(".", "number", None);
        refuse(".x", "number", None);
        refuse("", "three", None);
    }

    #[test]
    fn a_path_ends_where_the_expression_goes_on() {
        let check = |text: &str, path: &str| assert_eq!(&text[..Hl7v2.path_length(text)], path, "{text}");
        check("PID-3.1 == \"x\"", "PID-3.1");
        check("PID-3|lower", "PID-3");
        check("ORC-5) or", "ORC-5");
        check("ORC-1==\"SC\"", "ORC-1");
        check("PID-3[5=\"a]b\"].1 | trim", "PID-3[5=\"a]b\"].1");
        check("OBX[3.2=Study Instance UID]-5 or", "OBX[3.2=Study Instance UID]-5");
        check("PID-3(1)-4 or", "PID-3(1)-4");
        check("/.PID-3(1)-4-2 or", "/.PID-3(1)-4-2");
        check("msg['PID']['PID.3'][1] or", "msg['PID']['PID.3'][1]");
        check(".4.2}", ".4.2");
        check("PID-3[5=MR", "PID-3[5=MR");
        check(" PID-3", "");
    }

    #[test]
    fn other_words_of_the_mapping_language_are_no_paths() {
        for word in ["lower", "v2-0203", "first", "SCT", "DCM", "loinc", "acr-2024", "\"PID-3\"", "", "12", "or"] {
            assert!(!Hl7v2.looks_like_path(word), "{word}");
        }
        for path in ["PID-3", "ZDS", "pid-3", ".1", "/.PID-3", "msg['PID']", "PID:3", "PID.F3", "PID-", "PIDX-3"] {
            assert!(Hl7v2.looks_like_path(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Hl7v2.path(&text);
            let _ = Hl7v2.looks_like_path(&text);
            prop_assert!(text.get(..Hl7v2.path_length(&text)).is_some());
        }

        #[test]
        fn near_paths_do_not_panic_and_what_is_read_reads_back(text in "[PIDOBXmsg/.:F0-9()\\[\\]='\"*~é-]{0,16}") {
            match Hl7v2.path(&text) {
                Ok(path) => prop_assert_eq!(Hl7v2.path(path.text()), Ok(path)),
                Err(error) => prop_assert!(text.get(error.span).is_some()),
            }
            prop_assert!(text.get(..Hl7v2.path_length(&text)).is_some());
        }
    }
}
