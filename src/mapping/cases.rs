//! Cases: whole messages in Markdown, each with the JSON that its mapping must make of it.
//!
//! A case is a fenced message (` ```hl7 `) and the next ` ```json ` fence; the last heading before it is its name. What the
//! expectation does not name is not compared; in its texts `*` stands for any characters; `null` says that a member is absent.
//!
//! Knows no protocol and no disk: files are handed in as text, and so is what reads a message of each protocol.

mod compare;
mod junit;
mod markdown;
mod report;
mod tree;
mod update;

use std::sync::Arc;

use fhircast_gateway_adapter_api::Fields;
use serde_json::Value;

use super::set::{Mapping, MappingSet};

pub use compare::Difference;
pub use junit::junit;
pub use markdown::{Fence, fences};
pub use report::{CaseResult, Ink, Report, Verdict};
pub(crate) use tree::laid_out;
pub use update::{Update, updates};

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

/// Runs all cases of `files` on the mappings of `set`.
pub fn run(set: &MappingSet, files: &[CaseFile], readers: &[MessageReader]) -> Report {
    let mut report = Report::default();
    for file in files {
        let cases = cases(&file.text, readers);
        if cases.is_empty() {
            let verdict = Verdict::Broken("the file holds no case: a fenced message, then a fenced json".to_owned());
            report.results.push(CaseResult {
                mapping: file.mapping.clone(),
                title: file.mapping.clone(),
                place: file.path.clone(),
                verdict,
            });
        }
        report.results.extend(cases.into_iter().map(|case| CaseResult {
            mapping: file.mapping.clone(),
            verdict: case.verdict(set, &file.mapping),
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
    /// Where the message's closing fence ends.
    message_end: usize,
    /// None if the file ends without one.
    expectation: Option<&'t str>,
}

impl Case<'_> {
    fn verdict(&self, set: &MappingSet, mapping: &str) -> Verdict {
        let outcome = || -> Result<Vec<Difference>, String> {
            let (mapping, fields) = self.subject(set, mapping)?;
            let expected = self.expected()?;
            Ok(compare::differences(&expected, &mapping.outcome(&*fields)))
        };
        match outcome() {
            Ok(differences) if differences.is_empty() => Verdict::Passed,
            Ok(differences) => Verdict::Differs(differences),
            Err(reason) => Verdict::Broken(reason),
        }
    }

    /// The mapping, and the message that it is given.
    fn subject<'s>(&self, set: &'s MappingSet, mapping: &str) -> Result<(&'s Mapping, Arc<dyn Fields>), String> {
        let mapping = set.mapping(mapping).ok_or_else(|| format!("there is no mapping `{mapping}`"))?;
        let fields = (self.reader.read)(self.message.as_bytes());
        Ok((mapping, fields.map_err(|reason| format!("the message cannot be read: {reason}"))?))
    }

    fn expected(&self) -> Result<Value, String> {
        let text = self.expectation.ok_or("no json fence after the message says what is expected")?;
        serde_json::from_str(text).map_err(|error| format!("the expectation is no JSON: {error}"))
    }
}

/// The cases of a Markdown text.
fn cases<'t>(text: &'t str, readers: &[MessageReader]) -> Vec<Case<'t>> {
    let mut cases: Vec<Case<'t>> = Vec::new();
    for Fence { heading, line, language, content, end } in fences(text) {
        if let Some(reader) = readers.iter().find(|reader| reader.fence == language) {
            let message = content.trim_end().to_owned();
            let title = heading.to_owned();
            cases.push(Case { title, line, message, reader: *reader, message_end: end, expectation: None });
        } else if language == "json"
            && let Some(case) = cases.last_mut().filter(|case| case.expectation.is_none())
        {
            case.expectation = Some(content);
        }
    }
    cases
}
