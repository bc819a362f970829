//! Cases: whole messages in Markdown, each with the JSON that its mapping must make of it.
//!
//! A case is a fenced message (` ```hl7 `) and the next ` ```json ` fence; the last heading before it is its name. What the
//! expectation does not name is not compared; in its texts `*` stands for any characters; `null` says that a member is absent.
//!
//! Knows no protocol and no disk: files are handed in as text, and so is what reads a message of each protocol.

use std::fmt;
use std::sync::Arc;

use fhircast_gateway_adapter_api::Fields;
use serde_json::Value;

use super::condition::matches;
use super::set::MappingSet;

/// One file of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The mapping that is tried: `vendors/acme-ris` for all files in `mappings/vendors/acme-ris/cases`.
    pub mapping: String,
    /// What the report calls the file.
    pub path: String,
    /// The Markdown in it.
    pub text: String,
}

/// Reads the messages of one protocol.
#[derive(Clone, Copy)]
pub struct MessageReader {
    /// The word behind the fence: `hl7`.
    pub fence: &'static str,
    /// Reads what stands in such a fence.
    pub read: ReadMessage,
}

/// A message's fields; or why the bytes are no message.
pub type ReadMessage = fn(&[u8]) -> Result<Arc<dyn Fields>, String>;

/// How the cases went. `Display` is text for a terminal: a line for each case, and what differs.
#[derive(Debug, Default)]
pub struct Report {
    /// Every case, in order.
    pub results: Vec<CaseResult>,
}

/// How one case went.
#[derive(Debug)]
pub struct CaseResult {
    /// The heading above the case.
    pub title: String,
    /// File and line of the message.
    pub place: String,
    /// What differs from the expectation; nothing if it passed.
    pub differences: Vec<String>,
}

impl Report {
    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failed() == 0
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.results.iter().filter(|result| !result.differences.is_empty()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for CaseResult { title, place, differences } in &self.results {
            let word = if differences.is_empty() { "ok    " } else { "FAILED" };
            writeln!(formatter, "{word} {title} ({place})")?;
            differences.iter().try_for_each(|difference| writeln!(formatter, "       {difference}"))?;
        }
        let (failed, all) = (self.failed(), self.results.len());
        write!(formatter, "{} of {all} cases passed, {failed} failed", all - failed)
    }
}

/// Runs all cases of `files` on the mappings of `set`.
pub fn run(set: &MappingSet, files: &[CaseFile], readers: &[MessageReader]) -> Report {
    let mut report = Report::default();
    for file in files {
        let cases = cases(&file.text, readers);
        if cases.is_empty() {
            let differences = vec!["the file holds no case: a fenced message, then a fenced json".to_owned()];
            report.results.push(CaseResult { title: file.mapping.clone(), place: file.path.clone(), differences });
        }
        report.results.extend(cases.into_iter().map(|case| CaseResult {
            differences: differences(set, &file.mapping, &case),
            place: format!("{}:{}", file.path, case.line),
            title: case.title,
        }));
    }
    report
}

/// One case as written.
struct Case<'t> {
    title: String,
    line: usize,
    message: String,
    reader: MessageReader,
    /// None if the file ends without one.
    expectation: Option<&'t str>,
}

fn differences(set: &MappingSet, mapping: &str, case: &Case<'_>) -> Vec<String> {
    let Some(mapping) = set.mapping(mapping) else { return vec![format!("there is no mapping `{mapping}`")] };
    let Some(expectation) = case.expectation else {
        return vec!["no json fence after the message says what is expected".to_owned()];
    };
    let expected: Value = match serde_json::from_str(expectation) {
        Ok(expected) => expected,
        Err(error) => return vec![format!("the expectation is no JSON: {error}")],
    };
    match (case.reader.read)(case.message.as_bytes()) {
        Ok(fields) => {
            let mut differences = Vec::new();
            compare("", &expected, &mapping.outcome(&*fields), &mut differences);
            differences
        }
        Err(reason) => vec![format!("the message cannot be read: {reason}")],
    }
}

