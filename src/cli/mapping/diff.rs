//! `mapping diff`: what would change for messages if one mapping, or one directory of mappings, took the place of another.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::message_files::{self, Message};
use super::super::terminal::Terminal;
use super::{Format, count, failed, load, load_mappings, named};
use crate::adapters::{protocol_of, read_message};
use crate::config::{Layers, Problems};
use crate::mapping::{Change, ChangeKind, Mapping, MappingSet, changes};
use crate::node::StartError;

/// Arguments of `mapping diff`.
#[derive(Args)]
pub(in crate::cli) struct DiffArguments {
    /// The mapping that is in force; or a directory of mappings, of which each message finds its own
    #[arg(value_name = "A")]
    from: String,
    /// The mapping, or the directory, that would take its place
    #[arg(value_name = "B")]
    to: String,
    /// Files of messages, folders of such files, or `-` for standard input
    #[arg(value_name = "MESSAGES", required = true)]
    messages: Vec<PathBuf>,
    /// The mapping of both directories that the messages' listener is configured with
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What maps messages: all mappings of a directory, and the one that is meant if one is.
struct Side {
    set: MappingSet,
    name: Option<String>,
}

#[derive(Serialize)]
struct Differing {
    message: String,
    changes: Vec<Change>,
}

#[derive(Default, Serialize)]
struct Summary {
    messages: usize,
    differing: usize,
    events_added: usize,
    events_removed: usize,
    members_changed: usize,
    newly_refused: usize,
    no_longer_refused: usize,
}

pub(in crate::cli) fn diff(arguments: &DiffArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (config, set) = load(layers, problems)?;
    let from = arguments.side(&arguments.from, &set, &config.mappings.directory)?;
    let to = arguments.side(&arguments.to, &set, &config.mappings.directory)?;
    let messages = message_files::read(&arguments.messages)?;
    let mut differing = Vec::new();
    for message in &messages {
        let changes = changes(&from.outcome(message)?, &to.outcome(message)?);
        if !changes.is_empty() {
            differing.push(Differing { message: message.label.clone(), changes });
        }
    }
    let summary = Summary::of(messages.len(), &differing);
    match arguments.format {
        Format::Json => {
            let all = json!({ "summary": summary, "messages": differing });
            println!("{}", serde_json::to_string_pretty(&all).map_err(failed)?);
        }
        Format::Text => show(&differing, &summary),
    }
    if differing.is_empty() { Ok(()) } else { Err(Failure::Shown) }
}

impl DiffArguments {
    /// What `word` names: a mapping of the site's, else a directory.
    fn side(&self, word: &str, set: &MappingSet, directory: &Path) -> Result<Side, Failure> {
        let (directory, name) = match (set.mapping(word), Path::new(word)) {
            (Some(_), _) => (directory, Some(word)),
            (None, other) if other.is_dir() => (other, self.mapping.as_deref()),
            (None, _) => return Err(unknown(set, word)),
        };
        let set = load_mappings(directory).map_err(StartError::from)?.set;
        name.map(|name| named(&set, name)).transpose()?;
        Ok(Side { set, name: name.map(str::to_owned) })
    }
}

fn unknown(set: &MappingSet, word: &str) -> Failure {
    let known: Vec<&str> = set.names().collect();
    failed(format!(
        "there is no mapping and no directory `{word}`\n  = help: there are the mappings {}; a directory is one such as \
         `mappings.directory` names",
        known.join(", ")
    ))
}

impl Side {
    /// What the message becomes, and where each finds its own mapping, which one that is.
    fn outcome(&self, message: &Message) -> Result<Value, Failure> {
        let named = self.name.as_deref().and_then(|name| self.set.mapping(name));
        let protocol = named.map_or_else(|| protocol_of(&message.bytes), Mapping::protocol);
        let fields =
            read_message(protocol, &message.bytes).map_err(|reason| failed(format!("{}: {reason}", message.label)))?;
        if let Some(mapping) = named {
            return Ok(mapping.outcome(&*fields));
        }
        Ok(match self.set.select(None, protocol, &*fields) {
            Some(mapping) => {
                let mut outcome = mapping.outcome(&*fields);
                outcome["mapping"] = mapping.name().into();
                outcome
            }
            None => json!({ "accepted": false }),
        })
    }
}

impl Summary {
    fn of(messages: usize, differing: &[Differing]) -> Self {
        let mut summary = Self { messages, differing: differing.len(), ..Self::default() };
        for change in differing.iter().flat_map(|it| &it.changes) {
            match (change.kind, &change.from, &change.to) {
                (ChangeKind::Event, None, _) => summary.events_added += 1,
                (ChangeKind::Event, _, _) => summary.events_removed += 1,
                (ChangeKind::Member | ChangeKind::Session, ..) => summary.members_changed += 1,
                (ChangeKind::Message, None, _) if change.path == "refused" => summary.newly_refused += 1,
                (ChangeKind::Message, _, None) if change.path == "refused" => summary.no_longer_refused += 1,
                (ChangeKind::Message, ..) => {}
            }
        }
        summary
    }

    fn in_words(&self) -> String {
        let counts = [
            (self.events_added, "event", "added"),
            (self.events_removed, "event", "removed"),
            (self.members_changed, "member", "changed"),
            (self.newly_refused, "message", "newly refused"),
            (self.no_longer_refused, "message", "no longer refused"),
        ];
        let counts = counts.into_iter().filter(|(number, ..)| *number > 0);
        let counts: Vec<String> = counts.map(|(number, what, how)| format!("{} {how}", count(number, what))).collect();
        match (self.differing, counts.as_slice()) {
            (0, _) => format!("{} messages: nothing would change", self.messages),
            (differing, []) => format!("{differing} of {} messages would change", self.messages),
            (differing, counts) => {
                format!("{differing} of {} messages would change: {}", self.messages, counts.join(", "))
            }
        }
    }
}

fn show(differing: &[Differing], summary: &Summary) {
    let terminal = Terminal::of_stdout();
    for Differing { message, changes } in differing {
        println!("{}", terminal.bold(message));
        for change in changes {
            println!("  {}", line(change, terminal));
        }
    }
    println!("{}", summary.in_words());
}

fn line(Change { kind, path, from, to }: &Change, terminal: Terminal) -> String {
    match (from, to) {
        (None, Some(_)) if *kind == ChangeKind::Event => terminal.green(&format!("+ {path}")),
        (Some(_), None) if *kind == ChangeKind::Event => terminal.red(&format!("- {path}")),
        (None, Some(to)) => format!("{} {path}  {}", terminal.green("+"), terminal.green(&to.to_string())),
        (Some(from), None) => format!("{} {path}  {}", terminal.red("-"), terminal.red(&from.to_string())),
        (Some(from), Some(to)) => {
            format!("~ {path}  {} → {}", terminal.red(&from.to_string()), terminal.green(&to.to_string()))
        }
        (None, None) => path.clone(),
    }
}
