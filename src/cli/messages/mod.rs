//! `messages`: what became of a message, and what is to become of it.
//!
//! What only reads asks the database beside the gateway, and works while the gateway is down. What changes something goes through
//! the running gateway, as the database has one writer.

mod again;
mod explain;
mod filter;
mod list;
mod show;
#[cfg(test)]
mod testing;

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use self::filter::FilterArguments;
use super::store::{failed, found};
use super::{Failure, configured};
use crate::config::{Config, Layers, Problems};
use crate::store::{Filter, Message, Messages};

/// Arguments of `messages`.
#[derive(Args)]
pub(super) struct MessagesArguments {
    #[command(subcommand)]
    command: Option<MessagesCommand>,
    /// Show the messages with this control id in full
    #[arg(value_name = "CONTROL-ID", conflicts_with = "control_id")]
    in_full: Option<String>,
    #[command(flatten)]
    list: ListArguments,
}

impl MessagesArguments {
    /// Whether they need the database alone, and no running gateway.
    pub(super) fn only_read(&self) -> bool {
        !matches!(self.command, Some(MessagesCommand::Reprocess(_) | MessagesCommand::Handled(_)))
    }
}

#[derive(Subcommand)]
enum MessagesCommand {
    /// List messages, the latest first (the same as no command)
    List(ListArguments),
    /// Show everything that is known of a message
    Show(ShowArguments),
    /// Show what the mappings, as they are now, make of a stored message, and why
    ///
    /// Shows values of the message, the patient's name too. Works while the gateway is down.
    Explain(explain::ExplainArguments),
    /// Have messages handled again by the running gateway, with its present mappings
    ///
    /// The gateway takes the bytes as they came, and the mappings that it has in force (`reload` renews them). What becomes of a
    /// message goes to subscribers like any other event, and settles a dead letter unless it is refused again. The
    /// stored message never changes; its sender is told nothing.
    Reprocess(again::ReprocessArguments),
    /// Mark dead letters as handled: somebody has seen to them
    ///
    /// Goes through the running gateway. Nothing is published.
    Handled(again::HandledArguments),
}

/// Messages that are listed where nobody says how many.
const LIMIT: usize = 50;

/// Arguments of `messages list`.
#[derive(Args)]
struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Show no more than this many
    #[arg(long, default_value_t = LIMIT)]
    limit: usize,
    /// Print a table, or JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Arguments of `messages show`.
#[derive(Args)]
struct ShowArguments {
    /// The message's number, as `messages` lists it
    #[arg(value_name = "ID", value_parser = number)]
    id: i64,
    /// Print the message itself as it came, each segment on a line. It holds the patient's data: mind who looks on, and where the
    /// output is kept
    #[arg(long, conflicts_with = "format")]
    raw: bool,
    /// Print text, or JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) async fn messages(
    arguments: MessagesArguments,
    system_user: Option<String>,
    layers: &Layers,
    problems: Problems,
) -> Result<(), Failure> {
    let config = configured(layers, problems)?;
    if arguments.command.is_some() && (arguments.in_full.is_some() || arguments.list.says_anything()) {
        let text = "error: options belong to the command: write them after it, as in `messages list --last 2h`";
        return Err(Failure::Failed(text.to_owned()));
    }
    match arguments.command {
        Some(MessagesCommand::Show(show)) => shown(&config, &show),
        Some(MessagesCommand::Explain(explain)) => explain::explain(&explain, &config, layers),
        Some(MessagesCommand::Reprocess(reprocess)) => again::reprocess(reprocess, system_user, &config).await,
        Some(MessagesCommand::Handled(handled)) => again::handled(handled, system_user, &config).await,
        Some(MessagesCommand::List(list)) => listed(&config, &list),
        None => match &arguments.in_full {
            Some(control_id) => in_full(&config, control_id, &arguments.list),
            None => listed(&config, &arguments.list),
        },
    }
}

impl ListArguments {
    fn says_anything(&self) -> bool {
        self.filter != FilterArguments::default() || self.limit != LIMIT || self.format != Format::Text
    }
}

