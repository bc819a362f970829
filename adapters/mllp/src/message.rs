//! One message: an index over the bytes as received, from which fields are read when somebody asks. HL7 v2 reference,
//! section 4.
//!
//! [`Message::read`] makes one pass that notes where each segment stands, and nothing more; splitting, decoding and
//! unescaping happen to the values that are read, and borrow where they can.
//!
//! Knows no mapping: a path finds a value or it does not. Never panics, whatever the bytes.

mod index;
mod part;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use fhircast_gateway_adapter_api::{Fields, Inbound, Path, Value};

use crate::charset::{self, Policy};
use crate::escape::unescape;
use crate::header::{Header, Version};
use crate::oddity::Oddity;
use crate::refusal::{Reason, Refusal};
use crate::separators::Separators;
use index::Index;
use part::Part;

/// An HL7 v2 message in its usual encoding (ER7).
pub struct Message {
    raw: Bytes,
    /// What `index` points into: `raw`, or its transcription where separators could not be told from text.
    text: Bytes,
    index: Index,
    separators: Separators,
    /// What `text` is in.
    indexed: &'static Encoding,
    /// What the message is in.
    charset: &'static Encoding,
    oddities: Vec<Oddity>,
    unknown_escapes: AtomicU32,
}

/// Never its text: it names patients.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message([phi], {} bytes)", self.raw().len())
    }
}

impl Message {
    /// Reads a payload as one message.
    ///
    /// # Errors
    /// The payload is not HL7 v2, or its MSH lacks what is needed to answer it.
    pub fn read(raw: Bytes, policy: Policy) -> Result<Self, Refusal> {
        let content = content(&raw);
        let marked = raw.starts_with(BYTE_ORDER_MARK);
        let header = Header::read(content).ok_or_else(|| no_header(content))?;
        let separators = check(&header)?;
        let charset = if marked {
            charset::Charset { encoding: UTF_8, oddity: Some(Oddity::ByteOrderMark) }
        } else {
            charset::choose(header.field(18), content, policy).map_err(Reason::from)?
        };
        let mut oddities: Vec<_> = charset.oddity.into_iter().collect();
        oddities.extend((header.version() == Version::Missing).then_some(Oddity::VersionMissing));
        let (text, indexed) = if charset.splits_safely() {
            (raw.slice_ref(content), charset.encoding)
        } else {
            let (text, replaced) = charset.encoding.decode_without_bom_handling(content);
            oddities.extend(replaced.then_some(Oddity::CharsetMismatch));
            (Bytes::from(text.into_owned()), UTF_8)
        };
        let index = Index::new(&text, separators.field).ok_or(Reason::TooLong)?;
        oddities.extend(index.has_stray_lines().then_some(Oddity::StrayLine));
        let (charset, unknown_escapes) = (charset.encoding, AtomicU32::new(0));
        Ok(Self { raw, text, index, separators, indexed, charset, oddities, unknown_escapes })
    }

    /// The payload as received.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The whole message as text, in the character set it is in; escapes stay.
    pub fn decoded(&self) -> String {
        self.decode_lossy(content(&self.raw))
    }

    /// MSH-9 as `ORM^O01`, or `ORM` where there is no trigger event.
    pub fn kind(&self) -> String {
        let header = self.header();
        let [code, event] = [1, 2].map(|component| self.decode_lossy(header.component(9, component)));
        if event.is_empty() { code } else { format!("{code}^{event}") }
    }

    /// MSH-3 and MSH-4 as received, with a bar between them: with the control id it names the message.
    pub fn sender(&self) -> String {
        let header = self.header();
        format!("{}|{}", self.decode_lossy(header.field(3)), self.decode_lossy(header.field(4)))
    }

    /// MSH-10 as received.
    pub fn control_id(&self) -> String {
        self.decode_lossy(self.header().field(10))
    }

    /// What the gateway's sink takes, from the adapter called `source`.
    pub fn inbound(self: &Arc<Self>, source: &Arc<str>) -> Inbound {
        Inbound {
            source: Arc::clone(source),
            sender: self.sender(),
            control_id: self.control_id(),
            kind: self.kind(),
            fields: Arc::clone(self) as Arc<dyn Fields>,
            raw: self.raw.clone(),
        }
    }

    /// What was odd about it and yet taken, including what reading values has brought to light so far.
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        let unknown_escapes = self.unknown_escapes.load(Ordering::Relaxed) > 0;
        self.oddities.iter().copied().chain(unknown_escapes.then_some(Oddity::EscapeUnknown))
    }

    /// The value that these bytes of `text` spell.
    fn value<'m>(&'m self, bytes: &'m [u8]) -> Value<'m> {
        self.value_of(bytes, &self.separators)
    }

    fn value_of<'m>(&'m self, bytes: &'m [u8], separators: &Separators) -> Value<'m> {
        if bytes.is_empty() {
            return Value::Absent;
        }
        let value = unescape(bytes, self.indexed, self.charset, separators);
        if value.unknown > 0 {
            self.unknown_escapes.fetch_add(value.unknown, Ordering::Relaxed);
        }
        if value.text.is_empty() { Value::Absent } else { Value::Text(value.text) }
    }

    fn header(&self) -> Header<'_> {
        Header::read(content(&self.raw)).unwrap_or_default()
    }

    fn decode_lossy(&self, bytes: &[u8]) -> String {
        self.charset.decode_without_bom_handling(bytes).0.into_owned()
    }
}

impl Fields for Message {
    fn first<'m>(&'m self, path: &Path) -> Value<'m> {
        Part::whole(self).value_at(path)
    }

    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        Part::whole(self).values_at(path)
    }

    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        Part::whole(self).parts_at(path)
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A payload without what may stand before MSH.
pub(crate) fn content(payload: &[u8]) -> &[u8] {
    payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload).trim_ascii_start()
}

fn no_header(content: &[u8]) -> Reason {
    match content.first() {
        None => Reason::Empty,
        Some(b'<') => Reason::Xml,
        Some(_) => Reason::NoHeader,
    }
}

/// What a message must have in order to be answered and mapped.
fn check(header: &Header<'_>) -> Result<Separators, Reason> {
    let separators = header.separators()?;
    if header.component(9, 1).trim_ascii().is_empty() {
        return Err(Reason::KindMissing);
    }
    if header.field(10).trim_ascii().is_empty() {
        return Err(Reason::ControlIdMissing);
    }
    if header.version() == Version::Unknown {
        return Err(Reason::VersionUnknown);
    }
    Ok(separators)
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
