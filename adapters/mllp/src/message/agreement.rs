//! Our reading of messages beside that of `er7`, a parser that others have written: over many generated messages, every field,
//! repetition, component and subcomponent that both understand reads the same.
//!
//! Where they differ on purpose, the difference has a name here and a reason: [`Difference`].

use std::collections::BTreeMap;

use er7::escape::{Escape, decode_hex, escapes};
use fhircast_gateway_adapter_api::Grammar;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::path::Hl7v2;

/// Why a value reads otherwise here than there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// `\.br\`, `\.sp2\`: a text for a screen has line breaks where er7 leaves the commands to whoever shows it.
    Formatting,
    /// `\H\`, `\N\`: nothing can be highlighted in FHIR's texts; er7 keeps them.
    Highlighting,
    /// `\X..\`: bytes in the message's own character set, adjacent ones joined, controls dropped; er7 takes each as UTF-8.
    Hexadecimal,
    /// `\P\` is the truncation character since version 2.7; er7 does not know it.
    Truncation,
    /// `C:\temp\T\`: a lone escape character stands for itself, and the next one may begin a sequence; er7 pairs them.
    LoneEscape,
}

/// How `er7` reads one place; and whether ours may differ.
fn theirs(message: &er7::Message, place: &Place<'_>) -> (Option<String>, Option<Difference>) {
    let segment = message.segment_at(place.segment, place.occurrence);
    let Some(field) = segment.and_then(|segment| segment.field(place.field)) else { return (None, None) };
    // What is deleted as a whole is so in all its parts.
    let deleted = (Some("(deleted)".to_owned()), None);
    if field.is_null() {
        return deleted;
    }
    let Some(repetition) = field.repetition(place.repetition) else { return (None, None) };
    if repetition.is_null() {
        return deleted;
    }
    let Some(component) = repetition.component(place.component) else { return (None, None) };
    if component.is_null() {
        return deleted;
    }
    let Some(leaf) = component.subcomponent(place.subcomponent) else { return (None, None) };
    if leaf.is_null() {
        return deleted;
    }
    let difference = escapes(&leaf.raw, &message.separators).find_map(|token| difference(&token));
    (Some(leaf.value(&message.separators).into_owned()).filter(|value| !value.is_empty()), difference)
}

fn difference(token: &Escape<'_>) -> Option<Difference> {
    match token {
        Escape::Formatting(_) => Some(Difference::Formatting),
        Escape::Highlight | Escape::Normal => Some(Difference::Highlighting),
        Escape::Hex(body) if decode_hex(body).is_some_and(|text| text.bytes().all(|it| it.is_ascii_graphic())) => None,
        Escape::Hex(_) => Some(Difference::Hexadecimal),
        Escape::Unknown("P") => Some(Difference::Truncation),
        Escape::Unknown(_) | Escape::Unterminated(_) => Some(Difference::LoneEscape),
        _ => None,
    }
}

/// A subcomponent, by its numbers.
struct Place<'s> {
    segment: &'s str,
    occurrence: usize,
    field: usize,
    repetition: usize,
    component: usize,
    subcomponent: usize,
}

impl Place<'_> {
    fn path(&self) -> String {
        let Self { segment, occurrence, field, repetition, component, subcomponent } = self;
        format!("{segment}[{occurrence}]-{field}[{repetition}].{component}.{subcomponent}")
    }
}

/// Every place that the message has, and those right behind the last ones.
fn places<'m>(message: &'m er7::Message) -> Vec<Place<'m>> {
    let mut places = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for segment in &message.segments {
        let occurrence = *seen.entry(&segment.name).and_modify(|number| *number += 1).or_insert(1);
        // MSH-1 and MSH-2 have no parts.
        let first = if segment.name == "MSH" { 3 } else { 1 };
        for number in first..=segment.fields.len() + 1 {
            let repetitions = segment.field(number).map_or(&[][..], |field| &field.repetitions);
            for repetition in 1..=repetitions.len() + 1 {
                let components = repetitions.get(repetition - 1).map_or(&[][..], |it| &it.components);
                for component in 1..=components.len() + 1 {
                    let leaves = components.get(component - 1).map_or(0, |it| it.subcomponents.len());
                    places.extend((1..=leaves + 1).map(|subcomponent| Place {
                        segment: &segment.name,
                        occurrence,
                        field: number,
                        repetition,
                        component,
                        subcomponent,
                    }));
                }
            }
        }
    }
    places
}

