//! A report for a program.

use serde_json::{Map, Value, json};

use super::report::{Line, Outcome, Report};

/// The report as one JSON object.
pub fn json(report: &Report) -> Value {
    let counts: Map<_, _> =
        Outcome::ALL.iter().map(|outcome| (outcome.name().to_owned(), report.count(*outcome).into())).collect();
    let clauses: Vec<_> = report.lines.iter().map(clause).collect();
    json!({
        "hub": report.hub,
        "edition": report.edition,
        "conforms": report.conforms(),
        "counts": counts,
        "clauses": clauses,
    })
}

fn clause(line: &Line) -> Value {
    let mut clause = json!({
        "id": line.id,
        "section": line.section,
        "level": line.level.map(|level| level.name()),
        "wording": line.wording,
        "outcome": line.outcome.name(),
        "milliseconds": line.milliseconds,
    });
    for (name, value) in [("asked", &line.asked), ("seen", &line.seen), ("reason", &line.reason)] {
        if !value.is_empty() {
            clause[name] = value.as_str().into();
        }
    }
    clause
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn a_report_is_an_object_with_its_counts() {
        let shown = json(&example());
        assert_eq!(shown["conforms"], false);
        assert_eq!((&shown["counts"]["fail"], &shown["counts"]["warning"]), (&json!(1), &json!(0)));
        let expected = json!({
            "id": "SUB-01", "section": "Subscribing", "level": "SHALL", "wording": "A thing is done",
            "outcome": "fail", "milliseconds": 12, "asked": "202", "seen": "500 <html>",
        });
        assert_eq!(shown["clauses"][1], expected);
        assert_eq!(shown["clauses"][2]["reason"], "it cannot be seen");
    }
}
