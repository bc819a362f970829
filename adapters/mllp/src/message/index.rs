//! Where each segment of a message stands, and which order and which patient it belongs to. HL7 v2 reference, sections 4.1,
//! 4.2 and 6.3.
//!
//! One pass finds the segments and where their fields are separated: a mapping asks for dozens of fields, and each is then
//! found at once. Looks at nothing inside a field.

use std::ops::Range;

use crate::path::{SegmentId, is_segment_id};

/// The segments of one message, in order.
#[derive(Debug)]
pub(super) struct Index {
    segments: Vec<Segment>,
    /// Where the field separators of all lines stand, in order.
    separators: Vec<u32>,
    /// Where paths start that say nothing else.
    scope: Scope,
    several_patients: bool,
    stray_lines: bool,
}

/// One segment: bytes `start..end` of the message's text, without the segment's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Its field separators: these of the index's `separators`.
    separators: (u32, u32),
    /// The order that it belongs to, counted from 1; 0 outside of orders.
    order: u32,
    /// The patient that it belongs to, counted from 1; 0 before the first PID.
    patient: u32,
}

/// The order and the patient whose segments a path reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    order: u32,
    patient: u32,
    /// Whether `OBX[2]` and `OBX[*]` count over the whole message.
    pub(super) counts_all: bool,
}

/// Matches no segment: the order of a patient without orders.
const NO_ORDER: u32 = u32::MAX;

impl Index {
    /// Indexes `text`; `None` if it is too long for that (4 GiB).
    pub(super) fn new(text: &[u8], separator: u8) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        // A field in eight bytes is what real messages come to; a guess too small costs a copy, one too large some memory.
        let mut walk = Walk { separators: Vec::with_capacity(text.len() / 8), ..Walk::default() };
        let mut start = 0;
        for at in memchr::memchr3_iter(b'\r', b'\n', separator, text).chain([text.len()]) {
            if text.get(at) == Some(&separator) {
                walk.separators.push(u32::try_from(at).unwrap_or(u32::MAX));
            } else {
                walk.line(&text[start..at], start, separator);
                start = at + 1;
            }
        }
        Some(walk.finish())
    }

    /// The bytes of the message's text between separator `number` - 1 and separator `number` of a segment, counted from 1:
    /// the segment's id is before the first. Empty where there are not as many.
    pub(super) fn between(&self, segment: &Segment, number: usize) -> Range<usize> {
        let (first, end) = (segment.separators.0 as usize, segment.separators.1 as usize);
        let separators = self.separators.get(first..end).unwrap_or_default();
        let Some(index) = number.checked_sub(1).filter(|index| *index <= separators.len()) else { return 0..0 };
        let start = index.checked_sub(1).map_or(segment.start, |before| separators[before] + 1);
        start as usize..separators.get(index).copied().unwrap_or(segment.end) as usize
    }

    /// The first segment that `id` means in `scope`: as the first of [`Self::in_scope`], at less cost.
    pub(super) fn first_in_scope(&self, id: SegmentId, scope: Scope) -> Option<&Segment> {
        (0..steps(id)).find_map(|step| self.segments.iter().find(|it| it.id == id && self.is_near(step, it, scope)))
    }

    /// Where paths start that say nothing else: in the first order and with its patient.
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether some line was no segment.
    pub(super) fn has_stray_lines(&self) -> bool {
        self.stray_lines
    }

    /// The segments that `id` means in `scope`.
    ///
    /// Segments of an order are looked for in that order only, Z-segments also outside of orders; all others also anywhere
    /// with the same patient, since senders put them where they like.
    pub(super) fn in_scope(&self, id: SegmentId, scope: Scope) -> impl Iterator<Item = &Segment> {
        let near = move |step: u8, segment: &Segment| self.is_near(step, segment, scope);
        let step = (0..steps(id)).find(|step| self.all(id).any(|segment| near(*step, segment)));
        self.all(id).filter(move |segment| step.is_some_and(|step| near(step, segment)))
    }

    /// Whether a segment is as near to `scope` as this step of the search asks for.
    fn is_near(&self, step: u8, segment: &Segment, scope: Scope) -> bool {
        match step {
            0 => segment.order == scope.order && (scope.order > 0 || self.same_patient(segment, scope)),
            1 => segment.order == 0 && self.same_patient(segment, scope),
            _ => self.same_patient(segment, scope),
        }
    }

    /// The segments with this id in the whole message.
    pub(super) fn all(&self, id: SegmentId) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.id == id)
    }

    /// The scope inside `segment`, when `each` has come to it from `outer`.
    pub(super) fn scope_of(&self, segment: &Segment, outer: Scope) -> Scope {
        let Segment { order, patient, .. } = *segment;
        if order > 0 {
            return Scope { order, patient, counts_all: false };
        }
        if !self.several_patients || patient == 0 {
            return outer;
        }
        let ordered = |other: &&Segment| other.order > 0 && other.patient == patient;
        let order = self.segments.iter().find(ordered).map_or(self.order_of_unordered(), |first| first.order);
        Scope { order, patient, counts_all: false }
    }

    /// For a patient without orders: those of others must not be taken, but a message without any has no orders to mix up.
    fn order_of_unordered(&self) -> u32 {
        if self.segments.iter().any(|segment| segment.order > 0) { NO_ORDER } else { 0 }
    }

    fn same_patient(&self, segment: &Segment, scope: Scope) -> bool {
        !self.several_patients || segment.patient == 0 || segment.patient == scope.patient
    }
}

