//! `health`: whether the running gateway is ready, for service managers and containers.

use clap::Args;
use serde::Deserialize;

use super::operator_api::{Answer, OperatorApi, read};
use super::{Failure, configured};
use crate::config::{Layers, Problems};

/// Arguments of `health`.
#[derive(Args)]
pub(super) struct HealthArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `/readyz` of the operator's API says.
#[derive(Deserialize)]
struct Report {
    ready: bool,
    draining: bool,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    condition: String,
    unmet: Option<String>,
}

pub(super) async fn health(arguments: HealthArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let Answer { body, .. } = OperatorApi::new(&configured(layers, problems)?)?.ask("/readyz").await?;
    let report: Report = read(&body)?;
    match arguments.json {
        true => println!("{}", body.trim_end()),
        false => println!("{}", report.in_words()),
    }
    if report.ready { Ok(()) } else { Err(Failure::Shown) }
}

impl Report {
    fn in_words(&self) -> String {
        if self.ready {
            return "ready".to_owned();
        }
        let unmet = self.conditions.iter().filter_map(|it| Some(format!("{}: {}", it.condition, it.unmet.as_ref()?)));
        let draining = self.draining.then(|| "it drains".to_owned());
        format!("not ready: {}", draining.into_iter().chain(unmet).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_named() {
        for (body, words) in [
            (r#"{"ready":true,"draining":false,"conditions":[{"condition":"store","unmet":null}]}"#, "ready"),
            (
                r#"{"ready":false,"draining":false,"conditions":[{"condition":"store","unmet":"its disk has failed"}]}"#,
                "not ready: store: its disk has failed",
            ),
            (r#"{"ready":false,"draining":true,"conditions":[]}"#, "not ready: it drains"),
        ] {
            let report: Report = serde_json::from_str(body).unwrap();
            assert_eq!(report.in_words(), words);
        }
    }
}
