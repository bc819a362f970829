//! `reload`: the running gateway loads its mappings again, or tells how it stands with them.

use clap::Args;
use reqwest::StatusCode;

use super::operator_api::{Answer, OperatorApi, read};
use super::{Failure, configured};
use crate::admin::ReloadAnswer;
use crate::config::{Layers, Problems};
use crate::loading::MappingsStatus;

/// Arguments of `reload`.
#[derive(Args)]
pub(super) struct ReloadArguments {
    /// Load nothing: tell when the mappings were loaded, and whether a reload failed since
    #[arg(long)]
    status: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn reload(arguments: ReloadArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let api = OperatorApi::new(&configured(layers, problems)?)?;
    match arguments.status {
        true => show_status(&api.get("/mappings", &[]).await?, arguments.json),
        false => reload_now(&api, arguments.json).await,
    }
}

async fn reload_now(api: &OperatorApi, json: bool) -> Result<(), Failure> {
    let Answer { status, body } = api.post("/mappings/reload", &()).await?;
    let done = status.is_success();
    if !done && status != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(Failure::Failed(format!("error: the gateway answered {status}: {}", body.trim())));
    }
    let answer: ReloadAnswer = read(&body)?;
    if json {
        println!("{body}");
        return if done { Ok(()) } else { Err(Failure::Shown) };
    }
    if !done {
        let since = answer.status.loaded;
        let text = answer.text;
        return Err(Failure::Failed(format!("{text}\n\nNothing was reloaded: the mappings of {since:.0} stay.")));
    }
    println!("Reloaded: {} mappings are in force.", answer.status.mappings.len());
    answer.status.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    Ok(())
}

fn show_status(body: &str, json: bool) -> Result<(), Failure> {
    let status: MappingsStatus = read(body)?;
    if json {
        println!("{body}");
        return Ok(());
    }
    println!("loaded    {:.0}", status.loaded);
    println!("mappings  {}", status.mappings.join(", "));
    status.warnings.iter().for_each(|warning| println!("warning   {warning}"));
    if let Some(failed) = status.failed {
        println!("reload    failed {:.0}, {} mistakes, the first: {}", failed.at, failed.mistakes, failed.first);
        println!("          fix them, and run `fhircast-gateway reload`; `check` shows all of them");
    }
    Ok(())
}