/// The state of the one pass.
#[derive(Default)]
struct Walk {
    segments: Vec<Segment>,
    separators: Vec<u32>,
    /// The separators before this one belong to earlier lines.
    seen: u32,
    orders: u32,
    /// The order that segments belong to at present; 0 outside.
    order: u32,
    order_has_obr: bool,
    patients: u32,
    stray_lines: bool,
}

impl Walk {
    fn line(&mut self, line: &[u8], start: usize, separator: u8) {
        let end = u32::try_from(self.separators.len()).unwrap_or(u32::MAX);
        let separators = (std::mem::replace(&mut self.seen, end), end);
        let Some(id) = segment_id(line, separator) else {
            self.stray_lines |= !line.trim_ascii().is_empty();
            return;
        };
        self.enter(id);
        let order = if id == *b"PID" { 0 } else { self.order };
        let [start, end] = [start, start + line.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        self.segments.push(Segment { id, start, end, separators, order, patient: self.patients });
    }

    /// An ORC starts an order, and so does an OBR without one; a further PID ends it.
    fn enter(&mut self, id: SegmentId) {
        match &id {
            b"ORC" => self.start_order(),
            b"OBR" => {
                if self.order == 0 || self.order_has_obr {
                    self.start_order();
                }
                self.order_has_obr = true;
            }
            b"PID" => {
                self.patients += 1;
                if self.patients > 1 {
                    self.order = 0;
                }
            }
            _ => {}
        }
    }

    fn start_order(&mut self) {
        self.orders += 1;
        self.order = self.orders;
        self.order_has_obr = false;
    }

    fn finish(self) -> Index {
        let several_patients = self.patients > 1;
        let first_order = self.segments.iter().find(|segment| segment.order > 0);
        let (order, patient) = first_order.map_or((0, 1), |first| (first.order, first.patient.max(1)));
        let scope = Scope { order, patient, counts_all: true };
        Index {
            segments: self.segments,
            separators: self.separators,
            scope,
            several_patients,
            stray_lines: self.stray_lines,
        }
    }
}

fn segment_id(line: &[u8], separator: u8) -> Option<SegmentId> {
    let id: SegmentId = line.get(..3)?.try_into().ok()?;
    (is_segment_id(&id) && line.get(3).is_none_or(|byte| *byte == separator)).then_some(id)
}

/// How far a segment is looked for: in the order, outside of orders, anywhere with the same patient.
fn steps(id: SegmentId) -> u8 {
    match kind(id) {
        Kind::Order => 1,
        Kind::Local => 2,
        Kind::Other => 3,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Belongs to an order where there are orders.
    Order,
    /// A Z-segment: the site's own.
    Local,
    Other,
}

fn kind(id: SegmentId) -> Kind {
    match &id {
        b"ORC" | b"OBR" | b"IPC" | b"TQ1" | b"TQ2" | b"NTE" | b"OBX" | b"SPM" | b"ZDS" => Kind::Order,
        [b'Z', ..] => Kind::Local,
        _ => Kind::Other,
    }
}
