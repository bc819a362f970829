//! `[[merge]]`: a message says that a patient is another one, so that identifiers of the first are retired.

use fhircast_gateway_adapter_api::{Fields, Path};

use super::apply::Refusal;
use super::condition::Condition;
use super::expression::View;
use super::plan::{Node, Plan};
use super::source::Origin;
use super::{refusal, write};
use crate::fhircast::Identifier;

/// Which messages retire which identifiers.
#[derive(Debug)]
pub(crate) struct MergeRule {
    /// One merge for each repetition.
    pub(crate) each: Option<Path>,
    pub(crate) when: Option<Condition>,
    /// The identifiers that are retired, as a patient's.
    pub(crate) identifier: Node,
    pub(crate) origin: Origin,
}

/// The identifiers that a message retires; none where it is no merge.
///
/// # Errors
/// When it is a merge and names no identifier.
pub(super) fn retired(plan: &Plan, fields: &dyn Fields) -> Result<Vec<Identifier>, Refusal> {
    let mut retired = Vec::new();
    for rule in &plan.merges {
        for view in rule.repetitions(fields) {
            let view = View::new(view.as_deref().unwrap_or(fields));
            if rule.holds(&view) {
                retired.extend(rule.identifiers(&view)?);
            }
        }
    }
    Ok(retired)
}

impl MergeRule {
    /// What the rule is looked at for: each repetition, or the message itself (`None`).
    pub(super) fn repetitions<'m>(&self, fields: &'m dyn Fields) -> Vec<Option<Box<dyn Fields + 'm>>> {
        match &self.each {
            None => vec![None],
            Some(path) => fields.each(path).into_iter().map(Some).collect(),
        }
    }

    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(view))
    }

    fn identifiers(&self, view: &View<'_>) -> Result<Vec<Identifier>, Refusal> {
        let mut json = String::new();
        write::node(&mut json, &self.identifier, view);
        let identifiers: Vec<Identifier> = serde_json::from_str(&json).unwrap_or_default();
        match identifiers.is_empty() {
            true => Err(refusal::nothing_retired(self, view)),
            false => Ok(identifiers),
        }
    }
}
