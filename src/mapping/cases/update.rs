//! `test --update`: expectations rewritten to what the mappings make now. Nothing else in a file changes, and of an
//! expectation only what no longer holds: its other members, its `*` and its `null` stay as they were written.

use std::ops::Range;

use serde_json::Value;

use super::super::set::MappingSet;
use super::compare::differences;
use super::tree::{Kind, Node};
use super::{Case, CaseFile, MessageReader, cases};

/// A file of cases, and what it holds once its expectations are what the mappings make now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The file.
    pub path: String,
    /// What it is to hold.
    pub text: String,
    /// The titles of the cases that change.
    pub titles: Vec<String>,
}

/// The files among `files` of which an expectation does not hold and can be rewritten. Cases whose message cannot be read, or
/// whose expectation is no JSON, stay as they are.
pub fn updates(set: &MappingSet, files: &[CaseFile], readers: &[MessageReader]) -> Vec<Update> {
    files.iter().filter_map(|file| update(set, file, readers)).collect()
}

fn update(set: &MappingSet, file: &CaseFile, readers: &[MessageReader]) -> Option<Update> {
    let mut edits = Edits::default();
    let mut titles = Vec::new();
    for case in cases(&file.text, readers) {
        let Ok((mapping, fields)) = case.subject(set, &file.mapping) else { continue };
        let actual = mapping.outcome_text(&*fields);
        if edits.revise_case(&case, &file.text, &actual) {
            titles.push(case.title);
        }
    }
    (!titles.is_empty()).then(|| Update { path: file.path.clone(), text: edits.apply(&file.text), titles })
}

/// Bytes of a file, each with what is to stand there instead; in order, and none over another.
#[derive(Default)]
struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    fn apply(self, text: &str) -> String {
        let mut edited = String::with_capacity(text.len());
        let mut at = 0;
        for (span, replacement) in self.0 {
            edited.push_str(&text[at..span.start]);
            edited.push_str(&replacement);
            at = span.end;
        }
        edited.push_str(&text[at..]);
        edited
    }

    /// Notes what must change for the case to hold; false where nothing must, or can.
    fn revise_case(&mut self, case: &Case<'_>, file: &str, actual: &str) -> bool {
        let Ok(actual_node) = Node::read(actual) else { return false };
        let Some(expectation) = case.expectation else {
            self.0.push((case.message_end..case.message_end, new_expectation(file, case.message_end, &actual_node)));
            return true;
        };
        let (Ok(expected), Ok(node)) = (case.expected(), Node::read(expectation)) else { return false };
        if holds(&expected, actual_node.text) {
            return false;
        }
        let mut revision = Revision { text: expectation, edits: Vec::new() };
        revision.revise(&node, Some(&actual_node));
        let offset = (expectation.as_ptr() as usize).saturating_sub(file.as_ptr() as usize);
        let moved = |(span, text): (Range<usize>, String)| (span.start + offset..span.end + offset, text);
        // A name that is written twice counts once, by its last value: then the order of members is not that of the text.
        revision.edits.sort_by_key(|(span, _)| span.start);
        self.0.extend(revision.edits.into_iter().map(moved));
        true
    }
}

/// The fence that a message without an expectation lacks, behind the message's own.
fn new_expectation(file: &str, at: usize, actual: &Node<'_>) -> String {
    let line_end = if file[..at].ends_with('\n') { "" } else { "\n" };
    format!("{line_end}\n```json\n{}\n```\n", actual.laid_out(0, 0))
}

fn holds(expected: &Value, actual: &str) -> bool {
    serde_json::from_str(actual).is_ok_and(|actual: Value| differences(expected, &actual).is_empty())
}

/// The changes of one expectation.
struct Revision<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, String)>,
}

impl Revision<'_> {
    /// Rewrites as little of `expected` as makes it hold of `actual`.
    fn revise(&mut self, expected: &Node<'_>, actual: Option<&Node<'_>>) {
        let Some(actual) = actual else { return self.revise_absent(expected) };
        if serde_json::from_str(expected.text).is_ok_and(|it: Value| holds(&it, actual.text)) {
            return;
        }
        match (&expected.kind, &actual.kind) {
            (Kind::Object(members), Kind::Object(_)) if same_thing(expected, actual) => {
                members.iter().for_each(|(name, member)| self.revise(member, actual.member(name)));
            }
            (Kind::Array(elements), Kind::Array(actuals)) if !elements.is_empty() && !actuals.is_empty() => {
                self.revise_elements(elements, actuals);
            }
            _ => self.replace(expected.span.clone(), actual),
        }
    }

    /// What is no longer there becomes `null`, which says so.
    fn revise_absent(&mut self, expected: &Node<'_>) {
        if expected.text != "null" {
            self.edits.push((expected.span.clone(), "null".to_owned()));
        }
    }

    fn revise_elements(&mut self, elements: &[Node<'_>], actuals: &[Node<'_>]) {
        elements.iter().zip(actuals).for_each(|(element, actual)| self.revise(element, Some(actual)));
        let (Some(last), Some(kept)) = (elements.last(), elements.get(actuals.len().min(elements.len()) - 1)) else {
            return;
        };
        if actuals.len() < elements.len() {
            self.edits.push((kept.span.end..last.span.end, String::new()));
        }
        for added in actuals.iter().skip(elements.len()) {
            let text = self.one_more(&elements[0], added);
            self.edits.push((last.span.end..last.span.end, text));
        }
    }

    /// A further element, on a line of its own if the first has one.
    fn one_more(&self, first: &Node<'_>, added: &Node<'_>) -> String {
        let before = self.text[..first.span.start].rsplit('\n').next().unwrap_or_default();
        if before.trim().is_empty() && self.text[..first.span.start].contains('\n') {
            let indent = before.len();
            format!(",\n{before}{}", added.laid_out(indent, indent + 1))
        } else {
            format!(", {}", added.laid_out(self.indent(first.span.start), before.chars().count()))
        }
    }

    fn replace(&mut self, span: Range<usize>, actual: &Node<'_>) {
        let column = self.text[..span.start].rsplit('\n').next().unwrap_or_default().chars().count();
        let text = actual.laid_out(self.indent(span.start), column + 1);
        self.edits.push((span, text));
    }

    /// How far the line of byte `at` is indented.
    fn indent(&self, at: usize) -> usize {
        let line = self.text[..at].rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start().len()
    }
}

