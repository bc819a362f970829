//! Reading paths: in a whole message, or inside one repetition of an `each`.
//!
//! A path goes down in steps: segments, repetitions, components. Each step is an iterator over borrowed bytes, and only what
//! comes out at the end is decoded.

use fhircast_gateway_adapter_api::{Fields, Path, Value};

use super::Message;
use super::index::{Scope, Segment};
use crate::path::{Below, FieldPath, FieldStep, Predicate, SegmentId, Selector};
use crate::separators::Separators;

/// A message, seen from one of its places.
#[derive(Clone, Copy)]
pub(super) struct Part<'m> {
    message: &'m Message,
    scope: Scope,
    origin: Origin<'m>,
}

/// Where relative paths start.
#[derive(Clone, Copy)]
enum Origin<'m> {
    /// Nowhere: they find nothing.
    Message,
    Segment(&'m Segment),
    /// The bytes of a repetition, a component, a subcomponent.
    Repetition(&'m [u8]),
    Component(&'m [u8]),
    Subcomponent,
}

/// What a path has come to.
#[derive(Clone, Copy)]
enum Spot<'m> {
    /// A segment's three characters: it is there.
    Segment(&'m Segment),
    /// Bytes that hold separators only as text.
    Text(&'m [u8]),
    /// As `Text`, but not even escapes: MSH-1 and MSH-2.
    Verbatim(&'m [u8]),
    /// A field, component or subcomponent that the sender says is gone.
    Deleted,
    Absent,
}

/// How many of several a path without a number means.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    First,
    /// In `each`.
    Every,
}

/// What HL7 writes for a value that is to be deleted.
const DELETED: &[u8] = b"\"\"";

impl<'m> Part<'m> {
    pub(super) fn whole(message: &'m Message) -> Self {
        Self { message, scope: message.index.scope(), origin: Origin::Message }
    }

    pub(super) fn value_at(self, path: &Path) -> Value<'m> {
        let Some(path) = path.compiled::<FieldPath>() else { return Value::Absent };
        // As [`Self::values`] would find it, at less cost: nearly every path means one field of one segment.
        match path {
            FieldPath::Absolute { segment, which: Selector::First, field: Some(step) }
                if step.repetition != Selector::Every =>
            {
                let segment = self.message.index.first_in_scope(*segment, self.scope);
                segment.map_or(Value::Absent, |segment| self.message.spot_value(self.message.first_spot(segment, step)))
            }
            FieldPath::Relative(step) if self.origin.segment().is_none() => {
                self.message.spot_value(self.spot_below(step))
            }
            _ => self.values(path).next().unwrap_or(Value::Absent),
        }
    }

    pub(super) fn values_at(self, path: &Path) -> Vec<Value<'m>> {
        path.compiled::<FieldPath>().map(|path| self.values(path).collect()).unwrap_or_default()
    }

    pub(super) fn parts_at(self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        let Some(path) = path.compiled::<FieldPath>() else { return Vec::new() };
        let mut parts: Vec<Box<dyn Fields + 'm>> = Vec::new();
        match path {
            FieldPath::Absolute { segment, which: Selector::First, field: field @ Some(_) } => {
                if let Some(segment) = self.message.index.first_in_scope(*segment, self.scope) {
                    self.add_parts(segment, field.as_ref(), &mut parts);
                }
            }
            FieldPath::Absolute { segment, which, field } => {
                for segment in self.segments(*segment, which, field.is_none()) {
                    self.add_parts(segment, field.as_ref(), &mut parts);
                }
            }
            FieldPath::Relative(step) => match self.origin {
                Origin::Segment(segment) => self.add_parts(segment, Some(step), &mut parts),
                _ => parts.extend(self.part_below(step).map(|part| Box::new(part) as Box<dyn Fields + 'm>)),
            },
        }
        parts
    }

    /// Every value at the path, those left out that are absent.
    fn values<'p>(self, path: &'p FieldPath) -> impl Iterator<Item = Value<'m>> + use<'m, 'p> {
        let (segments, step) = match path {
            FieldPath::Absolute { segment, which, field } => (Some((*segment, which)), field.as_ref()),
            FieldPath::Relative(step) => (None, Some(step)),
        };
        let absolute = segments.into_iter().flat_map(move |(id, which)| self.segments(id, which, false));
        let from_segments = absolute.chain(self.origin.segment().filter(|_| segments.is_none()));
        let relative = step.filter(|_| segments.is_none()).map(|step| self.spot_below(step));
        from_segments
            .flat_map(move |segment| self.spots(segment, step))
            .chain(relative)
            .map(move |spot| self.message.spot_value(spot))
            .filter(|value| *value != Value::Absent)
    }

    /// The segments that a path means; `repeated` when they are themselves what `each` repeats over.
    fn segments<'p>(
        self,
        id: SegmentId,
        which: &'p Selector,
        repeated: bool,
    ) -> impl Iterator<Item = &'m Segment> + use<'m, 'p> {
        let message = self.message;
        let counted = repeated || matches!(which, Selector::Number(_) | Selector::Every);
        let everywhere = self.scope.counts_all && counted;
        let all = everywhere.then(|| message.index.all(id)).into_iter().flatten();
        let scope = self.scope;
        let near = (!everywhere).then(|| message.index.in_scope(id, scope)).into_iter().flatten();
        let reach = if repeated { Reach::Every } else { Reach::First };
        select(all.chain(near), which, reach, move |segment, predicate| message.segment_matches(segment, predicate))
    }

    /// What a step comes to in one segment; the segment itself without one.
    fn spots<'p>(
        self,
        segment: &'m Segment,
        step: Option<&'p FieldStep>,
    ) -> impl Iterator<Item = Spot<'m>> + use<'m, 'p> {
        let message = self.message;
        let whole = match step {
            None => Some(Spot::Segment(segment)),
            Some(step) => message.whole_field(segment, step),
        };
        let step = step.filter(|_| whole.is_none());
        let repetitions = step.into_iter().flat_map(move |step| {
            let alone = step.below == [None; 2] && message.is_text(segment, step.number);
            let repetitions = message.repetitions(segment, step, Reach::First);
            repetitions
                .map(move |repetition| if alone { leaf(repetition) } else { message.descend(repetition, step.below) })
        });
        whole.into_iter().chain(repetitions)
    }

    /// What a relative path comes to below a repetition or a component.
    fn spot_below(self, step: &FieldStep) -> Spot<'m> {
        match (self.origin, &step.repetition, step.below) {
            (Origin::Repetition(bytes), Selector::First, [subcomponent, None]) => {
                self.message.descend(bytes, [Some(step.number), subcomponent])
            }
            (Origin::Component(bytes), Selector::First, [None, None]) => {
                self.message.descend_component(bytes, Some(step.number))
            }
            _ => Spot::Absent,
        }
    }

    /// Adds the parts of one segment that `each` repeats over.
    fn add_parts(self, segment: &'m Segment, step: Option<&FieldStep>, parts: &mut Vec<Box<dyn Fields + 'm>>) {
        let scope = self.message.index.scope_of(segment, self.scope);
        let part = |origin| Box::new(Self { message: self.message, scope, origin }) as Box<dyn Fields + 'm>;
        let Some(step) = step else { return parts.push(part(Origin::Segment(segment))) };
        let repetitions = self.message.repetitions(segment, step, Reach::Every);
        let origins = repetitions.filter_map(|repetition| self.message.origin(repetition, step.below));
        parts.extend(origins.map(part));
    }

    /// `each` over a component of the present repetition.
    fn part_below(self, step: &FieldStep) -> Option<Self> {
        let Origin::Repetition(bytes) = self.origin else { return None };
        let ([subcomponent, None], Selector::First) = (step.below, &step.repetition) else { return None };
        let origin = self.message.origin(bytes, [Some(step.number), subcomponent])?;
        Some(Self { origin, ..self })
    }
}

