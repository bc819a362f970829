//! A report for a person.

use std::fmt::Write as _;

use super::finding::bounded;
use super::report::{Line, Outcome, Report};

/// How wide a clause's wording is shown.
const WORDING: usize = 64;

/// How much of an explanation is shown.
const EXPLANATION: usize = 240;

/// The report, grouped and aligned; `paint` emphasises the outcomes.
pub fn text(report: &Report, paint: impl Fn(Outcome, &str) -> String) -> String {
    let mut text = format!("{}, judged by FHIRcast {}\n", bounded(&report.hub, 200), report.edition);
    let mut section = "";
    for line in &report.lines {
        if line.section != section {
            section = line.section;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{section}");
        }
        text.push_str(&clause(line, &paint));
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

fn clause(line: &Line, paint: impl Fn(Outcome, &str) -> String) -> String {
    let outcome = paint(line.outcome, &format!("{:<14}", line.outcome.name()));
    let reason =
        if line.reason.is_empty() { String::new() } else { format!(" ({})", bounded(&line.reason, EXPLANATION)) };
    let level = line.level.map_or("", |level| level.name());
    let row = format!("  {:<8} {outcome} {level:<6} {:<WORDING$}{reason}", line.id, line.wording);
    let mut text = format!("{}\n", row.trim_end());
    if !line.asked.is_empty() {
        let (asked, seen) = (bounded(&line.asked, EXPLANATION), bounded(&line.seen, EXPLANATION));
        let _ = write!(text, "{:11}asked: {asked}\n{:11}seen:  {seen}\n", "", "");
    }
    text
}

/// The counts, worst first: `1 fail, 2 pass`.
pub fn summary(report: &Report) -> String {
    let counts = Outcome::ALL.map(|outcome| (outcome, report.count(outcome)));
    let counts: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
    let words: Vec<_> = counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.name())).collect();
    if words.is_empty() { "nothing to verify".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn a_report_is_grouped_and_explains_its_failures() {
        let shown = text(&example(), |_, word| word.to_owned());
        let wording = format!("{:<WORDING$}", "A thing is done");
        let expected = format!(
            "http://hub.example/hub, judged by FHIRcast 3.0.0\n\
             \nDiscovery\n\
             \x20 DISC-01  pass           SHALL  A thing is done\n\
             \nSubscribing\n\
             \x20 SUB-01   fail           SHALL  A thing is done\n\
             \x20          asked: 202\n\
             \x20          seen:  500 <html>\n\
             \x20 SUB-02   not testable   SHALL  {wording} (it cannot be seen)\n\
             \n1 fail, 1 pass, 1 not testable\n"
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn only_outcomes_are_painted_and_nothing_of_the_hubs_steers() {
        let mut report = example();
        report.lines[1].seen = "\u{1b}[2J".into();
        let shown = text(&report, |_, word| format!("<{word}>"));
        assert!(!shown.contains('\u{1b}') && shown.contains("<fail          >"), "{shown}");
    }

    #[test]
    fn an_empty_report_says_so() {
        let report = Report { lines: Vec::new(), ..example() };
        assert_eq!(summary(&report), "nothing to verify");
    }
}
