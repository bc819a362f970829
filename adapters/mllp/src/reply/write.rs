//! Writes an acknowledgement, field by field. HL7 v2 reference, section 3.1.

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Stamp;
use super::finding::{Error, Finding, Location};
use crate::charset;
use crate::escape::escape;
use crate::header::{Header, Version};
use crate::separators::Separators;

/// The acknowledgement to the message of `header`, or to bytes without a readable one.
pub(super) fn acknowledgement(
    header: Option<&Header<'_>>,
    word: &str,
    finding: &Finding<'_>,
    application: &str,
    stamp: &Stamp,
) -> Vec<u8> {
    let nothing = Header::default();
    let inbound = header.unwrap_or(&nothing);
    let mut writer = Writer::new(inbound);
    let application = if header.is_some() { application } else { "" };
    writer.msh(application, stamp);
    writer.msa(word, finding);
    if let Some(error) = &finding.error {
        writer.err(error);
    }
    writer.out
}

/// MSA-3 is no longer than this (2.1 to 2.7).
const LONGEST_TEXT: usize = 80;
/// The version of answers to messages that name none.
const ASSUMED_VERSION: &[u8] = b"2.5.1";

struct Writer<'h> {
    inbound: &'h Header<'h>,
    version: Version,
    separators: Separators,
    /// MSH-2 of the answer.
    encoding_characters: &'h [u8],
    /// None where only ASCII is sure to be understood.
    encoding: Option<&'static Encoding>,
    out: Vec<u8>,
}

impl<'h> Writer<'h> {
    fn new(inbound: &'h Header<'h>) -> Self {
        let (separators, encoding_characters) = match inbound.separators() {
            Ok(separators) => (separators, inbound.field(2)),
            Err(_) => (Separators::STANDARD, b"^~\\&".as_slice()),
        };
        let (version, encoding) = (inbound.version(), charset::declared_encoding(inbound.field(18)));
        Self { inbound, version, separators, encoding_characters, encoding, out: Vec::with_capacity(256) }
    }

    fn msh(&mut self, application: &str, stamp: &Stamp) {
        let inbound = self.inbound;
        self.out.extend_from_slice(b"MSH");
        self.field(self.encoding_characters);
        match inbound.field(5) {
            b"" => self.text(application),
            receiver => self.echo(receiver),
        }
        [6, 3, 4].into_iter().for_each(|number| self.echo(inbound.field(number)));
        self.field(time(stamp.now).as_bytes());
        self.field(b"");
        self.message_type();
        self.field(stamp.control_id.as_bytes());
        self.echo(if inbound.field(11).is_empty() { b"P" } else { inbound.field(11) });
        self.echo(if self.version == Version::Missing { ASSUMED_VERSION } else { inbound.component(12, 1) });
        if !inbound.field(18).is_empty() {
            (13..18).for_each(|_| self.field(b""));
            self.echo(inbound.field(18));
        }
        self.end();
    }

    /// `ACK^O01^ACK`: the trigger event of the message, and from 2.3.1 on the structure.
    fn message_type(&mut self) {
        let event = self.inbound.component(9, 2);
        self.field(b"ACK");
        let Some(component) = self.separators.component.filter(|_| !event.is_empty()) else { return };
        self.out.push(component);
        self.push_echo(event);
        if self.version.has(3, 1) {
            self.out.push(component);
            self.out.extend_from_slice(b"ACK");
        }
    }

    fn msa(&mut self, word: &str, finding: &Finding<'_>) {
        self.out.extend_from_slice(b"MSA");
        self.field(word.as_bytes());
        self.echo(self.inbound.field(10));
        if let Some(error) = &finding.error {
            let cut = error.text.char_indices().nth(LONGEST_TEXT).map_or(error.text.len(), |(at, _)| at);
            self.text(&error.text[..cut]);
        }
        self.end();
    }

    fn err(&mut self, error: &Error<'_>) {
        self.out.extend_from_slice(b"ERR");
        let (number, name) = error.number.words();
        if self.version.has(5, 0) {
            self.field(b"");
            self.field(b"");
            self.push_location(error.location);
            self.field(b"");
            self.push_joined(self.separators.component, &[number, name, TABLE]);
            self.field(b"E");
            [b"", b""].into_iter().for_each(|empty| self.field(empty));
            self.text(error.path.unwrap_or_default());
            self.text(&error.text);
        } else {
            self.field(b"");
            self.push_old_location(error.location);
            self.push_joined(self.separators.subcomponent, &[number, name, TABLE]);
        }
        self.end();
    }

    /// ERR-2: all that can be said of the place.
    fn push_location(&mut self, location: Option<Location>) {
        let Some(Location { segment, numbers }) = location else { return };
        self.out.extend_from_slice(&segment);
        let Some(component) = self.separators.component else { return };
        let said = numbers.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        for number in &numbers[..said] {
            self.out.push(component);
            self.out.extend(number.map(|number| number.to_string()).unwrap_or_default().into_bytes());
        }
    }

    /// The first three components of ERR-1, each with its separator: segment, occurrence, field.
    fn push_old_location(&mut self, location: Option<Location>) {
        let Some(component) = self.separators.component else { return };
        let segment = location.map(|location| location.segment);
        let [occurrence, field, ..] = location.map_or([None; 5], |location| location.numbers);
        self.out.extend(segment.unwrap_or_default().into_iter().filter(|byte| *byte != 0));
        for number in [occurrence, field] {
            self.out.push(component);
            self.out.extend(number.map(|number| number.to_string()).unwrap_or_default().into_bytes());
        }
        self.out.push(component);
    }

    /// The words with the separator between them; the first alone where the sender does not use that separator.
    fn push_joined(&mut self, separator: Option<u8>, words: &[&str]) {
        for (at, word) in words.iter().enumerate() {
            match (at, separator) {
                (0, _) => {}
                (_, Some(separator)) => self.out.push(separator),
                (_, None) => return,
            }
            self.out.extend_from_slice(word.as_bytes());
        }
    }

    /// A further field that holds nothing to be escaped.
    fn field(&mut self, bytes: &[u8]) {
        self.out.push(self.separators.field);
        self.out.extend_from_slice(bytes);
    }

    /// A further field of our own words.
    fn text(&mut self, text: &str) {
        let escaped = escape(text, &self.separators);
        let bytes = encode(&escaped, self.encoding);
        self.field(&bytes);
    }

    /// A further field of the sender's own bytes.
    fn echo(&mut self, bytes: &[u8]) {
        self.out.push(self.separators.field);
        self.push_echo(bytes);
    }

    /// The sender's bytes without controls, and without what would be a separator where its own could not be used.
    fn push_echo(&mut self, bytes: &[u8]) {
        let shifts = self.encoding == Some(ISO_2022_JP);
        let keep = |byte: &u8| (*byte >= b' ' || (*byte == ESCAPE && shifts)) && *byte != self.separators.field;
        self.out.extend(bytes.iter().copied().filter(keep));
    }

    fn end(&mut self) {
        self.out.push(b'\r');
    }
}

/// The table that error numbers come from.
const TABLE: &str = "HL70357";
/// Switches character sets in ISO 2022.
const ESCAPE: u8 = 0x1B;

/// `20260101120000.000+0000`.
fn time(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S%.3f%z").to_string()
}

/// The text in the sender's character set, with `?` for what that cannot say.
fn encode(text: &str, encoding: Option<&'static Encoding>) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    let (bytes, _, lossy) = encoding.unwrap_or(UTF_8).encode(text);
    if encoding.is_some() && !lossy {
        return bytes.into_owned();
    }
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect::<String>().into_bytes()
}
