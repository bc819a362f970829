//! How cases went, for a build server, in the form that JUnit has made common.

use std::fmt::Write as _;

use super::report::{CaseResult, Report, Verdict};
use crate::xml::escaped;

/// The report as an XML document: one suite a mapping.
pub fn junit(report: &Report) -> String {
    let (all, failed) = (report.results.len(), report.failed());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"mappings\" tests=\"{all}\" failures=\"{failed}\">\n"
    );
    for results in report.results.chunk_by(|one, other| one.mapping == other.mapping) {
        xml.push_str(&suite(results));
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(results: &[CaseResult]) -> String {
    let name = escaped(results.first().map_or("", |result| &result.mapping));
    let failed = results.iter().filter(|result| result.verdict != Verdict::Passed).count();
    let mut xml = format!("  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\">\n", results.len());
    for result in results {
        let (title, place) = (escaped(&result.title), escaped(&result.place));
        // Writing to a string cannot fail.
        let _ = write!(xml, "    <testcase classname=\"{name}\" name=\"{title}\" file=\"{place}\"");
        xml.push_str(&inside(&result.verdict));
    }
    xml.push_str("  </testsuite>\n");
    xml
}

/// What is told of a case, and its end.
fn inside(verdict: &Verdict) -> String {
    let failure = |message: &str, told: &str| {
        let (message, told) = (escaped(message), escaped(told));
        format!(">\n      <failure message=\"{message}\">{told}</failure>\n    </testcase>\n")
    };
    match verdict {
        Verdict::Passed => "/>\n".to_owned(),
        Verdict::Broken(reason) => failure(reason, reason),
        Verdict::Differs(differences) => {
            let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
            failure(lines.first().map_or("", String::as_str), &lines.join("\n"))
        }
    }
}
