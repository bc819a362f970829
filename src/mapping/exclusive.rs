//! Whether two conditions are certain never to hold of one message: so that at most one mapping speaks for each.
//!
//! Sound, and not complete: what it calls exclusive is; what it cannot see through counts as if it could hold.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Comparison, Condition, Test, matches};
use super::expression::{Operand, Pipeline};
use super::function::Call;

/// The ways in which a condition can hold: in each, all of its tests are as it says. None: too many to tell.
pub(crate) type Ways<'c> = Option<Vec<Way<'c>>>;

/// Tests, and whether each holds.
pub(crate) type Way<'c> = Vec<(&'c Test, bool)>;

/// A condition with more ways than this counts as one that can hold together with any other.
const MOST_WAYS: usize = 256;

/// Every way in which `condition` holds.
pub(crate) fn ways(condition: &Condition) -> Ways<'_> {
    ways_of(condition, true)
}

/// Whether no way of the one goes with any way of the other.
pub(crate) fn exclude_each_other(one: &Ways<'_>, other: &Ways<'_>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    one.iter().all(|one| other.iter().all(|other| is_contradiction(one.iter().chain(other))))
}

fn ways_of<'c>(condition: &'c Condition, wanted: bool) -> Ways<'c> {
    match (condition, wanted) {
        (Condition::Not(inner), _) => ways_of(inner, !wanted),
        (Condition::Test(test), _) => Some(vec![vec![(test, wanted != test.negated)]]),
        (Condition::All(all), true) | (Condition::Any(all), false) => {
            all.iter().try_fold(vec![Vec::new()], |before, condition| {
                let ways = ways_of(condition, wanted)?;
                let both = |way: &Way<'c>| ways.iter().map(|more| [&way[..], more].concat()).collect::<Vec<_>>();
                few(before.iter().flat_map(both).collect())
            })
        }
        (Condition::Any(any), true) | (Condition::All(any), false) => {
            any.iter().try_fold(Vec::new(), |mut ways, it| {
                ways.extend(ways_of(it, wanted)?);
                few(ways)
            })
        }
    }
}

fn few(ways: Vec<Way<'_>>) -> Ways<'_> {
    (ways.len() <= MOST_WAYS).then_some(ways)
}

/// Whether no message can be as all the tests say.
fn is_contradiction<'c>(tests: impl Iterator<Item = &'c (&'c Test, bool)>) -> bool {
    let mut fields: BTreeMap<String, Field<'_>> = BTreeMap::new();
    for (test, holds) in tests {
        if let Some(name) = field(&test.operand) {
            fields.entry(name).or_default().note(test, *holds);
        }
    }
    fields.values().any(Field::is_impossible)
}

/// What is looked at, in a word that means the same in every mapping; none where tables, names or zones of the mapping count.
fn field(operand: &Pipeline) -> Option<String> {
    let Operand::Path { path, .. } = &operand.operand else { return None };
    let plain = |call: &Call| matches!(call, Call::Digits | Call::First | Call::Lower | Call::Trim | Call::Upper);
    let calls = operand.calls.iter().map(|call| plain(call).then(|| call.name()));
    let calls: Option<Vec<&str>> = calls.collect();
    Some(calls?.into_iter().fold(path.text().to_owned(), |name, call| name + "|" + call))
}

/// What is said of one field.
#[derive(Default)]
struct Field<'c> {
    /// It can have several values at once.
    many: bool,
    present: bool,
    absent: bool,
    /// It is one of each of these.
    among: Vec<BTreeSet<&'c str>>,
    /// It is none of these.
    barred: BTreeSet<&'c str>,
    shaped: Vec<&'c str>,
    not_shaped: Vec<&'c str>,
}