/// Whether two objects are about the same: else one is not rewritten into the other member by member.
fn same_thing(expected: &Node<'_>, actual: &Node<'_>) -> bool {
    let differs = |name: &str| match (expected.member(name), actual.member(name)) {
        (Some(expected), Some(actual)) => {
            !serde_json::from_str(expected.text).is_ok_and(|expected: Value| holds(&expected, actual.text))
        }
        _ => false,
    };
    // An outcome is a refusal, a message that is not accepted, or events: each has members that the others lack.
    let lost = |name: &str| expected.member(name).is_some_and(|it| it.text != "null") && actual.member(name).is_none();
    !["event", "key", "resourceType"].into_iter().any(differs)
        && !["refused", "accepted", "events"].into_iter().any(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectation, revised to hold of `actual`.
    fn revised(expectation: &str, actual: &str) -> String {
        let case = format!("```notes\n```\n```json\n{expectation}\n```\n");
        let readers = [MessageReader { fence: "notes", read: |_| Err("nobody reads it".into()) }];
        let mut edits = Edits::default();
        let found = cases(&case, &readers);
        edits.revise_case(&found[0], &case, actual);
        let text = edits.apply(&case);
        cases(&text, &readers)[0].expectation.unwrap().trim_end().to_owned()
    }

    #[test]
    fn only_what_no_longer_holds_is_rewritten() {
        for (expectation, actual, expected) in [
            (r#"{"a": "x",   "b": "*"}"#, r#"{"a":"y","b":"z","c":1}"#, r#"{"a": "y",   "b": "*"}"#),
            (r#"{"a": "x*", "b": null}"#, r#"{"a":"xyz","b":1}"#, r#"{"a": "x*", "b": 1}"#),
            (r#"{"a": "*", "b": {"c": 1}}"#, "{}", r#"{"a": null, "b": null}"#),
            (r#"{"a": [1, 2, 3]}"#, r#"{"a":[1,4]}"#, r#"{"a": [1, 4]}"#),
            (r#"{"a": [1, 2, 3]}"#, r#"{"a":[]}"#, r#"{"a": []}"#),
            (r#"{"a": [1]}"#, r#"{"a":[1,2,{"b":3}]}"#, r#"{"a": [1, 2, { "b": 3 }]}"#),
            (r#"{"a": []}"#, r#"{"a":[1]}"#, r#"{"a": [1]}"#),
            (r#"{"events": []}"#, r#"{"refused":"why"}"#, r#"{ "refused": "why" }"#),
            (
                r#"{"session": {"user": "a"}}"#,
                r#"{"session":{"user":"b"},"events":[]}"#,
                r#"{"session": {"user": "b"}}"#,
            ),
        ] {
            assert_eq!(revised(expectation, actual), expected, "{expectation}");
        }
    }

    #[test]
    fn a_new_element_stands_on_a_line_of_its_own_where_the_first_does() {
        let expectation = "{\n  \"a\": [\n    \"x\"\n  ]\n}";
        let expected = "{\n  \"a\": [\n    \"x\",\n    \"y\"\n  ]\n}";
        assert_eq!(revised(expectation, r#"{"a":["x","y"]}"#), expected);
    }

    #[test]
    fn an_event_of_another_name_is_replaced_as_a_whole() {
        let expectation = r#"{"events": [{"event": "Patient-open", "context": [{"key": "patient"}]}]}"#;
        let actual = r#"{"events":[{"event":"ImagingStudy-open","context":[{"key":"study"}]}]}"#;
        let expected = r#"{"events": [{ "event": "ImagingStudy-open", "context": [{ "key": "study" }] }]}"#;
        assert_eq!(revised(expectation, actual), expected);
    }

    #[test]
    fn a_name_written_twice_loses_nothing_else() {
        let expectation = r#"{"a": 1, "b": 2, "a": 3}"#;
        assert_eq!(revised(expectation, r#"{"a":4,"b":5}"#), r#"{"a": 1, "b": 5, "a": 4}"#);
    }

    proptest::proptest! {
        #[test]
        fn what_is_revised_holds(expected in json(), actual in json()) {
            let (expected, actual) = (format!("{{\"x\": {expected}}}"), format!("{{\"x\": {actual}}}"));
            let revised = revised(&expected, &actual);
            let value: Value = serde_json::from_str(&revised).unwrap();
            proptest::prop_assert!(holds(&value, &actual), "{revised} of {actual}");
        }
    }

    /// Small JSON values that are often alike.
    fn json() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let leaf = prop_oneof![Just("1"), Just("null"), Just("\"*\""), Just("\"ab\""), Just("\"a*\"")];
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
            let members = prop::collection::btree_map("[abc]", inner.clone(), 0..3);
            let object = members.prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
                format!("{{{}}}", members.join(", "))
            });
            let array = prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
            prop_oneof![object, array]
        })
    }
}
