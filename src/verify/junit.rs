//! A report for a build server, in the form that JUnit has made common.

use std::fmt::Write as _;

use super::report::{Line, Outcome, Report};
use crate::xml::escaped;

/// The report as an XML document: one suite a section, one case a clause.
pub fn junit(report: &Report) -> String {
    let (failed, skipped) = (report.count(Outcome::Fail), report.lines.iter().filter(|line| is_skipped(line)).count());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"FHIRcast {} at {}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
        escaped(&report.edition),
        escaped(&report.hub),
        report.lines.len(),
    );
    for lines in report.lines.chunk_by(|one, other| one.section == other.section) {
        xml.push_str(&suite(lines));
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(lines: &[Line]) -> String {
    let failed = lines.iter().filter(|line| line.outcome == Outcome::Fail).count();
    let skipped = lines.iter().filter(|line| is_skipped(line)).count();
    let name = lines.first().map_or("", |line| line.section);
    let mut xml = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
        escaped(name),
        lines.len()
    );
    for line in lines {
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            "    <testcase classname=\"{}\" name=\"{} {}\" time=\"{}.{:03}\"",
            escaped(name),
            line.id,
            escaped(line.wording),
            line.milliseconds / 1000,
            line.milliseconds % 1000,
        );
        xml.push_str(&inside(line));
    }
    xml.push_str("  </testsuite>\n");
    xml
}

/// What is told of a case, and its end.
fn inside(line: &Line) -> String {
    let told = format!("asked: {}\nseen: {}", line.asked, line.seen);
    match line.outcome {
        Outcome::Pass => "/>\n".into(),
        Outcome::Fail => {
            let (message, told) = (escaped(&line.seen), escaped(&told));
            format!(">\n      <failure message=\"{message}\">{told}</failure>\n    </testcase>\n")
        }
        // Neither is a failure, and a build server knows no third kind of case that was run.
        Outcome::Warning | Outcome::Differs => {
            let told = escaped(&format!("{}: {told}", line.outcome.name()));
            format!(">\n      <system-out>{told}</system-out>\n    </testcase>\n")
        }
        Outcome::NotApplicable | Outcome::NotTestable | Outcome::Skipped => {
            let message = escaped(&format!("{}: {}", line.outcome.name(), line.reason));
            format!(">\n      <skipped message=\"{message}\"/>\n    </testcase>\n")
        }
    }
}

fn is_skipped(line: &Line) -> bool {
    matches!(line.outcome, Outcome::NotApplicable | Outcome::NotTestable | Outcome::Skipped)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn a_report_is_a_document_of_suites() {
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites name=\"FHIRcast 3.0.0 at http://hub.example/hub\" tests=\"3\" failures=\"1\" skipped=\"1\">\n\
            \x20 <testsuite name=\"Discovery\" tests=\"1\" failures=\"0\" skipped=\"0\">\n\
            \x20   <testcase classname=\"Discovery\" name=\"DISC-01 A thing is done\" time=\"0.012\"/>\n\
            \x20 </testsuite>\n\
            \x20 <testsuite name=\"Subscribing\" tests=\"2\" failures=\"1\" skipped=\"1\">\n\
            \x20   <testcase classname=\"Subscribing\" name=\"SUB-01 A thing is done\" time=\"0.012\">\n\
            \x20     <failure message=\"500 &lt;html&gt;\">asked: 202&#10;seen: 500 &lt;html&gt;</failure>\n\
            \x20   </testcase>\n\
            \x20   <testcase classname=\"Subscribing\" name=\"SUB-02 A thing is done\" time=\"0.012\">\n\
            \x20     <skipped message=\"not testable: it cannot be seen\"/>\n\
            \x20   </testcase>\n\
            \x20 </testsuite>\n\
            </testsuites>\n";
        assert_eq!(junit(&example()), expected);
    }
}