impl<'c> Field<'c> {
    fn note(&mut self, test: &'c Test, holds: bool) {
        self.many |= matches!(test.operand.operand, Operand::Path { many: true, .. });
        match (&test.comparison, holds) {
            (Comparison::HasValue, true) => self.present = true,
            (Comparison::HasValue, false) => self.absent = true,
            (Comparison::Matches(pattern), true) => self.shaped.push(pattern),
            (Comparison::Matches(pattern), false) => self.not_shaped.push(pattern),
            (comparison, holds) => match (listed(comparison), holds) {
                (Some(values), true) => self.among.push(values),
                (Some(values), false) => self.barred.extend(values),
                // Equal to something that is read from the message: it has a value at least.
                (None, true) => self.present = true,
                (None, false) => {}
            },
        }
    }

    fn is_impossible(&self) -> bool {
        let has_value = self.present || !self.among.is_empty() || !self.shaped.is_empty();
        let all_barred = |values: &BTreeSet<&str>| values.is_subset(&self.barred);
        let denied = self.shaped.iter().any(|shape| self.not_shaped.contains(shape));
        if (self.absent && has_value) || self.among.iter().any(all_barred) || denied {
            return true;
        }
        !self.many && !self.one_value_fits()
    }

    /// Whether a field of one value can be all of this.
    fn one_value_fits(&self) -> bool {
        match self.among.split_first() {
            Some((first, rest)) => first.iter().any(|value| {
                rest.iter().all(|values| values.contains(value))
                    && !self.barred.contains(value)
                    && self.shaped.iter().all(|shape| matches(shape, value))
                    && !self.not_shaped.iter().any(|shape| matches(shape, value))
            }),
            None => self
                .shaped
                .iter()
                .enumerate()
                .all(|(index, one)| self.shaped[index + 1..].iter().all(|other| overlap(one, other))),
        }
    }
}

/// The texts that a comparison lists.
fn listed(comparison: &Comparison) -> Option<BTreeSet<&str>> {
    match comparison {
        Comparison::Equals(Pipeline { operand: Operand::Text(text), calls, .. }) if calls.is_empty() => {
            Some(BTreeSet::from([&**text]))
        }
        Comparison::InList(texts) => Some(texts.iter().map(|text| &**text).collect()),
        Comparison::InTable(table) => Some(table.codes().collect()),
        Comparison::Equals(_) | Comparison::HasValue | Comparison::Matches(_) => None,
    }
}

