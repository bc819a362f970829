//! `messages reprocess` and `messages handled`: through the running gateway, one message after the other.

use clap::Args;
use reqwest::StatusCode;
use serde::Serialize;

use super::super::Failure;
use super::super::operator_api::{Answer, OperatorApi, read};
use super::super::store::failed;
use super::super::terminal::one_line;
use super::filter::FilterArguments;
use super::{number, open, zone};
use crate::config::Config;
use crate::gateway::{Reprocess, Reprocessed, Settle};
use crate::store::Filter;

/// Arguments of `messages reprocess`.
#[derive(Args)]
pub(super) struct ReprocessArguments {
    /// The messages' numbers, as `messages` lists them
    #[arg(value_name = "ID", value_parser = number, required_unless_present = "dead_letters", conflicts_with_all = FILTERS)]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Show what would become of them, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show events on screens that are too old for that: past their mapping's `not_after`, or 60 s where it has none
    #[arg(long)]
    even_if_old: bool,
    /// Who has this done, for the audit log; without it, the system's user
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

const FILTERS: [&str; 8] = ["since", "until", "last", "source", "control_id", "outcome", "patient", "dead_letters"];

/// Arguments of `messages handled`.
#[derive(Args)]
pub(super) struct HandledArguments {
    /// The messages' numbers, as `messages` lists them
    #[arg(value_name = "ID", value_parser = number, required = true)]
    ids: Vec<i64>,
    /// What was done about them
    #[arg(long, value_name = "TEXT", conflicts_with = "undo")]
    note: Option<String>,
    /// They are not handled, after all
    #[arg(long)]
    undo: bool,
    /// Who says so; without it, the system's user
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

/// Numbers that are asked of the store at once.
const PAGE: usize = 1000;

pub(super) async fn reprocess(
    arguments: ReprocessArguments,
    system_user: Option<String>,
    config: &Config,
) -> Result<(), Failure> {
    let ids = match arguments.filter.dead_letters {
        true => dead_letters(&arguments.filter, config)?,
        false => arguments.ids,
    };
    if ids.is_empty() {
        println!("No dead letter matches.");
        return Ok(());
    }
    let (dry_run, even_if_old) = (arguments.dry_run, arguments.even_if_old);
    let asked = Reprocess { operator: operator(arguments.operator, system_user)?, even_if_old, dry_run };
    let mut tally = Tally::default();
    let each = |answer: &str| {
        let done: Reprocessed = read(answer)?;
        println!("{}", line(&done, dry_run));
        tally.add(&done);
        Ok(())
    };
    let ended = one_by_one(config, &ids, "reprocess", &asked, each).await;
    print!("{}", tally.summary(dry_run, even_if_old));
    ended
}

pub(super) async fn handled(
    arguments: HandledArguments,
    system_user: Option<String>,
    config: &Config,
) -> Result<(), Failure> {
    let operator = operator(arguments.operator, system_user)?;
    let asked = Settle { operator, note: arguments.note, undo: arguments.undo };
    one_by_one(config, &arguments.ids, "handled", &asked, |_| Ok(())).await?;
    let (what, number) = (if asked.undo { "again dead letters" } else { "marked as handled" }, arguments.ids.len());
    println!("{what}: {number}. `fhircast-gateway messages --dead-letters` lists what still waits.");
    Ok(())
}

/// Oldest first, as they came.
fn dead_letters(filter: &FilterArguments, config: &Config) -> Result<Vec<i64>, Failure> {
    let mut filter: Filter = filter.filter(&zone())?;
    let (messages, mut ids) = (open(config)?, Vec::new());
    loop {
        let rows = messages.list(&filter, PAGE).map_err(|error| failed(&error))?;
        ids.extend(rows.iter().map(|row| row.id));
        filter.before = ids.last().copied();
        if rows.len() < PAGE {
            ids.reverse();
            return Ok(ids);
        }
    }
}

fn operator(said: Option<String>, system_user: Option<String>) -> Result<String, Failure> {
    said.or(system_user).ok_or_else(|| {
        Failure::Failed("error: the system does not say who you are\n  = help: say it with --operator NAME".to_owned())
    })
}

/// Asks for `what` of one message after the other. What the gateway says of one alone is told, and the rest goes on; what the next
/// one would meet as well ends it.
async fn one_by_one(
    config: &Config,
    ids: &[i64],
    what: &str,
    asked: &impl Serialize,
    mut done: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let api = OperatorApi::new(config)?;
    let mut not_done = 0;
    for (number, id) in ids.iter().enumerate() {
        let stopped = |text: String| match ids.len() {
            1 => Failure::Failed(text),
            all => Failure::Failed(format!(
                "{text}\nStopped at message {id}, after {number} of {all}; the rest is as it was."
            )),
        };
        let Answer { status, body } = match api.post(&format!("/messages/{id}/{what}"), asked).await {
            Ok(answer) => answer,
            Err(Failure::Failed(text) | Failure::Refused(text)) => return Err(stopped(text)),
            Err(Failure::Shown) => return Err(Failure::Shown),
        };
        match status {
            status if status.is_success() => done(&body)?,
            // Of this message alone.
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => {
                eprintln!("error: {}", one_line(body.trim(), 500));
                not_done += 1;
            }
            _ => return Err(stopped(format!("error: {}", one_line(body.trim(), 500)))),
        }
    }
    match not_done {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{not_done} of {} were not done.", ids.len()))),
    }
}

/// What became of one message.
fn line(done: &Reprocessed, dry_run: bool) -> String {
    let names: Vec<&str> = done.events.iter().map(|(name, _)| name.as_str()).collect();
    let would = if dry_run { "would be " } else { "" };
    let events = (!names.is_empty()).then(|| {
        let session = done.session.as_deref().map(|session| format!(" to session {session}")).unwrap_or_default();
        format!("{}{session}", names.join(", "))
    });
    let mapping = done.mapping.as_deref().map(|mapping| format!("by {mapping}"));
    let words: Vec<String> = [events, mapping, done.reason.clone()].into_iter().flatten().collect();
    let line = format!("{:>8}  {would}{}: {}", done.message, done.outcome, words.join("; "));
    one_line(&line, 500)
}

/// How many came to what.
#[derive(Default)]
struct Tally {
    outcomes: Vec<(String, usize)>,
    too_old: usize,
    waiting: usize,
}

impl Tally {
    fn add(&mut self, done: &Reprocessed) {
        match self.outcomes.iter_mut().find(|(outcome, _)| *outcome == done.outcome) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((done.outcome.clone(), 1)),
        }
        self.too_old += usize::from(done.outcome == "too old");
        self.waiting += usize::from(done.is_dead_letter);
    }

