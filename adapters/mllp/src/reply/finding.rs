//! What an outcome or a refusal amounts to: a code, an error of table 0357, and where the fault is. HL7 v2 reference,
//! sections 2.2 and 3.2.

use std::borrow::Cow;

use fhircast_gateway_adapter_api::{Fault, Outcome, Path, Rejection};

use crate::charset::CharsetError;
use crate::path::{FieldPath, FieldStep, SegmentId, Selector};
use crate::refusal::Reason;
use crate::settings::{Answers, Code, Transient};

/// What the answer says.
pub(super) struct Finding<'o> {
    pub(super) code: Code,
    /// None with AA.
    pub(super) error: Option<Error<'o>>,
}

/// What the answer's ERR segment says.
pub(super) struct Error<'o> {
    pub(super) number: ErrorNumber,
    /// One sentence for the sender.
    pub(super) text: Cow<'o, str>,
    pub(super) location: Option<Location>,
    /// The path as the mapping spells it, which can say more than a location.
    pub(super) path: Option<&'o str>,
}

/// ERR-2: segment, its occurrence, field, repetition, component, subcomponent.
#[derive(Clone, Copy)]
pub(super) struct Location {
    pub(super) segment: SegmentId,
    /// Up to five numbers; what is left out is not said.
    pub(super) numbers: [Option<u16>; 5],
}

/// Table 0357, as far as it is used here.
#[derive(Clone, Copy)]
pub(super) enum ErrorNumber {
    SegmentSequence,
    RequiredFieldMissing,
    DataType,
    TableValueNotFound,
    UnsupportedMessageType,
    UnsupportedVersion,
    ApplicationInternal,
}

impl ErrorNumber {
    /// The code and its name in the table.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::TableValueNotFound => ("103", "Table value not found"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::ApplicationInternal => ("207", "Application internal error"),
        }
    }
}

/// What to say of an outcome; `None` for nothing at all.
pub(super) fn of_outcome<'o>(outcome: &'o Outcome, answers: &Answers) -> Option<Finding<'o>> {
    match outcome {
        Outcome::Accepted => Some(Finding { code: Code::AA, error: None }),
        Outcome::Ignored => {
            let text = "no mapping speaks for this kind of message";
            Some(finding(answers.ignored, ErrorNumber::UnsupportedMessageType, text))
        }
        Outcome::Rejected(rejection) => Some(of_rejection(rejection, answers)),
        Outcome::Unavailable { reason } => {
            let code = match answers.transient {
                Transient::Close => return None,
                Transient::AE => Code::AE,
                Transient::AR => Code::AR,
            };
            Some(finding(code, ErrorNumber::ApplicationInternal, reason.as_str()))
        }
    }
}

/// What to say of a payload that the gateway never sees.
pub(super) fn of_refusal(reason: Reason) -> Finding<'static> {
    let (code, number, field) = match reason {
        Reason::Empty | Reason::NoHeader => (Code::AR, ErrorNumber::SegmentSequence, None),
        Reason::Batch | Reason::Xml => (Code::AR, ErrorNumber::UnsupportedMessageType, None),
        Reason::KindMissing => (Code::AR, ErrorNumber::RequiredFieldMissing, Some(9)),
        Reason::ControlIdMissing => (Code::AR, ErrorNumber::RequiredFieldMissing, Some(10)),
        Reason::Separators(_) => (Code::AR, ErrorNumber::DataType, Some(2)),
        Reason::VersionUnknown => (Code::AR, ErrorNumber::UnsupportedVersion, Some(12)),
        Reason::TooLong => (Code::AR, ErrorNumber::ApplicationInternal, None),
        Reason::Charset(CharsetError::Mismatch) => (Code::AE, ErrorNumber::DataType, Some(18)),
        Reason::Charset(CharsetError::CannotTravel | CharsetError::Unknown) => {
            (Code::AE, ErrorNumber::TableValueNotFound, Some(18))
        }
    };
    let location = field.map(|field| Location { segment: *b"MSH", numbers: [Some(1), Some(field), None, None, None] });
    let error = Error { number, text: reason.to_string().into(), location, path: None };
    Finding { code, error: Some(error) }
}

fn of_rejection<'o>(rejection: &'o Rejection, answers: &Answers) -> Finding<'o> {
    let (code, number) = match rejection.fault {
        Fault::RequiredFieldMissing => (answers.rejected, ErrorNumber::RequiredFieldMissing),
        Fault::ValueUnreadable => (answers.rejected, ErrorNumber::DataType),
        Fault::CodeUnknown => (answers.rejected, ErrorNumber::TableValueNotFound),
        Fault::KindUnsupported => (answers.unsupported, ErrorNumber::UnsupportedMessageType),
        Fault::Internal => (answers.rejected, ErrorNumber::ApplicationInternal),
    };
    let mut finding = finding(code, number, rejection.reason.as_str());
    if let (Some(error), Some(path)) = (&mut finding.error, &rejection.field) {
        error.location = location(path);
        error.path = Some(path.text());
    }
    finding
}

/// A finding without a place. With AA there is no ERR: some senders take any ERR for a failure.
fn finding<'o>(code: Code, number: ErrorNumber, text: &'o str) -> Finding<'o> {
    let error = Error { number, text: text.into(), location: None, path: None };
    Finding { code, error: (code != Code::AA).then_some(error) }
}

/// Where a path points, as far as ERR-2 can say it.
fn location(path: &Path) -> Option<Location> {
    let FieldPath::Absolute { segment, which, field } = path.compiled()? else { return None };
    let occurrence = Some(number(which));
    let numbers = match field {
        None => [occurrence, None, None, None, None],
        Some(FieldStep { number: field, repetition: Selector::First, below: [None, None] }) => {
            [occurrence, Some(*field), None, None, None]
        }
        Some(FieldStep { number: field, repetition, below: [component, subcomponent] }) => {
            [occurrence, Some(*field), Some(number(repetition)), *component, *subcomponent]
        }
    };
    Some(Location { segment: *segment, numbers })
}

/// The number that is meant where ERR-2 has to have one.
fn number(selector: &Selector) -> u16 {
    if let Selector::Number(number) = selector { *number } else { 1 }
}