/// Compares the two readings at every place; counts what agrees, and what differs and why.
fn compare(text: &str, tally: &mut Tally) -> Result<(), TestCaseError> {
    let ours = Message::read(Bytes::copy_from_slice(text.as_bytes()), Policy::default());
    let (Ok(ours), Ok(other)) = (ours, er7::parse(text)) else { return Err(TestCaseError::fail("it is not read")) };
    for place in places(&other) {
        let path = Hl7v2.path(&place.path()).map_err(|error| TestCaseError::fail(error.message))?;
        let mine = match ours.first(&path) {
            Value::Absent => None,
            Value::Deleted => Some("(deleted)".to_owned()),
            Value::Text(text) => Some(text.into_owned()),
        };
        match theirs(&other, &place) {
            (expected, None) => {
                prop_assert_eq!(&mine, &expected, "{} in {:?}", path.text(), text);
                tally.agreed += 1;
            }
            (expected, Some(difference)) if mine != expected => *tally.differed.entry(difference).or_default() += 1,
            (_, Some(_)) => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    agreed: usize,
    differed: BTreeMap<Difference, usize>,
}

/// The separators of a message: of the field, component, repetition, escape, subcomponent.
fn separators() -> impl Strategy<Value = [char; 5]> {
    let own = Just("|^~\\&#!$%*+,:;<=>?@_".chars().collect::<Vec<_>>()).prop_shuffle();
    let own = own.prop_map(|all| [all[0], all[1], all[2], all[3], all[4]]);
    prop_oneof![3 => Just(['|', '^', '~', '\\', '&']), 1 => own]
}

/// One line's worth of pieces, in terms of the standard separators. No segment has more fields than the standard knows of it: a
/// path to them is a mistake.
fn line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[A-Za-z0-9 .'äß山\u{1f600}/#-]{1,6}",
        4 => Just("|".to_owned()),
        3 => Just("^".to_owned()),
        2 => Just("&".to_owned()),
        2 => Just("~".to_owned()),
        1 => Just("|\"\"|".to_owned()),
        1 => Just("^\"\"^".to_owned()),
        2 => "\\\\[FSTRE]\\\\",
        1 => "\\\\(\\.br|\\.sp2|H|N|X41|X0D|XE4|X4142|P|Z01|C2842|temp|\\.in\\+2)\\\\",
        1 => Just("\\".to_owned()),
    ];
    let id = prop_oneof![Just("PID"), Just("PV1"), Just("ORC"), Just("OBR"), Just("OBX"), Just("ZDS"), Just("Z1A")];
    (id, prop::collection::vec(piece, 0..24)).prop_map(|(id, pieces)| {
        let pieces = pieces.concat();
        format!("{id}|{}", pieces.split('|').take(30).collect::<Vec<_>>().join("|"))
    })
}

fn messages() -> impl Strategy<Value = String> {
    let ends = prop_oneof![Just("\r"), Just("\n"), Just("\r\n"), Just("\r\r")];
    (separators(), prop::collection::vec(line(), 0..9), ends).prop_map(|(own, lines, end)| {
        let translate = |text: &str| -> String {
            let own =
                |it: char| ['|', '^', '~', '\\', '&'].iter().position(|standard| *standard == it).map(|at| own[at]);
            text.chars().map(|it| own(it).unwrap_or(it)).collect()
        };
        let header = translate("MSH|^~\\&|RIS|MAIN|||20260504||ORM^O01|1|P|2.5.1");
        [header].into_iter().chain(lines.iter().map(|line| translate(line))).map(|line| line + end).collect()
    })
}

#[test]
fn every_value_reads_as_in_a_parser_that_others_have_written() {
    let mut runner = TestRunner::new(Config { cases: 600, ..Config::default() });
    let tally = std::cell::RefCell::new(Tally::default());
    runner.run(&messages(), |text| compare(&text, &mut tally.borrow_mut())).unwrap_or_else(|error| panic!("{error}"));
    let Tally { agreed, differed } = tally.into_inner();
    assert!(agreed > 50_000, "{agreed} values");
    // Each difference is there, so that none is on the list for nothing.
    let named: Vec<Difference> = differed.into_keys().collect();
    let all = [
        Difference::Formatting,
        Difference::Highlighting,
        Difference::Hexadecimal,
        Difference::Truncation,
        Difference::LoneEscape,
    ];
    assert_eq!(named, all);
}

#[test]
fn the_example_messages_read_alike() {
    let mut tally = Tally::default();
    for text in [
        include_str!("../../../../config/examples/messages/01-patient-at-the-desk.hl7"),
        include_str!("../../../../config/examples/messages/02-reading-begins.hl7"),
        include_str!("../../../../config/examples/messages/03-report-dictated.hl7"),
        include_str!("../../../../config/examples/messages/07-appointment-booked.hl7"),
        include_str!("../../../../benches/order.hl7"),
    ] {
        compare(text, &mut tally).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(tally.agreed > 800 && tally.differed.is_empty(), "{}", tally.agreed);
}
