//! `verify`: how well a hub follows FHIRcast, clause by clause.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Failure;
use super::terminal::Terminal;
use crate::verify::{Edition, Outcome, RealTime, Report, Request, json, junit, summary, text, verify as run};

/// Arguments of `verify`.
#[derive(Args)]
pub(super) struct VerifyArguments {
    /// The hub: `hub.url`
    #[arg(long, default_value = "http://127.0.0.1:8080/hub")]
    hub: String,
    /// An access token that may read and write everything, for a hub that asks for one; `@FILE` holds it
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// A token for `fhircast/Patient-open.read` alone, to see what scopes do; `@FILE` holds it
    #[arg(long, value_name = "TOKEN", requires = "token")]
    limited_token: Option<String>,
    /// The edition to judge by: 2.0.0, 2.1.0-ballot or 3.0.0 [default: what the hub says, else 3.0.0]
    #[arg(long)]
    edition: Option<Edition>,
    /// Judge as IHE RAD IRA asks of its Hub actor, too
    #[arg(long)]
    strict_ira: bool,
    /// Look at what clients in the field rely on, too
    #[arg(long)]
    clients: bool,
    /// Judge it as one that bends towards those clients: what leniency overrules is not asked for, what it adds is
    #[arg(long, conflicts_with = "strict_ira")]
    lenient: bool,
    /// Hold the hub to the choices that this project's own hub makes
    #[arg(long)]
    strict_ours: bool,
    /// How to write the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Nothing but these clauses, separated by commas: SUB-11,NOT-05
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    only: Vec<String>,
    /// Do what takes minutes, too: ends of leases, silence, lost sockets
    #[arg(long)]
    slow: bool,
    /// How many seconds an answer or a message may take
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=120))]
    patience: u64,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Junit,
}

pub(super) async fn verify(arguments: VerifyArguments) -> Result<(), Failure> {
    let format = arguments.format;
    let request = request(arguments)?;
    let report = tokio::select! {
        report = run(request, Arc::new(RealTime)) => report.map_err(|error| Failure::Failed(format!("error: {error}")))?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::Failed("error: interrupted".into())),
    };
    show(&report, format);
    match report.conforms() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("error: the hub does not conform: {}", summary(&report)))),
    }
}

fn request(arguments: VerifyArguments) -> Result<Request, Failure> {
    let request = Request {
        hub: arguments.hub,
        token: arguments.token.map(token).transpose()?,
        limited_token: arguments.limited_token.map(token).transpose()?,
        edition: arguments.edition,
        strict_ira: arguments.strict_ira,
        lenient: arguments.lenient,
        clients: arguments.clients,
        only: arguments.only,
        slow: arguments.slow,
        strict_ours: arguments.strict_ours,
        patience: Duration::from_secs(arguments.patience),
    };
    let unknown = request.unknown().join(", ");
    if unknown.is_empty() { Ok(request) } else { Err(Failure::Failed(format!("error: no such clause: {unknown}"))) }
}

/// A token as it was given, or from the file that was named, so that it need not stand in a list of processes.
fn token(given: String) -> Result<String, Failure> {
    let Some(path) = given.strip_prefix('@') else { return Ok(given) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("error: cannot read {path}: {error}")))?;
    Ok(text.trim().to_owned())
}

fn show(report: &Report, format: Format) {
    match format {
        Format::Text => print!("{}", text(report, |outcome, word| paint(Terminal::of_stdout(), outcome, word))),
        Format::Json => println!("{:#}", json(report)),
        Format::Junit => print!("{}", junit(report)),
    }
}

fn paint(terminal: Terminal, outcome: Outcome, word: &str) -> String {
    match outcome {
        Outcome::Pass => terminal.green(word),
        Outcome::Fail => terminal.red(word),
        Outcome::Warning | Outcome::Differs => terminal.bold(word),
        Outcome::NotApplicable | Outcome::NotTestable | Outcome::Skipped => terminal.dim(word),
    }
}
