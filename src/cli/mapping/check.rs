//! `check`: whether configuration and mappings are right, every mistake at once.

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::{Format, print_warnings};
use crate::config::{Layers, Problems};
use crate::diagnostic::Diagnostic;
use crate::mapping::{Mapping, MappingSet};
use crate::node::{Plan, StartError};

/// Arguments of `check`.
#[derive(Args)]
pub(in crate::cli) struct CheckArguments {
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Findings<'s> {
    /// Whether the gateway would start.
    right: bool,
    /// Mistakes and warnings.
    problems: Vec<Diagnostic>,
    /// The mappings that would be in force; none where one is wrong.
    mappings: Vec<Found<'s>>,
}

#[derive(Serialize)]
struct Found<'s> {
    name: &'s str,
    file: &'s str,
    protocol: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'s str>,
    events: Vec<&'s str>,
}

pub(in crate::cli) fn check(arguments: &CheckArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let checked = Plan::check(layers, problems);
    match arguments.format {
        Format::Text => show(checked?.mappings()),
        Format::Json => return print_json(checked.as_ref().map(Plan::mappings)),
    }
    Ok(())
}

fn show(set: &MappingSet) {
    print_warnings(set);
    for mapping in set.mappings() {
        let events = match mapping.events().count() {
            0 => "no events".to_owned(),
            1 => "1 event".to_owned(),
            many => format!("{many} events"),
        };
        println!("ok  {:<28} {events:<10} {}", mapping.name(), mapping.file());
    }
    println!("Configuration and mappings are right.");
}

fn print_json(checked: Result<&MappingSet, &StartError>) -> Result<(), Failure> {
    let (problems, mappings) = match checked {
        Ok(set) => (set.warnings().list(), set.mappings().map(found).collect()),
        Err(error) => (error.diagnostics(), Vec::new()),
    };
    let findings = Findings { right: checked.is_ok(), problems, mappings };
    println!("{}", serde_json::to_string_pretty(&findings).map_err(super::failed)?);
    if findings.right { Ok(()) } else { Err(Failure::Shown) }
}

fn found(mapping: &Mapping) -> Found<'_> {
    Found {
        name: mapping.name(),
        file: mapping.file(),
        protocol: mapping.protocol(),
        about: mapping.about(),
        events: mapping.events().collect(),
    }
}
