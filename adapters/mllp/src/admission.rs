//! Decides what a payload is: a message for the gateway, something to answer here, or something to be silent about. HL7 v2
//! reference, sections 2.2 and 4.5.
//!
//! Bytes in, a decision out; the answer itself is made by `reply`.

use bytes::Bytes;

use crate::charset::Policy;
use crate::header::Header;
use crate::message::{Message, content};
use crate::oddity::Oddity;
use crate::refusal::Reason;
use crate::settings::Batch;

/// What a payload is.
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Admission {
    Message(Box<Message>),
    /// Several messages, each to be admitted by itself.
    Batch(Vec<Bytes>),
    /// To be answered here.
    Refused(Reason),
    /// To be dropped without an answer.
    Dropped(Oddity),
}

/// Decides what `payload` is.
pub(crate) fn admit(payload: Bytes, policy: Policy, batch: Batch) -> Admission {
    if matches!(payload[..], [0x06] | [0x15]) {
        return Admission::Dropped(Oddity::CommitByte);
    }
    if is_acknowledgement(&payload) {
        return Admission::Dropped(Oddity::AcknowledgementReceived);
    }
    match (is_batch(&payload), batch) {
        (true, Batch::Reject) => Admission::Refused(Reason::Batch),
        (true, Batch::Split) => Admission::Batch(split_batch(&payload)),
        (false, _) => match Message::read(payload, policy) {
            Ok(message) => Admission::Message(Box::new(message)),
            Err(refusal) => Admission::Refused(refusal.0),
        },
    }
}

/// The part of a payload whose MSH segment its answer echoes: all of it, or a batch's first message.
pub(crate) fn answered(payload: &[u8]) -> &[u8] {
    let content = content(payload);
    if !is_batch_header(content) {
        return content;
    }
    let message = lines(content).find(|(_, line)| Header::read(line).is_some());
    message.map_or(b"", |(start, _)| &content[start..])
}

/// An acknowledgement must never be answered: two gateways would talk for ever.
pub(crate) fn is_acknowledgement(payload: &[u8]) -> bool {
    let message = answered(payload);
    let Some(header) = Header::read(message) else { return false };
    let separator = message.get(3);
    let is_msa = |line: &[u8]| line.starts_with(b"MSA") && (line.len() == 3 || line.get(3) == separator);
    header.component(9, 1) == b"ACK" || lines(message).any(|(_, line)| is_msa(line))
}

fn is_batch(payload: &[u8]) -> bool {
    let content = content(payload);
    is_batch_header(content) || messages(content).nth(1).is_some()
}

fn is_batch_header(content: &[u8]) -> bool {
    matches!(content.get(..4), Some([b'F' | b'B', b'H', b'S', separator]) if separator.is_ascii_punctuation())
}

/// Each message from its MSH to the next MSH, or to the batch's own segments.
fn split_batch(payload: &Bytes) -> Vec<Bytes> {
    let content = content(payload);
    let starts: Vec<_> = messages(content).collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts.iter().zip(ends).map(|(start, end)| payload.slice_ref(without_trailers(&content[*start..end]))).collect()
}

/// A message without the batch segments that may follow it.
fn without_trailers(message: &[u8]) -> &[u8] {
    let is_trailer = |line: &[u8]| matches!(line, [b'F' | b'B', b'H' | b'T', b'S', ..]);
    lines(message).find(|(_, line)| is_trailer(line)).map_or(message, |(start, _)| &message[..start])
}

/// Where messages start.
fn messages(content: &[u8]) -> impl Iterator<Item = usize> {
    lines(content).filter(|(_, line)| Header::read(line).is_some()).map(|(start, _)| start)
}

/// The lines of a payload, with where each starts.
fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let ends = memchr::memchr2_iter(b'\r', b'\n', content).chain([content.len()]);
    ends.scan(0, |start, end| {
        let line = (*start, &content[*start..end]);
        *start = end + 1;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "MSH|^~\\&|A|||||1|ORM^O01|1|P|2.3\rPID|1\r";

    fn decide(text: &str, batch: Batch) -> String {
        match admit(Bytes::copy_from_slice(text.as_bytes()), Policy::default(), batch) {
            Admission::Message(message) => format!("message {}", message.control_id()),
            Admission::Batch(messages) => format!("batch of {}", messages.len()),
            Admission::Refused(reason) => reason.to_string(),
            Admission::Dropped(oddity) => oddity.name().to_owned(),
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(decide(text, Batch::Reject), expected, "{text:?}");
    }

    #[test]
    fn section_2_2_a_payload_is_a_message_or_has_a_reason() {
        check(MESSAGE, "message 1");
        check(&format!("\u{feff}{MESSAGE}"), "message 1");
        check(&format!("\r\n {MESSAGE}"), "message 1");
        check("\x06", "commit_byte");
        check("\x15", "commit_byte");
        check("", "the frame is empty");
        check("MSH|^~\\&|A|||||1|ACK^O01|1|P|2.3", "acknowledgement_received");
        check("MSH|^~\\&|A|||||1|ACK||P|9.9", "acknowledgement_received");
        check("MSH|^^\\&|A|||||1|ACK|", "acknowledgement_received");
        check("MSH|^~\\&|A|||||1|RSP^K11|1|P|2.5\rMSA|AA|7", "acknowledgement_received");
        check("MSH|^~\\&|A|||||1|ORM^O01|1|P|2.3\rMSAX|AA", "message 1");
    }

    #[test]
    fn section_4_5_batches_are_refused_or_split() {
        let batches = [
            format!("{MESSAGE}{MESSAGE}"),
            format!("FHS|^~\\&|A\rBHS|^~\\&|A\r{MESSAGE}{MESSAGE}BTS|2\rFTS|1\r"),
            format!("BHS|^~\\&|A\n{0}\n{0}\nBTS|2", MESSAGE.replace('\r', "\n")),
        ];
        for batch in &batches {
            check(batch, "batches are not accepted here; send one message a frame");
            assert_eq!(decide(batch, Batch::Split), "batch of 2");
            assert!(answered(batch.as_bytes()).starts_with(b"MSH|"));
        }
        assert_eq!(decide("FHS|^~\\&|A\rFTS|0", Batch::Split), "batch of 0");
        let Admission::Batch(messages) = admit(Bytes::from(batches[1].clone()), Policy::default(), Batch::Split) else {
            panic!("it is a batch");
        };
        assert_eq!(messages, [MESSAGE, MESSAGE]);
    }
}
