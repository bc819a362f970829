//! Runs the checks: those that wait for nothing side by side, those that wait as time allows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, timeout};

use super::catalogue::{Check, Clause, Family, Level, Method, clauses};
use super::finding::{Finding, Verdict};
use super::hub::{Target, TargetParts};
use super::passage::Passage;
use super::report::{Line, Outcome, Report};
use super::room::Room;
use crate::client::ClientError;
use crate::fhircast::Edition;

/// What to verify, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The hub: `hub.url`.
    pub hub: String,
    /// A token of full access, where the hub asks for one.
    pub token: Option<String>,
    /// A token for `fhircast/Patient-open.read` alone.
    pub limited_token: Option<String>,
    /// The edition to judge by; else what discovery says, else 3.0.0.
    pub edition: Option<Edition>,
    /// Judge by IHE RAD IRA as well, which goes before the clauses that it overrules.
    pub strict_ira: bool,
    /// Judge it as one that bends towards the clients in the field.
    pub lenient: bool,
    /// Look at what clients in the field rely on as well.
    pub clients: bool,
    /// Nothing but these clauses; all where empty.
    pub only: Vec<String>,
    /// Do the checks that wait.
    pub slow: bool,
    /// Hold the hub to this project's own choices too.
    pub strict_ours: bool,
    /// How long an answer or a message may take.
    pub patience: Duration,
}

/// How many checks that wait for nothing run side by side.
const SIDE_BY_SIDE: usize = 4;

/// How many times its patience a check may take altogether; those that wait have their waits besides.
const STEPS: u32 = 12;

/// The longest that a check may wait on purpose: a granted lease.
const LONGEST_WAIT: Duration = Duration::from_secs(900);

impl Request {
    /// The ids in `only` that no clause has.
    pub fn unknown(&self) -> Vec<&str> {
        let known = |id: &str| clauses().any(|clause| clause.id.eq_ignore_ascii_case(id));
        self.only.iter().map(String::as_str).filter(|id| !known(id)).collect()
    }

    /// Whether a clause is to be looked at: asked for by name, or of a family that is.
    fn wants(&self, clause: &Clause) -> bool {
        if !self.only.is_empty() {
            return self.only.iter().any(|id| id.eq_ignore_ascii_case(clause.id));
        }
        match clause.family() {
            Family::Hub => true,
            Family::Ira => self.strict_ira,
            Family::Clients => self.clients,
        }
    }
}

/// Verifies a hub.
///
/// # Errors
/// When nobody answers at the hub's URL, or it is none.
pub async fn verify(request: Request, passage: Arc<dyn Passage>) -> Result<Report, ClientError> {
    let parts = TargetParts {
        url: request.hub.clone(),
        token: request.token.clone(),
        limited_token: request.limited_token.clone(),
        passage,
        patience: request.patience,
        ours: request.strict_ours,
        strict_ira: request.strict_ira,
        lenient: request.lenient,
    };
    let target = Target::reach(parts, request.edition).await?;
    let plans: Vec<_> = clauses().filter(|clause| request.wants(clause)).map(|clause| plan(clause, &target)).collect();
    let (prompt, waiting): (Vec<_>, Vec<_>) = plans.into_iter().enumerate().partition(|(_, plan)| !plan.waits);
    let mut lines = side_by_side(prompt, &target, SIDE_BY_SIDE).await;
    // What waits may move the clock, so nothing else runs beside it.
    let waiting = waiting.into_iter().map(|(place, plan)| (place, if request.slow { plan } else { plan.skipped() }));
    lines.extend(side_by_side(waiting.collect(), &target, target.passage.side_by_side()).await);
    lines.sort_by_key(|(place, _)| *place);
    let lines = lines.into_iter().map(|(_, line)| line).collect();
    Ok(Report { hub: target.url.to_string(), edition: target.edition.to_string(), lines })
}

/// What is to be done about a clause.
struct Plan {
    clause: &'static Clause,
    waits: bool,
    step: Step,
}

enum Step {
    Check(Check, Level),
    Tell(Option<Level>, Outcome, String),
}

impl Plan {
    fn skipped(self) -> Self {
        let step = match self.step {
            Step::Check(_, level) => Step::Tell(Some(level), Outcome::Skipped, "it waits: give --slow".into()),
            told => told,
        };
        Self { step, ..self }
    }
}

fn plan(clause: &'static Clause, target: &Target) -> Plan {
    let tell = |level, outcome, reason| Plan { clause, waits: false, step: Step::Tell(level, outcome, reason) };
    let Some(level) = clause.level(target.edition) else {
        return tell(None, Outcome::NotApplicable, format!("{} does not have it", target.edition));
    };
    if let (true, Some(requirement)) = (target.strict_ira, clause.overruled_by_ira()) {
        return tell(Some(level), Outcome::NotApplicable, format!("{requirement} asks for something else"));
    }
    if let (true, Some(requirement)) = (target.lenient, clause.overruled_by_leniency()) {
        return tell(Some(level), Outcome::NotApplicable, format!("{requirement} asks for something else"));
    }
    if !target.lenient && clause.is_for_lenient_hubs() {
        return tell(Some(level), Outcome::NotApplicable, "it goes beyond the standard: give --lenient".into());
    }
    match clause.method {
        Method::Prompt(check) => Plan { clause, waits: false, step: Step::Check(check, level) },
        Method::Waiting(check) => Plan { clause, waits: true, step: Step::Check(check, level) },
        Method::NotTestable(why) => tell(Some(level), Outcome::NotTestable, why.into()),
    }
}

async fn side_by_side(plans: Vec<(usize, Plan)>, target: &Target, most: usize) -> Vec<(usize, Line)> {
    let lines = plans.into_iter().map(|(place, plan)| async move { (place, carry_out(plan, target).await) });
    stream::iter(lines).buffer_unordered(most.max(1)).collect().await
}

async fn carry_out(plan: Plan, target: &Target) -> Line {
    let Plan { clause, waits, step } = plan;
    let (check, level) = match step {
        Step::Check(check, level) => (check, level),
        Step::Tell(level, outcome, reason) => return Line::without_check(clause, level, outcome, reason),
    };
    let begun = Instant::now();
    let limit = target.patience * STEPS + if waits { LONGEST_WAIT } else { Duration::ZERO };
    let verdict = in_a_room(check, target, limit).await;
    let verdict = verdict.map_err(|finding| {
        let tokens = [&target.token, &target.limited_token];
        tokens.into_iter().flatten().fold(finding, |finding, token| finding.without(token))
    });
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Line::checked(clause, level, verdict, target.ours, milliseconds)
}

/// Runs a check on a topic of its own, and leaves nothing behind.
async fn in_a_room(check: Check, target: &Target, limit: Duration) -> Verdict {
    let room = Room::new(target);
    let checked = async {
        // A strict hub knows no session without a subscriber.
        let _keeper = if target.strict_ira { Some(room.named_viewer("Keeper", "Keeper-open").await?) } else { None };
        check(&room).await
    };
    let late = || Err(Finding::failed("an end within bounds", format!("none after {limit:?}")));
    let verdict = timeout(limit, checked).await.unwrap_or_else(|_| late());
    room.tidy().await;
    verdict
}
