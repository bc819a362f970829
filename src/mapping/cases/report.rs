//! How cases went, for people.

use std::fmt::{self, Write as _};

use super::compare::Difference;

/// How the cases went. `Display` is text without colours: a line for each case, and under it what differs.
#[derive(Debug, Default)]
pub struct Report {
    /// Every case, in order.
    pub results: Vec<CaseResult>,
}

/// How one case went.
#[derive(Debug)]
pub struct CaseResult {
    /// The mapping that was tried.
    pub mapping: String,
    /// The heading above the case.
    pub title: String,
    /// File and line of the message.
    pub place: String,
    /// Whether it held.
    pub verdict: Verdict,
}

/// Whether a case held.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message became what is expected.
    Passed,
    /// It became something else.
    Differs(Vec<Difference>),
    /// It could not be tried: why.
    Broken(String),
}

/// How a part of the report is to stand out, where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// What is as it should be.
    Good,
    /// What is not.
    Bad,
    /// What matters less.
    Faint,
}

impl Report {
    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failed() == 0
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.failures().count()
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| result.verdict != Verdict::Passed)
    }

    /// The text of [`Display`](fmt::Display), its parts painted by `paint`.
    pub fn text(&self, paint: impl Fn(Ink, &str) -> String) -> String {
        let mut text = String::new();
        for CaseResult { title, place, verdict, .. } in &self.results {
            let word = if *verdict == Verdict::Passed { paint(Ink::Good, "ok    ") } else { paint(Ink::Bad, "FAILED") };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{word} {title} {}", paint(Ink::Faint, &format!("({place})")));
            text.push_str(&verdict.text(&paint));
        }
        let (failed, all) = (self.failed(), self.results.len());
        let summary = format!("{} of {all} cases passed, {failed} failed", all - failed);
        text.push_str(&if failed == 0 { summary } else { paint(Ink::Bad, &summary) });
        text
    }
}

impl Verdict {
    fn text(&self, paint: &impl Fn(Ink, &str) -> String) -> String {
        match self {
            Self::Passed => String::new(),
            Self::Broken(reason) => format!("         {reason}\n"),
            Self::Differs(differences) => differences.iter().fold(String::new(), |mut text, difference| {
                let (expected, found) = (paint(Ink::Good, &difference.expected), paint(Ink::Bad, &difference.found));
                let path = if difference.path.is_empty() { "the whole" } else { &difference.path };
                let _ =
                    writeln!(text, "         {path}\n           expected  {expected}\n           found     {found}");
                text
            }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(|_, text| text.to_owned()))
    }
}
