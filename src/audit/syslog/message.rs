//! A line of the audit log as a syslog message (RFC 5424), and as a frame of a stream (RFC 6587, 3.4.1; RFC 5425, 4.3).

use jiff::Timestamp;
use serde_json::Value;

use super::dicom;
use super::settings::Content;

/// Facility 10, security and authorisation; severity 5, notice: as IHE ITI-20 has it.
const PRIORITY: u8 = 10 * 8 + 5;

const APPLICATION: &str = "fhircast-gateway";

/// Marks what follows as UTF-8 (RFC 5424, 6.4).
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Who sends: this machine and this process.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// The machine's name, or `-` where it has none that RFC 5424 takes.
    host: String,
    process: u32,
}

/// A line that is no audit event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Sender {
    pub(super) fn new(host: &str, process: u32) -> Self {
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, process }
    }

    /// The syslog message of a line.
    ///
    /// # Errors
    /// When the line is no audit event.
    pub(super) fn message(&self, line: &str, content: Content) -> Result<String, Unreadable> {
        let event: Value = serde_json::from_str(line).map_err(|_| Unreadable)?;
        let recorded = event["recorded"].as_str().and_then(|recorded| recorded.parse::<Timestamp>().ok());
        let recorded = recorded.ok_or(Unreadable)?;
        let (kind, body) = match content {
            Content::Dicom => ("IHE+RFC-3881", dicom::message(&event, &self.host)),
            Content::Fhir => ("AuditEvent", line.to_owned()),
        };
        let Self { host, process } = self;
        Ok(format!("<{PRIORITY}>1 {recorded:.6} {host} {APPLICATION} {process} {kind} - {BYTE_ORDER_MARK}{body}"))
    }
}

/// The message as a stream carries it.
pub(super) fn framed(message: &str, stream: &mut Vec<u8>) {
    stream.extend_from_slice(format!("{} ", message.len()).as_bytes());
    stream.extend_from_slice(message.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"resourceType":"AuditEvent","recorded":"2026-11-22T08:15:30.123456789Z","outcome":"0"}"#;

    #[test]
    fn a_message_has_the_head_that_rfc_5424_and_ihe_ask_for_and_a_time_of_six_digits() {
        let sender = Sender::new("gate way\u{e9}", 42);
        let message = sender.message(LINE, Content::Fhir).unwrap();
        let head = "<85>1 2026-11-22T08:15:30.123456Z gateway fhircast-gateway 42 AuditEvent - \u{feff}";
        assert_eq!(message, format!("{head}{LINE}"));
        let message = Sender::new("", 42).message(LINE, Content::Dicom).unwrap();
        assert!(message.contains("Z - fhircast-gateway 42 IHE+RFC-3881 - \u{feff}<?xml"), "{message}");
    }

    #[test]
    fn a_frame_counts_octets_and_not_characters() {
        let mut stream = Vec::new();
        framed("é", &mut stream);
        framed("ab", &mut stream);
        assert_eq!(stream, "2 é2 ab".as_bytes());
    }

    #[test]
    fn what_is_no_audit_event_is_not_sent() {
        for line in ["", "{}", "[1]", r#"{"recorded":"yesterday"}"#] {
            assert_eq!(Sender::new("h", 1).message(line, Content::Fhir), Err(Unreadable), "{line}");
        }
    }
}