    fn summary(&self, dry_run: bool, even_if_old: bool) -> String {
        let words: Vec<String> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        if words.is_empty() {
            return String::new();
        }
        let mut lines = vec![match dry_run {
            true => format!("Would be: {}. Nothing was changed: without --dry-run, it is.", words.join(", ")),
            false => format!("Reprocessed: {}.", words.join(", ")),
        }];
        if self.too_old > 0 && !even_if_old {
            lines.push(
                "What is too old is not shown, as it may be true of nobody's screen any more: --even-if-old shows it."
                    .into(),
            );
        }
        if self.waiting > 0 {
            lines.push(format!(
                "Still dead letters: {}. Next: `fhircast-gateway messages explain ID`; the gateway reads mapping files when it starts.",
                self.waiting
            ));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: &str) -> Reprocessed {
        let published = outcome == "accepted";
        Reprocessed {
            message: 18,
            outcome: outcome.into(),
            reason: (!published).then(|| "PID-3 is empty".to_owned()),
            mapping: Some("vendors/acme-ris".into()),
            session: published.then(|| "1a2b3c4d".to_owned()),
            events: if published { vec![("Patient-open".into(), "5d0e".into())] } else { Vec::new() },
            is_dead_letter: outcome == "rejected",
        }
    }

    #[test]
    fn a_line_tells_what_became_of_it_or_would() {
        assert_eq!(
            line(&done("accepted"), false),
            "      18  accepted: Patient-open to session 1a2b3c4d; by vendors/acme-ris"
        );
        assert_eq!(line(&done("rejected"), true), "      18  would be rejected: by vendors/acme-ris; PID-3 is empty");
    }

    #[test]
    fn the_sum_tells_what_was_changed_and_what_still_waits() {
        let mut tally = Tally::default();
        ["accepted", "rejected", "accepted", "too old"].map(done).iter().for_each(|done| tally.add(done));
        insta::assert_snapshot!("reprocessed", tally.summary(false, false));
        insta::assert_snapshot!("would_be_reprocessed", tally.summary(true, true));
    }
}
