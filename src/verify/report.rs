//! What a verification has come to, clause by clause.

use super::catalogue::{Clause, Level};
use super::finding::{Finding, Verdict};

/// A whole verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which hub.
    pub hub: String,
    /// By which edition it was judged.
    pub edition: String,
    /// Each clause, in the order of the catalogue.
    pub lines: Vec<Line>,
}

/// One clause's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The clause.
    pub id: &'static str,
    /// Where it stands in the catalogue.
    pub section: &'static str,
    /// How strongly it is asked; `None` where the edition does not have it.
    pub level: Option<Level>,
    /// What it asks for, in a line.
    pub wording: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was asked for exactly, where something else was seen.
    pub asked: String,
    /// What was seen.
    pub seen: String,
    /// Why it does not apply, cannot be tested, or was not.
    pub reason: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// What came of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The hub does it.
    Pass,
    /// The hub does something else, and must not.
    Fail,
    /// The hub does something else, and should not.
    Warning,
    /// The hub does something else, as it may.
    Differs,
    /// The clause says nothing of this hub.
    NotApplicable,
    /// It cannot be seen from outside.
    NotTestable,
    /// It was left out of this run.
    Skipped,
}

impl Outcome {
    /// All of them, worst first, as they are counted.
    pub const ALL: [Self; 7] =
        [Self::Fail, Self::Warning, Self::Differs, Self::Pass, Self::NotApplicable, Self::NotTestable, Self::Skipped];

    /// The outcome in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warning => "warning",
            Self::Differs => "differs",
            Self::NotApplicable => "not applicable",
            Self::NotTestable => "not testable",
            Self::Skipped => "skipped",
        }
    }

    /// What a failed check of this level comes to: for our own hub all is laid down.
    fn of_failure(level: Level, ours: bool) -> Self {
        match level {
            _ if ours => Self::Fail,
            Level::Shall => Self::Fail,
            Level::Should => Self::Warning,
            Level::May | Level::Policy => Self::Differs,
        }
    }
}

impl Level {
    /// The level as specifications write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shall => "SHALL",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Policy => "POLICY",
        }
    }
}

impl Report {
    /// How many clauses have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.lines.iter().filter(|line| line.outcome == outcome).count()
    }

    /// Whether nothing failed.
    pub fn conforms(&self) -> bool {
        self.count(Outcome::Fail) == 0
    }
}

impl Line {
    /// A clause of which nothing is known yet but why.
    pub(super) fn without_check(clause: &Clause, level: Option<Level>, outcome: Outcome, reason: String) -> Self {
        Self {
            id: clause.id,
            section: clause.section(),
            level,
            wording: clause.wording,
            outcome,
            asked: String::new(),
            seen: String::new(),
            reason,
            milliseconds: 0,
        }
    }

    /// A clause of which a check has told.
    pub(super) fn checked(clause: &Clause, level: Level, verdict: Verdict, ours: bool, milliseconds: u64) -> Self {
        let line = Self::without_check(clause, Some(level), Outcome::Pass, String::new());
        let line = match verdict {
            Ok(()) => line,
            Err(Finding::Failed { asked, seen }) => {
                Self { outcome: Outcome::of_failure(level, ours), asked, seen, ..line }
            }
            Err(Finding::NotApplicable(reason)) => Self { outcome: Outcome::NotApplicable, reason, ..line },
            Err(Finding::NotTestable(reason)) => Self { outcome: Outcome::NotTestable, reason, ..line },
        };
        Self { milliseconds, ..line }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A line of each sort, for the renderers' tests.
    pub(in crate::verify) fn example() -> Report {
        let line = |id, section, outcome, asked: &str, seen: &str, reason: &str| Line {
            id,
            section,
            level: Some(Level::Shall),
            wording: "A thing is done",
            outcome,
            asked: asked.into(),
            seen: seen.into(),
            reason: reason.into(),
            milliseconds: 12,
        };
        Report {
            hub: "http://hub.example/hub".into(),
            edition: "3.0.0".into(),
            lines: vec![
                line("DISC-01", "Discovery", Outcome::Pass, "", "", ""),
                line("SUB-01", "Subscribing", Outcome::Fail, "202", "500 <html>", ""),
                line("SUB-02", "Subscribing", Outcome::NotTestable, "", "", "it cannot be seen"),
            ],
        }
    }

    #[test]
    fn what_a_failure_comes_to_depends_on_the_level_and_on_whose_hub_it_is() {
        for (level, ours, outcome) in [
            (Level::Shall, false, Outcome::Fail),
            (Level::Should, false, Outcome::Warning),
            (Level::May, false, Outcome::Differs),
            (Level::Policy, false, Outcome::Differs),
            (Level::Policy, true, Outcome::Fail),
        ] {
            assert_eq!(Outcome::of_failure(level, ours), outcome, "{level:?} {ours}");
        }
    }

    #[test]
    fn one_failure_is_enough() {
        let mut report = example();
        assert!(!report.conforms());
        assert_eq!(Outcome::ALL.map(|outcome| report.count(outcome)).iter().sum::<usize>(), report.lines.len());
        report.lines.remove(1);
        assert!(report.conforms());
    }
}