/// Who is at the terminal, as the system knows them.
pub(super) fn system_user(environment: &[(String, String)]) -> Option<String> {
    let variable = |name: &&str| {
        let found = environment.iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    // Who has become another user is still who they are.
    ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(variable)
}

fn listed(config: &Config, arguments: &ListArguments) -> Result<(), Failure> {
    let filter = arguments.filter.filter(&zone())?;
    let messages = open(config)?;
    let rows = messages.list(&filter, arguments.limit).map_err(|error| failed(&error))?;
    if arguments.format == Format::Json {
        println!("{:#}", list::json(&rows));
        return Ok(());
    }
    // Where all are listed, they need not be looked for again.
    let outcomes = match rows.len() < arguments.limit {
        true => list::counted(&rows),
        false => messages.outcomes(&filter, list::COUNTED).map_err(|error| failed(&error))?,
    };
    let waiting = Filter { dead_letters: true, ..filter };
    let waiting = messages.outcomes(&waiting, list::COUNTED).map_err(|error| failed(&error))?;
    let waiting = waiting.iter().map(|(_, count)| count).sum();
    print!("{}", list::text(&rows, &outcomes, waiting, &zone()));
    Ok(())
}

/// All messages with a control id, each with its resends.
fn in_full(config: &Config, control_id: &str, arguments: &ListArguments) -> Result<(), Failure> {
    let mut filter = arguments.filter.filter(&zone())?;
    filter.control_id = Some(control_id.to_owned());
    let messages = open(config)?;
    let rows = messages.list(&filter, arguments.limit).map_err(|error| failed(&error))?;
    let mut found: Vec<Message> = Vec::new();
    for row in rows.iter().rev() {
        // A resend is shown with the message that it is one of, as long as that is kept.
        let id = row.resend_of.unwrap_or(row.id);
        if found.iter().any(|message| message.row.id == id) {
            continue;
        }
        let first = messages.message(id).map_err(|error| failed(&error))?;
        found.extend(match first {
            Some(first) => Some(first),
            None => messages.message(row.id).map_err(|error| failed(&error))?,
        });
    }
    if found.is_empty() {
        return Err(Failure::Failed(not_found(&messages, control_id)));
    }
    match arguments.format {
        Format::Json => println!("{:#}", serde_json::Value::from_iter(found.iter().map(show::json))),
        Format::Text => {
            let texts: Vec<String> = found.iter().map(|message| show::text(message, &zone())).collect();
            print!("{}", texts.join("\n"));
        }
    }
    Ok(())
}

fn not_found(messages: &Messages, control_id: &str) -> String {
    let numbered = control_id.parse().ok().and_then(|id| messages.message(id).ok().flatten());
    let help = match numbered {
        Some(_) => format!("there is a message with that number: `fhircast-gateway messages show {control_id}`"),
        None => "`fhircast-gateway messages --last 1h` lists what came in; a message that is not there did not arrive, was refused \
                 as no HL7, or is past `store.keep_messages`"
            .to_owned(),
    };
    format!("error: no message has the control id `{}`\n  = help: {help}", control_id.escape_debug())
}

fn shown(config: &Config, arguments: &ShowArguments) -> Result<(), Failure> {
    let message = message(&open(config)?, arguments.id)?;
    match (arguments.raw, arguments.format) {
        (true, _) => show::print_raw(&message),
        (false, Format::Json) => {
            println!("{:#}", show::json(&message));
            Ok(())
        }
        (false, Format::Text) => {
            print!("{}", show::text(&message, &zone()));
            Ok(())
        }
    }
}

/// The messages of the gateway with this configuration, running or not.
fn open(config: &Config) -> Result<Messages, Failure> {
    found(&config.store.directory)?;
    Messages::open(&config.store.directory).map_err(|error| failed(&error))
}

fn message(messages: &Messages, id: i64) -> Result<Message, Failure> {
    let found = messages.message(id).map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        Failure::Failed(format!(
            "error: there is no message {id}, or none any more\n  = help: `fhircast-gateway messages` lists numbers; a control id \
             is searched for by `fhircast-gateway messages {id}`"
        ))
    })
}

/// The local time zone; UTC where the system does not say.
fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        "a message's number is wanted, as `fhircast-gateway messages` lists it; for a control id: `fhircast-gateway messages \
         CONTROL-ID`"
            .to_owned()
    })
}