impl Fields for Part<'_> {
    fn first<'m>(&'m self, path: &Path) -> Value<'m> {
        self.value_at(path)
    }

    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        self.values_at(path)
    }

    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        self.parts_at(path)
    }
}

impl<'m> Origin<'m> {
    fn segment(self) -> Option<&'m Segment> {
        if let Self::Segment(segment) = self { Some(segment) } else { None }
    }
}

impl Message {
    fn spot_value<'m>(&'m self, spot: Spot<'m>) -> Value<'m> {
        match spot {
            Spot::Segment(segment) => self.value(&segment.id),
            Spot::Text(bytes) => self.value(bytes),
            Spot::Verbatim(bytes) => self.value_of(bytes, &Separators { escape: None, ..self.separators }),
            Spot::Deleted => Value::Deleted,
            Spot::Absent => Value::Absent,
        }
    }

    /// What a step comes to in one segment, if it asks for one repetition: as the first of [`Part::spots`].
    fn first_spot<'m>(&'m self, segment: &'m Segment, step: &FieldStep) -> Spot<'m> {
        if let Some(whole) = self.whole_field(segment, step) {
            return whole;
        }
        let field = self.field(segment, step.number);
        if step.repetition == Selector::First && step.below.iter().all(|number| number.is_none_or(|it| it == 1)) {
            return leaf(self.first_piece(field));
        }
        let separator = self.separators.repetition;
        let repetition = match &step.repetition {
            // A field that is deleted is so in all its repetitions, whichever the path asks for.
            _ if field == DELETED => field,
            Selector::Number(number) => nth(field, separator, *number),
            Selector::Where(predicate) => {
                let found = split(field, separator).find(|repetition| self.repetition_matches(repetition, predicate));
                let Some(repetition) = found else { return Spot::Absent };
                repetition
            }
            Selector::First | Selector::Every => nth(field, separator, 1),
        };
        let alone = step.below == [None; 2] && self.is_text(segment, step.number);
        if alone { leaf(repetition) } else { self.descend(repetition, step.below) }
    }

