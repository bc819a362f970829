//! What a receiver said, and whether it said it of our message. HL7 v2 reference, section 2.6.
//!
//! Looks at MSA, and for a text also at ERR. An acknowledgement's own MSH-9 and MSH-10 say nothing: peers fill them oddly.

use std::time::Duration;

use bytes::Bytes;

use crate::header::Header;
use crate::message::content;

/// What a receiver said of a message.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// The acknowledgement as received, without its block characters.
    pub bytes: Bytes,
    /// MSA-1: `AA`, `AE`, `AR`, `CA`, `CE`, `CR`, or whatever stands there.
    pub code: String,
    /// MSA-3, else ERR-8 of the first ERR that has one, escapes and all.
    pub text: Option<String>,
    /// From the first byte sent to the last one received.
    pub elapsed: Duration,
}

impl Acknowledgement {
    /// Whether the receiver has taken the message: AA or CA.
    pub fn is_positive(&self) -> bool {
        matches!(self.code.as_str(), "AA" | "CA")
    }
}

/// The message that an acknowledgement must be of.
pub(super) struct Expected<'p> {
    control_id: &'p [u8],
    component: Option<u8>,
    lenient: bool,
}

impl<'p> Expected<'p> {
    /// Expects an acknowledgement of `payload`; if `lenient`, also one that does not say of what.
    pub(super) fn of(payload: &'p [u8], lenient: bool) -> Self {
        let header = Header::read(content(payload)).unwrap_or_default();
        let component = header.separators().ok().and_then(|separators| separators.component);
        Self { control_id: header.field(10), component, lenient }
    }

    /// Reads an acknowledgement; `None` if it is none, or one of another message.
    pub(super) fn read(&self, bytes: &Bytes) -> Option<Acknowledgement> {
        let message = content(bytes);
        let separator = *message.get(3).filter(|_| message.starts_with(b"MSH"))?;
        let segment = |id: &'static [u8]| {
            let lines = message.split(|byte| matches!(byte, b'\r' | b'\n'));
            lines.filter(move |line| line.starts_with(id)).map(move |line| Fields { line, separator })
        };
        let msa = segment(b"MSA").next()?;
        if !self.is_ours(msa.field(2)) {
            return None;
        }
        let texts = [msa.field(3)].into_iter().chain(segment(b"ERR").map(|err| err.field(8)));
        let text = texts.map(|text| String::from_utf8_lossy(text).into_owned()).find(|text| !text.is_empty());
        let code = String::from_utf8_lossy(msa.field(1)).into_owned();
        Some(Acknowledgement { bytes: bytes.clone(), code, text, elapsed: Duration::ZERO })
    }

    /// Exact, else trimmed, else up to the first component separator: that is what receivers leave of a control id.
    fn is_ours(&self, control_id: &[u8]) -> bool {
        let first = self.control_id.split(|byte| Some(*byte) == self.component).next().unwrap_or_default();
        match control_id {
            b"" => self.control_id.is_empty() || self.lenient,
            id => {
                id == self.control_id
                    || [self.control_id, first].iter().any(|ours| ours.trim_ascii() == id.trim_ascii())
            }
        }
    }
}

struct Fields<'m> {
    line: &'m [u8],
    separator: u8,
}

impl<'m> Fields<'m> {
    fn field(&self, number: usize) -> &'m [u8] {
        self.line.split(|byte| *byte == self.separator).nth(number).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(control_id: &str, answer: &str, lenient: bool, expected: Option<(&str, Option<&str>)>) {
        let payload = format!("MSH|^~\\&|GW|||||1|ORM^O01|{control_id}|P|2.3");
        let bytes = Bytes::copy_from_slice(answer.as_bytes());
        let found = Expected::of(payload.as_bytes(), lenient).read(&bytes);
        let found = found.as_ref().map(|found| (found.code.as_str(), found.text.as_deref()));
        assert_eq!(found, expected, "{control_id:?} {answer:?}");
    }

    #[test]
    fn section_2_6_an_acknowledgement_is_matched_by_msa_2() {
        check("42", "MSH|^~\\&|\rMSA|AA|42", false, Some(("AA", None)));
        check("42", "MSH|^~\\&|\nMSA|AE|42|no\n", false, Some(("AE", Some("no"))));
        check("42", "MSH$^~\\&$\rMSA$CR$42\rERR$$$$$$$$why", false, Some(("CR", Some("why"))));
        check(" 42 ", "MSH|^~\\&|\rMSA|AA|42", false, Some(("AA", None)));
        check("A\\T\\B^C", "MSH|^~\\&|\rMSA|AA|A\\T\\B", false, Some(("AA", None)));
        check("42", "MSH|^~\\&|\rMSA|AA|43", false, None);
        check("42", "MSH|^~\\&|\rMSA|AA", false, None);
        check("42", "MSH|^~\\&|\rMSA|AA", true, Some(("AA", None)));
        check("42", "MSH|^~\\&|\rPID|1", true, None);
        check("42", "junk", true, None);
        check("", "MSH|^~\\&|\rMSA|AR||no", false, Some(("AR", Some("no"))));
    }
}
