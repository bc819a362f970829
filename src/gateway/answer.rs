//! How a message was answered, as it is kept for its resend.

use fhircast_gateway_adapter_api::{Fault, Outcome, Rejection};
use serde::{Deserialize, Serialize};

use crate::adapters::GRAMMARS;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Accepted,
    Ignored,
    Rejected { fault: String, reason: String, field: Option<String> },
}

const FAULTS: [(Fault, &str); 5] = [
    (Fault::RequiredFieldMissing, "required-field-missing"),
    (Fault::ValueUnreadable, "value-unreadable"),
    (Fault::CodeUnknown, "code-unknown"),
    (Fault::KindUnsupported, "kind-unsupported"),
    (Fault::Internal, "internal"),
];

/// The answer in JSON; `None` for one that must not be given again, as nothing was kept.
pub(super) fn write(outcome: &Outcome) -> Option<String> {
    let answer = match outcome {
        Outcome::Accepted => Answer::Accepted,
        Outcome::Ignored => Answer::Ignored,
        Outcome::Rejected(Rejection { fault, reason, field }) => Answer::Rejected {
            fault: FAULTS.iter().find(|(known, _)| known == fault).map_or("internal", |(_, name)| name).to_owned(),
            reason: reason.clone(),
            field: field.as_ref().map(|path| path.text().to_owned()),
        },
        Outcome::Unavailable { .. } => return None,
    };
    serde_json::to_string(&answer).ok()
}

/// The answer that `text` was written from, to a message of `protocol`.
pub(super) fn read(text: &str, protocol: &str) -> Outcome {
    match serde_json::from_str(text) {
        Ok(Answer::Accepted) => Outcome::Accepted,
        Ok(Answer::Ignored) => Outcome::Ignored,
        Ok(Answer::Rejected { fault, reason, field }) => {
            let fault = FAULTS.iter().find(|(_, name)| *name == fault).map_or(Fault::Internal, |(fault, _)| *fault);
            let grammar = GRAMMARS.iter().find(|grammar| grammar.protocol() == protocol);
            let field = field.zip(grammar).and_then(|(field, grammar)| grammar.path(&field).ok());
            Outcome::Rejected(Rejection { fault, reason, field })
        }
        // Another release's: it was taken, whatever it was called.
        Err(_) => Outcome::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let field = GRAMMARS[0].path("PID-3").ok();
        let rejected =
            |fault| Outcome::Rejected(Rejection { fault, reason: "PID-3 is empty".into(), field: field.clone() });
        let outcomes = FAULTS.iter().map(|(fault, _)| rejected(*fault)).chain([Outcome::Accepted, Outcome::Ignored]);
        for outcome in outcomes {
            assert_eq!(read(&write(&outcome).unwrap(), "hl7v2"), outcome);
        }
        assert_eq!(write(&Outcome::Unavailable { reason: "full".into() }), None);
    }
}
