//! `map`: what a message becomes, and why; and what a mapping is once merged with all that it extends.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::{failed, load, named};
use crate::adapters::read_message;
use crate::config::{Layers, Problems};
use crate::mapping::{Mapped, Selection};

/// Arguments of `map`.
#[derive(Args)]
pub(in crate::cli) struct MapArguments {
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
pub(in crate::cli) fn map(arguments: &MapArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
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
    let mapping = match set.select(arguments.mapping.as_deref(), protocol, &*fields) {
        Selection::One(mapping) => mapping,
        Selection::Several(ambiguity) => return Err(failed(ambiguity.to_string())),
        Selection::None => return Err(failed(unclaimed(arguments))),
    };
    if arguments.explain {
        print!("{}", mapping.explain(&*fields));
        return Ok(());
    }
    let mapped = mapping.apply(&*fields).map_err(|refusal| failed(refusal.to_string()))?;
    println!("{:#}", shown(mapping.name(), &mapped));
    Ok(())
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
        json!({"event": event.name.as_str(), "rule": event.rule.to_string(), "context": context})
    });
    json!({
        "mapping": mapping,
        "session": {"user": mapped.session.user, "workstation": mapped.session.workstation},
        "events": events.collect::<Vec<_>>(),
    })
}
