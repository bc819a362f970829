//! The commands around mappings. What they show is made by `mapping`; here files are read and written, and results printed.

mod check;
mod diff;
mod map;
mod new;
mod reference;
mod test;

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};

use super::{Failure, configured};
use crate::config::{Config, Layers, Problems};
use crate::loading::load as load_mappings;
use crate::mapping::cases::CaseFile;
use crate::mapping::{Mapping, MappingSet};
use crate::node::StartError;
use crate::store::{MappingFile, MappingFilesError, mapping_files};

pub(super) use check::{CheckArguments, check};
pub(super) use map::{MapArguments, map};
pub(super) use test::{TestArguments, test};

/// Arguments of `mapping`.
#[derive(Args)]
pub(super) struct MappingArguments {
    #[command(subcommand)]
    command: MappingCommand,
}

#[derive(Subcommand)]
enum MappingCommand {
    /// Write a mapping to start from, and its first cases, guessed from sample messages
    New(new::NewArguments),
    /// Show what would change for messages if B took the place of A
    Diff(diff::DiffArguments),
    /// Print the language's reference, or what it says of a word
    Reference(reference::ReferenceArguments),
}

pub(super) fn mapping(arguments: &MappingArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    match &arguments.command {
        MappingCommand::New(new) => new::new(new, layers, problems),
        MappingCommand::Diff(diff) => diff::diff(diff, layers, problems),
        MappingCommand::Reference(reference) => reference::show(reference),
    }
}

/// Who reads what is printed.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A person
    #[default]
    Text,
    /// A program
    Json,
}

/// The configuration, and the mappings of its directory.
fn load(layers: &Layers, problems: Problems) -> Result<(Config, MappingSet), Failure> {
    let config = configured(layers, problems)?;
    let loaded = load_mappings(&config.mappings.directory).map_err(StartError::from)?;
    print_warnings(&loaded.set);
    Ok((config, loaded.set))
}

/// On standard error, so that what a command gives can be read by another.
pub(super) fn print_warnings(set: &MappingSet) {
    if set.warnings().count() > 0 {
        eprintln!("{}\n", set.warnings());
    }
}

fn named<'s>(set: &'s MappingSet, name: &str) -> Result<&'s Mapping, Failure> {
    set.mapping(name).ok_or_else(|| {
        let known: Vec<&str> = set.names().collect();
        failed(format!("there is no mapping `{name}`\n  = help: there are: {}", known.join(", ")))
    })
}

/// `vendors/acme-ris/cases/orders.md` holds cases of `vendors/acme-ris`.
fn case_files(directory: &Path) -> Result<Vec<CaseFile>, MappingFilesError> {
    let files = mapping_files(directory, "md")?;
    let case = |file: MappingFile| {
        let (mapping, _) = file.name.split_once("/cases/")?;
        Some(CaseFile { mapping: mapping.to_owned(), path: file.path, text: file.text })
    };
    Ok(files.into_iter().filter_map(case).collect())
}

fn failed(text: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("error: {text}"))
}

/// `1 case`, `2 cases`
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