    /// The first subcomponent of the first component of the first repetition.
    fn first_piece<'m>(&self, field: &'m [u8]) -> &'m [u8] {
        let Separators { repetition, component, subcomponent, .. } = self.separators;
        let end = field.iter().position(|byte| [repetition, component, subcomponent].contains(&Some(*byte)));
        &field[..end.unwrap_or(field.len())]
    }

    fn repetition_matches(&self, repetition: &[u8], predicate: &Predicate) -> bool {
        is(&self.spot_value(self.descend(repetition, [Some(predicate.number), predicate.below[0]])), &predicate.value)
    }

    /// The whole of a field, where it is not split into repetitions: MSH-1 and MSH-2, and text that is named alone.
    fn whole_field<'m>(&'m self, segment: &Segment, step: &FieldStep) -> Option<Spot<'m>> {
        if segment.id == *b"MSH" && step.number <= 2 {
            return Some(Spot::Verbatim(self.field(segment, step.number)));
        }
        let alone = step.repetition == Selector::First && step.below == [None; 2];
        (alone && self.is_text(segment, step.number)).then(|| leaf(self.field(segment, step.number)))
    }

    /// Whether a field holds text in which `^ & ~` often stand for themselves.
    fn is_text(&self, segment: &Segment, number: u16) -> bool {
        match (&segment.id, number) {
            (b"OBX", 5) => matches!(self.field(segment, 2), b"TX" | b"FT" | b"ST"),
            (b"NTE", 3) => true,
            _ => false,
        }
    }

    /// The repetitions of a field that a step means.
    fn repetitions<'m, 'p>(
        &'m self,
        segment: &Segment,
        step: &'p FieldStep,
        reach: Reach,
    ) -> impl Iterator<Item = &'m [u8]> + use<'m, 'p> {
        let field = self.field(segment, step.number);
        // A field that is deleted is so in all its repetitions, whichever the path asks for.
        let deleted = field == DELETED && reach == Reach::First;
        let selector = if deleted { &Selector::First } else { &step.repetition };
        let matches = |repetition, predicate: &Predicate| self.repetition_matches(repetition, predicate);
        select(split(field, self.separators.repetition), selector, reach, matches)
    }

    /// The component and subcomponent of a repetition; the first ones where nothing is said.
    fn descend<'m>(&'m self, repetition: &'m [u8], [component, subcomponent]: Below) -> Spot<'m> {
        if repetition == DELETED {
            return Spot::Deleted;
        }
        let component = nth(repetition, self.separators.component, component.unwrap_or(1));
        self.descend_component(component, subcomponent)
    }

    fn descend_component<'m>(&'m self, component: &'m [u8], subcomponent: Option<u16>) -> Spot<'m> {
        if component == DELETED {
            return Spot::Deleted;
        }
        leaf(nth(component, self.separators.subcomponent, subcomponent.unwrap_or(1)))
    }

    /// Where relative paths start in a repetition, or in a part of it; `None` if there is no value.
    fn origin<'m>(&'m self, repetition: &'m [u8], below: Below) -> Option<Origin<'m>> {
        let [component, subcomponent] = below;
        let Some(component) = component else {
            return (!self.is_hollow(repetition)).then_some(Origin::Repetition(repetition));
        };
        let bytes = nth(repetition, self.separators.component, component);
        let origin = if subcomponent.is_some() { Origin::Subcomponent } else { Origin::Component(bytes) };
        (!self.is_hollow(bytes)).then_some(origin)
    }

    /// Whether there is nothing but separators, or the sender says that it is gone.
    fn is_hollow(&self, bytes: &[u8]) -> bool {
        let [component, subcomponent] = [self.separators.component, self.separators.subcomponent];
        bytes == DELETED || bytes.iter().all(|byte| Some(*byte) == component || Some(*byte) == subcomponent)
    }

    fn segment_matches(&self, segment: &Segment, predicate: &Predicate) -> bool {
        let field = self.field(segment, predicate.number);
        let repetition = split(field, self.separators.repetition).next().unwrap_or_default();
        is(&self.spot_value(self.descend(repetition, predicate.below)), &predicate.value)
    }

    /// A field of a segment, empty if it is not there. MSH counts its separator as its first.
    fn field(&self, segment: &Segment, number: u16) -> &[u8] {
        let number = usize::from(number);
        let at = match (&segment.id, number) {
            (b"MSH", 1) => segment.start as usize + 3..segment.start as usize + 4,
            (b"MSH", _) => self.index.between(segment, number),
            _ => self.index.between(segment, number + 1),
        };
        self.text.get(at).unwrap_or_default()
    }
}

