//! Spells what became of a message as an acknowledgement. HL7 v2 reference, section 3.
//!
//! The answer is in the sender's own separators, version and character set, and MSA-2 is MSH-10 byte for byte. Controls are
//! taken out of all that is echoed: a `0x1C` in an answer would break the sender's framing.
//!
//! Bytes in, bytes out: knows no socket and no clock. Never writes the value of a field other than MSH's own.

mod finding;
mod write;

use fhircast_gateway_adapter_api::Outcome;
use jiff::Timestamp;

use crate::admission;
use crate::header::Header;
use crate::oddity::Oddity;
use crate::refusal::Reason;
use crate::settings::{AckMode, Code, Settings};
use finding::Finding;

/// What the sender is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// This acknowledgement, of which `code` is the meaning whatever the mode.
    Acknowledge { code: Code, payload: Vec<u8>, oddity: Option<Oddity> },
    /// Nothing: it asked for no answer.
    Nothing,
    /// Nothing, and the connection is to be closed, since nothing was kept.
    Close,
}

/// What makes one answer different from the next.
pub(crate) struct Stamp {
    pub(crate) now: Timestamp,
    /// MSH-10 of the answer.
    pub(crate) control_id: String,
}

/// The answer to a message that the gateway was asked about.
pub(crate) fn to_outcome(payload: &[u8], outcome: &Outcome, settings: &Settings, stamp: &Stamp) -> Reply {
    match finding::of_outcome(outcome, &settings.answer) {
        Some(finding) => reply(payload, &finding, settings, stamp),
        None => Reply::Close,
    }
}

/// The answer to a payload that the gateway never sees.
pub(crate) fn to_refusal(payload: &[u8], reason: Reason, settings: &Settings, stamp: &Stamp) -> Reply {
    reply(payload, &finding::of_refusal(reason), settings, stamp)
}

fn reply(payload: &[u8], finding: &Finding<'_>, settings: &Settings, stamp: &Stamp) -> Reply {
    let header = Header::read(admission::answered(payload));
    let spelling =
        header.as_ref().map_or(Spelling::plain(finding.code), |header| spell(finding.code, header, settings.ack_mode));
    let Spelling { word: Some(word), oddity } = spelling else { return Reply::Nothing };
    let payload = write::acknowledgement(header.as_ref(), word, finding, &settings.application, stamp);
    Reply::Acknowledge { code: finding.code, payload, oddity }
}

/// MSA-1, or nothing to be said at all.
struct Spelling {
    word: Option<&'static str>,
    oddity: Option<Oddity>,
}

impl Spelling {
    fn plain(code: Code) -> Self {
        Self { word: Some(application(code)), oddity: None }
    }
}

/// MSA-1 by MSH-15 and MSH-16, section 3.3: one answer serves as both, for it is given once all is done.
fn spell(code: Code, header: &Header<'_>, mode: AckMode) -> Spelling {
    let (accept, application_condition) = (header.field(15), header.field(16));
    if mode == AckMode::Original || (accept.is_empty() && application_condition.is_empty()) {
        return Spelling::plain(code);
    }
    let word = match (accept, code) {
        (b"NE", _) if application_condition == b"NE" => None,
        (b"AL", _) | (b"ER", Code::AE | Code::AR) | (b"SU", Code::AA) => Some(commit(code)),
        _ => Some(application(code)),
    };
    let known = matches!(accept, b"" | b"NE" | b"AL" | b"ER" | b"SU");
    Spelling { word, oddity: (!known).then_some(Oddity::AcceptConditionUnknown) }
}

fn application(code: Code) -> &'static str {
    match code {
        Code::AA => "AA",
        Code::AE => "AE",
        Code::AR => "AR",
    }
}

fn commit(code: Code) -> &'static str {
    match code {
        Code::AA => "CA",
        Code::AE => "CE",
        Code::AR => "CR",
    }
}

#[cfg(test)]
mod tests;