/// Whether some text has the form of both patterns.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // `fits[j]`: whether one's rest from i on and other's rest from j on have a text in common; row by row from the end.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=one.len()).rev() {
        let mut fits = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            fits[j] = match (one.get(i), other.get(j)) {
                (None, None) => true,
                (Some('*'), None) => below[j],
                (None, Some('*')) => fits[j + 1],
                (None, Some(_)) | (Some(_), None) => false,
                (Some('*'), Some(_)) | (Some(_), Some('*')) => below[j] || fits[j + 1],
                (Some(a), Some(b)) => (*a == '?' || *b == '?' || a == b) && below[j + 1],
            };
        }
        below = fits;
    }
    below.first().copied().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::expression::View;
    use super::super::names::Names;
    use super::super::parse;
    use super::super::table::{LookupTable, Meaning};
    use super::super::testing::{Note, Notes};
    use super::*;

    fn condition(text: &str) -> Condition {
        let table: LookupTable = [("x", "1"), ("y", "2"), ("*", "3")]
            .into_iter()
            .map(|(code, text)| (code.into(), Meaning::Text(text.into())))
            .collect();
        let names = Names {
            grammar: &Notes,
            constants: std::collections::BTreeMap::default(),
            expressions: std::collections::BTreeMap::default(),
            tables: [("t".to_owned(), table)].into(),
            zone: None,
            keys: Vec::new(),
            used: Default::default(),
            partial: false,
        };
        parse::condition(text, &names).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"))
    }

    fn exclude(one: &str, other: &str) -> bool {
        exclude_each_other(&ways(&condition(one)), &ways(&condition(other)))
    }

    #[test]
    fn conditions_exclude_each_other_when_no_message_can_fulfil_both() {
        for (one, other, expected) in [
            ("A == 'x'", "A == 'y'", true),
            ("A == 'x'", "A == 'x'", false),
            ("A == 'x'", "B == 'y'", false),
            ("A == 'x' and B == '1'", "A == 'x' and B == '2'", true),
            ("A in ['x', 'y']", "A in ['z', 'y']", false),
            ("A in ['x', 'y']", "A in ['z']", true),
            ("A in t", "A == 'z'", true),
            ("A in t", "A == 'x'", false),
            ("A in t", "A == '*'", true),
            ("A matches 'AC*'", "A == 'BETA'", true),
            ("A matches 'AC*'", "A == 'ACME'", false),
            ("A matches 'AC*'", "A matches 'B*'", true),
            ("A matches 'AC*'", "A matches '*ME'", false),
            ("A matches 'AC*'", "A not matches 'AC*'", true),
            ("A matches 'AC*'", "A not matches 'ACME'", false),
            ("A", "not A", true),
            ("A", "not (A and B)", false),
            ("A and B", "not (A and B)", true),
            ("A == 'x'", "not A", true),
            ("A == 'x'", "A != 'x'", true),
            ("A != 'x'", "A != 'y'", false),
            ("A in ['x', 'y']", "A != 'x'", false),
            ("A in ['x', 'y']", "A not in t", true),
            ("A == 'x' or A == 'y'", "A == 'z'", true),
            ("A == 'x' or B == 'y'", "A == 'z'", false),
            ("(A == 'x' or A == 'y') and B == '1'", "A == 'x' and B == '2' or A == 'z'", true),
            ("A[*] == 'x'", "A[*] == 'y'", false),
            ("A[*] == 'x'", "A[*] != 'x'", true),
            ("A | lower == 'x'", "A | lower == 'y'", true),
            ("A | lower == 'x'", "A == 'y'", false),
            ("A | lookup t == '1'", "A | lookup t == '2'", false),
            ("A == B", "not A", true),
            ("A == B", "A == 'x'", false),
            ("A == B", "A != B", false),
        ] {
            assert_eq!(exclude(one, other), expected, "{one} / {other}");
            assert_eq!(exclude(other, one), expected, "{other} / {one}");
        }
    }

    #[test]
    fn a_condition_of_too_many_ways_goes_with_any_other() {
        let many =
            (0..9).map(|number| format!("(A == '{number}' or B == '{number}')")).collect::<Vec<_>>().join(" and ");
        assert!(ways(&condition(&many)).is_none());
        assert!(!exclude(&many, "A == 'x'"));
    }

    fn conditions() -> impl Strategy<Value = String> {
        let test = prop_oneof![
            Just("A"),
            Just("B"),
            Just("A == 'x'"),
            Just("A == 'y'"),
            Just("A != 'x'"),
            Just("B in ['x', 'z']"),
            Just("A in t"),
            Just("A not in t"),
            Just("A matches 'x*'"),
            Just("A matches '?'"),
            Just("A not matches '*z'"),
            Just("A[*] == 'x'"),
            Just("A[*] != 'y'"),
            Just("A | upper == 'X'"),
            Just("A == B"),
            Just("A != B"),
        ];
        test.prop_map(str::to_owned).prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|one| format!("not ({one})")),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} and {other})")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("({one} or {other})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_called_exclusive_never_holds_together(
            one in conditions(),
            other in conditions(),
            messages in prop::collection::vec(("[xyz]{0,2}(~[xyz])?|\"\"", "[xyz]{0,1}"), 8),
        ) {
            if !exclude(&one, &other) {
                return Ok(());
            }
            let (first, second) = (condition(&one), condition(&other));
            for (a, b) in messages {
                let text = format!("A: {a}\nB: {b}");
                let note = Note::new(&text);
                let view = View::new(&note);
                prop_assert!(!(first.holds(&view) && second.holds(&view)), "{one} / {other}: {text}");
            }
        }

        #[test]
        fn patterns_overlap_where_a_text_has_both_forms(one in "[ab?*]{0,5}", other in "[ab?*]{0,5}", text in "[abc]{0,5}") {
            if matches(&one, &text) && matches(&other, &text) {
                prop_assert!(overlap(&one, &other));
            }
        }
    }
}
