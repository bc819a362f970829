//! `map`: what messages become, and why; and what a mapping is once merged with all that it extends.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use fhircast_gateway_adapter_api::Fields;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Failure;
use super::super::message_files::{self, Message};
use super::super::terminal::Terminal;
use super::{Format, failed, load, named};
use crate::adapters::{protocol_of, read_message};
use crate::config::{Layers, Problems};
use crate::mapping::{Explanation, Mapping, MappingSet, laid_out};

/// Arguments of `map`.
#[derive(Args)]
pub(in crate::cli) struct MapArguments {
    /// A file of messages, or `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "show")]
    file: Option<PathBuf>,
    /// The mapping; without it, the one whose `accept` holds
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Tell for each member which line and which field gave it, and why an event was not emitted
    #[arg(long)]
    explain: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print a mapping merged with what it extends, each line with where it comes from
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "mapping", "explain", "format"])]
    show: Option<String>,
}

/// What became of one message: what `--format json` prints a list of.
#[derive(Default, Serialize)]
struct Shown {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<String>,
    /// As cases expect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Box<RawValue>>,
    /// Why there is no outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Of the mapping that speaks for it; where none does, of all that speak for some messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explanations: Vec<Explanation>,
    #[serde(skip)]
    refused: bool,
}

pub(in crate::cli) fn map(arguments: &MapArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (_, set) = load(layers, problems)?;
    if let Some(name) = &arguments.show {
        print!("{}", named(&set, name)?.show());
        return Ok(());
    }
    arguments.mapping.as_deref().map(|name| named(&set, name)).transpose()?;
    let messages = message_files::read(arguments.file.as_slice())?;
    let shown: Vec<Shown> = messages.iter().map(|message| arguments.shown(message, &set)).collect();
    match arguments.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&shown).map_err(failed)?),
        Format::Text => shown.iter().for_each(|it| print(it, shown.len() > 1)),
    }
    if shown.iter().any(|it| it.refused) { Err(Failure::Shown) } else { Ok(()) }
}

impl MapArguments {
    fn shown(&self, message: &Message, set: &MappingSet) -> Shown {
        let shown = Shown { message: message.label.clone(), ..Shown::default() };
        let configured = self.mapping.as_deref();
        let protocol = configured
            .and_then(|name| set.mapping(name))
            .map_or_else(|| protocol_of(&message.bytes), Mapping::protocol);
        let fields = match read_message(protocol, &message.bytes) {
            Ok(fields) => fields,
            Err(reason) => {
                return Shown {
                    error: Some(format!("this cannot be read as a message: {reason}")),
                    refused: true,
                    ..shown
                };
            }
        };
        match set.select(configured, protocol, &*fields) {
            Some(mapping) => self.mapped(mapping, &fields, shown),
            None => self.unclaimed(set, &fields, shown),
        }
    }

    fn mapped(&self, mapping: &Mapping, fields: &Arc<dyn Fields>, shown: Shown) -> Shown {
        let explanations = if self.explain { vec![mapping.explain(&**fields)] } else { Vec::new() };
        Shown {
            mapping: Some(mapping.name().to_owned()),
            // What a mapping makes is JSON.
            outcome: RawValue::from_string(mapping.outcome_text(&**fields)).ok(),
            refused: mapping.apply(&**fields).is_err(),
            explanations,
            ..shown
        }
    }

    /// Why nobody speaks for a message: the named mapping, or each of those that speak for any.
    fn unclaimed(&self, set: &MappingSet, fields: &Arc<dyn Fields>, shown: Shown) -> Shown {
        let (asked, error) = match &self.mapping {
            Some(name) => (set.mapping(name).into_iter().collect(), format!("{name} does not accept this message")),
            None => {
                let speaking: Vec<&Mapping> = set.mappings().filter(|mapping| mapping.speaks_by_itself()).collect();
                (speaking, "no mapping speaks for this message; name one with --mapping".to_owned())
            }
        };
        let hint = if self.explain { "" } else { "; --explain tells why" };
        let explanations =
            asked.into_iter().filter(|_| self.explain).map(|mapping| mapping.explain(&**fields)).collect();
        Shown { error: Some(format!("{error}{hint}")), explanations, refused: true, ..shown }
    }
}

fn print(shown: &Shown, several: bool) {
    let terminal = Terminal::of_stdout();
    if several {
        println!("{}", terminal.bold(&shown.message));
    }
    shown.explanations.iter().for_each(|explanation| print!("{explanation}"));
    if let (Some(outcome), Some(mapping), []) = (&shown.outcome, &shown.mapping, shown.explanations.as_slice()) {
        println!("{}", terminal.dim(&format!("by {mapping}")));
        println!("{}", laid_out(outcome.get()).unwrap_or_default());
    }
    if let Some(error) = &shown.error {
        println!("{}", terminal.red(&format!("error: {error}")));
    }
    if several {
        println!();
    }
}
