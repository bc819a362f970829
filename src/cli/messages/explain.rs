//! `messages explain`: a stored message through the mappings as their files are now.

use clap::Args;
use fhircast_gateway_adapter_api::Fields;

use super::super::{Failure, mapping};
use super::{message, number, open};
use crate::adapters::Adapter;
use crate::config::{Config, Layers, Problems};
use crate::loading::load;
use crate::mapping::{MappedEvent, Mapping};
use crate::node::StartError;

/// Arguments of `messages explain`.
#[derive(Args)]
pub(super) struct ExplainArguments {
    /// The message's number, as `messages` lists it
    #[arg(value_name = "ID", value_parser = number)]
    id: i64,
}

/// Shows values of the message: it is for who may read the store.
pub(super) fn explain(arguments: &ExplainArguments, config: &Config, layers: &Layers) -> Result<(), Failure> {
    let found = message(&open(config)?, arguments.id)?;
    let (id, record) = (found.row.id, &found.row.record);
    let Some(raw) = found.raw else {
        let of = found.row.resend_of.unwrap_or_default();
        return Err(Failure::Failed(format!(
            "error: message {id} is a resend of message {of}\n  = help: `fhircast-gateway messages explain {of}`"
        )));
    };
    let source = config.adapters.get(&*record.source);
    let mut problems = Problems::default();
    let adapter = source.and_then(|source| Adapter::configure(&record.source, source, layers, &mut problems));
    if !problems.is_empty() {
        return Err(Failure::Refused(problems.to_string()));
    }
    let Some((source, adapter)) = source.zip(adapter) else {
        return Err(Failure::Failed(format!(
            "error: message {id} came from `{0}`, and no adapter of that name is configured now\n  = help: `fhircast-gateway \
             messages show {id} --raw > FILE`, then `fhircast-gateway map FILE --mapping NAME --explain`",
            record.source
        )));
    };
    let reader = adapter.reader();
    let fields = reader.read(raw.into()).map_err(|reason| Failure::Failed(format!("error: message {id}: {reason}")))?;
    let set = load(&config.mappings.directory).map_err(StartError::from)?.set;
    mapping::print_warnings(&set);
    println!(
        "message {id} from {} with the mappings as their files are now; when it came, it was {}\n",
        record.source, record.outcome
    );
    if let Some(mapping) = set.select(source.mapping.as_deref(), reader.protocol(), &*fields) {
        print!("{}\nIn short: {}\n", mapping.explain(&*fields), in_short(mapping, &*fields));
        return Ok(());
    }
    println!("No mapping speaks for it:");
    let considered = |mapping: &&Mapping| {
        let is_bound = source.mapping.as_deref().is_none_or(|bound| bound == mapping.name());
        is_bound && mapping.has_events() && mapping.protocol() == reader.protocol()
    };
    for mapping in set.mappings().filter(considered) {
        print!("{}", mapping.explain(&*fields));
    }
    Ok(())
}

/// What it comes to, however long the explanation is. An event's age is for the gateway to judge.
fn in_short(mapping: &Mapping, fields: &dyn Fields) -> String {
    let mapped = match mapping.apply(fields) {
        Ok(mapped) => mapped,
        Err(refusal) => return format!("it is refused: {refusal}"),
    };
    let nobody = |event: &MappedEvent| event.session.user.is_none() && event.session.workstation.is_none();
    if mapped.events.iter().any(nobody) {
        return format!("it names no user and no workstation: [session] found none ({})", mapping.session_place());
    }
    let shown = |event: &MappedEvent| {
        let who = event.session.user.as_deref().map(|user| format!("user {user}"));
        let who = who.or_else(|| event.session.workstation.as_deref().map(|desk| format!("workstation {desk}")));
        format!("{} for {}", event.name, who.unwrap_or_default())
    };
    let events: Vec<String> = mapped.events.iter().map(shown).collect();
    match (events.is_empty(), mapped.retired.len()) {
        (true, 0) => "none of its mapping's events holds".to_owned(),
        (true, retired) => format!("{retired} identifiers of patients are retired"),
        (false, _) => events.join(", "),
    }
}