/// Notes where `actual` is not as `expected`, with the way there: `events[0].context[1].resource.gender`.
fn compare(way: &str, expected: &Value, actual: &Value, differences: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, expected) in expected {
                let way = if way.is_empty() { name.clone() } else { format!("{way}.{name}") };
                compare(&way, expected, actual.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                differences.push(format!("{way}: expected {} elements, got {}", expected.len(), actual.len()));
            }
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{way}[{index}]"), expected, actual, differences);
            }
        }
        (Value::String(expected), Value::String(actual)) if matches(expected, actual) => {}
        (Value::String(any), present) if any == "*" && !present.is_null() => {}
        _ if expected == actual => {}
        _ => differences.push(format!("{way}: expected {expected}, got {}", or_nothing(actual))),
    }
}

fn or_nothing(actual: &Value) -> String {
    if actual.is_null() { "nothing".to_owned() } else { actual.to_string() }
}

/// The cases of a Markdown text.
fn cases<'t>(text: &'t str, readers: &[MessageReader]) -> Vec<Case<'t>> {
    let mut cases: Vec<Case<'t>> = Vec::new();
    for Fence { heading, line, language, content } in fences(text) {
        if let Some(reader) = readers.iter().find(|reader| reader.fence == language) {
            let message = content.trim_end().to_owned();
            cases.push(Case { title: heading.to_owned(), line, message, reader: *reader, expectation: None });
        } else if language == "json"
            && let Some(case) = cases.last_mut().filter(|case| case.expectation.is_none())
        {
            case.expectation = Some(content);
        }
    }
    cases
}

/// A fenced block of Markdown.
#[derive(Debug, PartialEq, Eq)]
pub struct Fence<'t> {
    /// The last heading before it.
    pub heading: &'t str,
    /// The line of the content's beginning, counted from 1.
    pub line: usize,
    /// The word behind the opening fence.
    pub language: &'t str,
    /// The lines between the fences.
    pub content: &'t str,
}

/// The fenced blocks of a Markdown text, in order. One that is not closed goes to the end.
pub fn fences(text: &str) -> Vec<Fence<'_>> {
    let (mut fences, mut heading, mut at) = (Vec::new(), "", 0);
    let mut open: Option<(usize, usize, &str)> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = at + line.len();
        match (line.trim_end().strip_prefix("```"), open) {
            (Some(language), None) => open = Some((end, index + 2, language.trim())),
            (Some(_), Some((start, line, language))) => {
                fences.push(Fence { heading, line, language, content: &text[start..at] });
                open = None;
            }
            (None, None) if line.starts_with('#') => heading = line.trim_matches(['#', ' ', '\n', '\r']),
            (None, _) => {}
        }
        at = end;
    }
    fences.extend(open.map(|(start, line, language)| Fence { heading, line, language, content: &text[start..] }));
    fences
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_named_is_not_compared_and_stars_match_anything() {
        let actual = json!({ "a": { "b": "xyz", "c": [1, 2] }, "id": "7" });
        for (expected, differences) in [
            (json!({}), vec![]),
            (json!({ "a": { "b": "xyz" }, "id": "*" }), vec![]),
            (json!({ "a": { "b": "x*" }, "gone": null }), vec![]),
            (json!({ "a": { "c": [1] } }), vec!["a.c: expected 1 elements, got 2"]),
            (json!({ "a": { "c": [1, 3] } }), vec!["a.c[1]: expected 3, got 2"]),
            (json!({ "other": "*" }), vec!["other: expected \"*\", got nothing"]),
        ] {
            let mut found = Vec::new();
            compare("", &expected, &actual, &mut found);
            assert_eq!(found, differences, "{expected}");
        }
    }

    #[test]
    fn fences_are_found_with_heading_and_line() {
        let text = "# One\nprose\n```hl7\nMSH\n```\n## Two\n```json\n{}\n";
        let found = fences(text);
        assert_eq!(found[0], Fence { heading: "One", line: 4, language: "hl7", content: "MSH\n" });
        assert_eq!(found[1], Fence { heading: "Two", line: 8, language: "json", content: "{}\n" });
    }
}
