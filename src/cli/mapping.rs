//! `map` and `test`: what a message becomes, and whether the mappings' cases hold.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, configured};
use crate::adapters::{HL7_CASES, read_message};
use crate::config::{Config, Layers, Problems};
use crate::mapping::cases::{self, CaseFile};
use crate::mapping::{Mapped, MappingSet};
use crate::node::load_mappings;
use crate::store::mapping_files;

/// Arguments of `map`.
#[derive(Args)]
pub(super) struct MapArguments {
    /// A file that holds one message
    #[arg(value_name = "FILE", required_unless_present = "show")]
    file: Option<PathBuf>,
    /// The mapping; without it, the one whose `accept` holds
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Tell for each member which line and which field gave it, and why an event did not fire
    #[arg(long)]
    explain: bool,
    /// Print a mapping merged with what it extends, each line with where it comes from
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "mapping", "explain"])]
    show: Option<String>,
}

/// Arguments of `test`.
#[derive(Args)]
pub(super) struct TestArguments {
    /// Only the cases of these mappings
    #[arg(value_name = "NAME")]
    mappings: Vec<String>,
}

pub(super) fn map(arguments: &MapArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (_, set) = load(layers, problems)?;
    if let Some(name) = &arguments.show {
        print!("{}", named(&set, name)?.show());
        return Ok(());
    }
    let path = arguments.file.clone().unwrap_or_default();
    let bytes = std::fs::read(&path).map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
    let protocol =
        arguments.mapping.as_deref().map(|name| named(&set, name)).transpose()?.map_or("hl7v2", |it| it.protocol());
    let fields = read_message(protocol, &bytes).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let mapping = set.select(arguments.mapping.as_deref(), protocol, &*fields);
    let mapping = mapping.ok_or_else(|| failed(unclaimed(arguments)))?;
    if arguments.explain {
        print!("{}", mapping.explain(&*fields));
        return Ok(());
    }
    let mapped = mapping.apply(&*fields).map_err(|refusal| failed(refusal.to_string()))?;
    println!("{:#}", shown(mapping.name(), &mapped));
    Ok(())
}

pub(super) fn test(arguments: &TestArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (config, set) = load(layers, problems)?;
    let directory = &config.mappings.directory;
    let mut files = case_files(directory).map_err(|error| failed(error.to_string()))?;
    if !arguments.mappings.is_empty() {
        for name in &arguments.mappings {
            named(&set, name)?;
        }
        files.retain(|file| arguments.mappings.contains(&file.mapping));
    }
    if files.is_empty() {
        return Err(failed(format!(
            "there are no cases: they are looked for in {}/NAME/cases/*.md",
            directory.display()
        )));
    }
    let report = cases::run(&set, &files, &[HL7_CASES]);
    println!("{report}");
    match report.failed() {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} cases failed"))),
    }
}

/// `vendors/acme-ris/cases/orders.md` holds cases of `vendors/acme-ris`.
fn case_files(directory: &std::path::Path) -> Result<Vec<CaseFile>, crate::store::MappingFilesError> {
    let files = mapping_files(directory, "md")?;
    let case = |file: crate::store::MappingFile| {
        let (mapping, _) = file.name.split_once("/cases/")?;
        Some(CaseFile { mapping: mapping.to_owned(), path: file.path, text: file.text })
    };
    Ok(files.into_iter().filter_map(case).collect())
}

fn load(layers: &Layers, problems: Problems) -> Result<(Config, MappingSet), Failure> {
    let config = configured(layers, problems)?;
    let set = load_mappings(&config.mappings.directory)?;
    print_warnings(&set);
    Ok((config, set))
}

/// On standard error, so that what a command gives can be read by another.
pub(super) fn print_warnings(set: &MappingSet) {
    if set.warnings().count() > 0 {
        eprintln!("{}\n", set.warnings());
    }
}

fn named<'s>(set: &'s MappingSet, name: &str) -> Result<&'s crate::mapping::Mapping, Failure> {
    set.mapping(name).ok_or_else(|| {
        let known: Vec<&str> = set.names().collect();
        failed(format!("there is no mapping `{name}`; there are: {}", known.join(", ")))
    })
}

fn unclaimed(arguments: &MapArguments) -> String {
    match &arguments.mapping {
        Some(name) => format!("{name} does not accept this message; --explain tells why"),
        None => "no mapping speaks for this message; name one with --mapping".to_owned(),
    }
}

fn shown(mapping: &str, mapped: &Mapped) -> Value {
    let events = mapped.events.iter().map(|event| {
        let context: Vec<Value> = event
            .context
            .iter()
            .map(|entry| json!({"key": entry.key, "resource": serde_json::from_str::<Value>(entry.resource.get()).unwrap_or_default()}))
            .collect();
        json!({"event": event.name.as_str(), "rule": event.rule.to_string(), "occurred": event.occurred, "context": context})
    });
    json!({
        "mapping": mapping,
        "session": {"user": mapped.session.user, "workstation": mapped.session.workstation},
        "events": events.collect::<Vec<_>>(),
    })
}

fn failed(text: String) -> Failure {
    Failure::Failed(format!("error: {text}"))
}