/// Whether a value is just this text.
fn is(value: &Value<'_>, text: &str) -> bool {
    matches!(value, Value::Text(value) if value == text)
}

fn leaf(bytes: &[u8]) -> Spot<'_> {
    if bytes == DELETED { Spot::Deleted } else { Spot::Text(bytes) }
}

/// Those of `items` that a selector means.
fn select<T: Copy>(
    items: impl Iterator<Item = T>,
    selector: &Selector,
    reach: Reach,
    matches: impl Fn(T, &Predicate) -> bool,
) -> impl Iterator<Item = T> {
    let all = usize::MAX;
    let reached = if reach == Reach::Every { all } else { 1 };
    let (skipped, taken, predicate) = match selector {
        Selector::First => (0, reached, None),
        Selector::Number(number) => (usize::from(*number) - 1, 1, None),
        Selector::Every => (0, all, None),
        Selector::Where(predicate) => (0, reached, Some(predicate)),
    };
    let items = items.filter(move |item| predicate.is_none_or(|predicate| matches(*item, predicate)));
    items.skip(skipped).take(taken)
}

/// The pieces between separators; one piece where the separator is not used.
fn split(bytes: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    bytes.split(move |byte| Some(*byte) == separator)
}

/// The piece of this number, counted from 1; empty if it is not there.
fn nth(bytes: &[u8], separator: Option<u8>, number: u16) -> &[u8] {
    let Some(separator) = separator else {
        return if number == 1 { bytes } else { b"" };
    };
    // Fields are short: looking at one byte after another finds a separator sooner than a search made for long texts.
    let mut pieces = bytes.split(|byte| *byte == separator);
    pieces.nth(usize::from(number) - 1).unwrap_or_default()
}
