//! `--explain`: what a mapping did with a message, and why: which line and which field gave each member, why earlier
//! alternatives did not, and which condition kept an event from being emitted.
//!
//! Shows values of the message: it is for the terminal of whoever holds the message already, never for a log.

use std::fmt::{self, Write as _};

use fhircast_gateway_adapter_api::Fields;

use super::apply;
use super::condition::{Condition, Test};
use super::expression::{Expression, Operand, Pipeline, Template, View};
use super::plan::{Element, EventRule, Node, Placed, Plan, ResourcePlan};
use super::retire::MergeRule;
use super::set::Mapping;
use super::value::Data;

/// What a mapping did with a message, for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    text: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Mapping {
    /// What the mapping does with a message, and why.
    pub fn explain(&self, fields: &dyn Fields) -> Explanation {
        let mut explainer = Explainer { plan: &self.plan, text: String::new() };
        explainer.line(0, &format!("mapping {} ({})", self.name(), self.file()));
        let accepted = explainer.accept(&View::new(fields));
        if accepted {
            explainer.session(0, None, &View::new(fields));
            self.plan.rules.iter().for_each(|rule| explainer.rule(rule, fields));
            self.plan.merges.iter().for_each(|rule| explainer.merge(rule, fields));
        }
        Explanation { text: explainer.text }
    }
}

struct Explainer<'p> {
    plan: &'p Plan,
    text: String,
}

impl Explainer<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = depth * 2);
    }

    fn accept(&mut self, view: &View<'_>) -> bool {
        let Some(accept) = &self.plan.accept else { return true };
        let holds = accept.value.holds(view);
        let word = if holds { "accepts the message" } else { "does not accept the message" };
        self.line(0, &format!("{word} ({})", accept.origin));
        self.reasons(1, &accept.value, view);
        holds
    }

    fn session(&mut self, depth: usize, rule: Option<&EventRule>, view: &View<'_>) {
        self.line(depth, "session");
        let (user, workstation) = self.plan.session_of(rule);
        for (name, template) in [("user", user), ("workstation", workstation)] {
            match template {
                Some(template) => self.template(depth + 1, name, template, view),
                None => self.line(depth + 1, &format!("{name}: the mapping does not say")),
            }
        }
    }

    fn rule(&mut self, rule: &EventRule, fields: &dyn Fields) {
        let Some(path) = &rule.each else { return self.rule_in(rule, &View::new(fields), "") };
        let repetitions = fields.each(path);
        if repetitions.is_empty() {
            self.line(
                0,
                &format!("event {} ({}): no {path} in the message", rule.name, rule.origin, path = path.text()),
            );
        }
        for (index, repetition) in repetitions.iter().enumerate() {
            self.rule_in(rule, &View::new(&**repetition), &format!(", {} {}", path.text(), index + 1));
        }
    }

    fn rule_in(&mut self, rule: &EventRule, view: &View<'_>, which: &str) {
        let holds = rule.when.as_ref().is_none_or(|when| when.holds(view));
        let word = if holds { "is emitted" } else { "is not emitted" };
        self.line(0, &format!("event {} {word} ({}{which})", rule.name, rule.origin));
        if let Some(when) = &rule.when {
            self.reasons(1, when, view);
        }
        if holds && (rule.each.is_some() || rule.session.is_said()) {
            self.session(1, Some(rule), view);
        }
        if holds {
            if let Some(occurred) = &self.plan.occurred {
                self.template(1, "occurred", occurred, view);
            }
            self.resources(rule, view);
        }
    }

    fn merge(&mut self, rule: &MergeRule, fields: &dyn Fields) {
        for repetition in rule.repetitions(fields) {
            let view = View::new(repetition.as_deref().unwrap_or(fields));
            let holds = rule.holds(&view);
            let word = if holds { "retires identifiers" } else { "retires nothing" };
            self.line(0, &format!("merge {word} ({})", rule.origin));
            if let Some(when) = &rule.when {
                self.reasons(1, when, &view);
            }
            if holds {
                self.node("identifier", &rule.identifier, &view);
            }
        }
    }

    /// The tests because of which a condition does not hold.
    fn reasons(&mut self, depth: usize, condition: &Condition, view: &View<'_>) {
        for (test, negated) in condition.reasons(view) {
            let word = if negated { "holds, and must not" } else { "does not hold" };
            self.line(depth, &format!("{} {word}: {}", test.text, found(test, view)));
        }
    }

    fn resources(&mut self, rule: &EventRule, view: &View<'_>) {
        match apply::identities(self.plan, rule, view) {
            Ok((ids, firsts)) => {
                for (slot, first) in rule.slots.iter().zip(&firsts) {
                    let view = View { ids: &ids, first_identifier: first.as_deref(), ..*view };
                    self.resource(&self.plan.resources[slot.resource], &view, ids[slot.reference].is_some());
                }
            }
            Err(refusal) => self.line(1, &format!("refused: {refusal}")),
        }
    }

    fn resource(&mut self, resource: &ResourcePlan, view: &View<'_>, named: bool) {
        if !named {
            self.line(1, &format!("{} is left out: it has no id", resource.key));
        }
        if let Some(id) = &resource.id {
            self.template(1, &format!("{}.id", resource.key), id, view);
        }
        if let Some(identifier) = &resource.identifier {
            self.node(&format!("{}.identifier", resource.key), identifier, view);
        }
        for member in &resource.members {
            self.node(&format!("{}.{}", resource.key, member.name), &member.node, view);
        }
    }

    fn node(&mut self, way: &str, node: &Node, view: &View<'_>) {
        match node {
            Node::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.element(&format!("{way}[{}]", index + 1), element, view);
                }
            }
            Node::Literal(literal) => self.line(1, &format!("{way} = {literal}")),
            Node::Object(object) => {
                if let Some(when) = object.when.as_ref().filter(|when| !when.value.holds(view)) {
                    self.line(1, &format!("{way} is left out ({})", when.origin));
                    return self.reasons(2, &when.value, view);
                }
                object
                    .members
                    .iter()
                    .for_each(|member| self.node(&format!("{way}.{}", member.name), &member.node, view));
            }
            Node::Template(template) => self.template(1, way, template, view),
        }
    }

    fn element(&mut self, way: &str, element: &Element, view: &View<'_>) {
        let Some(path) = &element.each else { return self.node(way, &element.node, view) };
        let repetitions = view.fields.each(path);
        if repetitions.is_empty() {
            self.line(1, &format!("{way}: no {} in the message", path.text()));
        }
        for (index, repetition) in repetitions.iter().enumerate() {
            let way = format!("{way} ({} {})", path.text(), index + 1);
            self.node(&way, &element.node, &View { fields: &**repetition, ..*view });
        }
    }

    /// A member's value with its line, and the alternatives that were tried for it.
    fn template(&mut self, depth: usize, way: &str, template: &Placed<Template>, view: &View<'_>) {
        let value = shown(&template.value.value(view));
        let mut trials = Vec::new();
        template.value.expressions().for_each(|expression| try_expression(expression, view, &mut trials));
        let trials = if trials.is_empty() { String::new() } else { format!(", {}", trials.join("; ")) };
        self.line(depth, &format!("{way} = {value} ({}{trials})", template.origin));
    }
}

/// Each alternative until the one that counts.
fn try_expression(expression: &Expression, view: &View<'_>, trials: &mut Vec<String>) {
    for pipeline in &expression.alternatives {
        if let Operand::Group(inner) = &pipeline.operand {
            try_expression(inner, view, trials);
        } else {
            trials.push(trial(pipeline, view));
        }
        if pipeline.value(view) != Data::Absent {
            return;
        }
    }
}

fn trial(pipeline: &Pipeline, view: &View<'_>) -> String {
    let (before, after) = (pipeline.operand.value(view), pipeline.value(view));
    let what = match (&before, &after) {
        (Data::Deleted, _) => "is deleted, which ends the search".to_owned(),
        (_, Data::Absent) if !before.is_nothing() => format!("is {} and gives nothing", shown(&before)),
        (Data::Absent, Data::Absent) => "is empty".to_owned(),
        _ => "counts".to_owned(),
    };
    format!("`{}` {what}", pipeline.text)
}

/// What a test looked at.
fn found(test: &Test, view: &View<'_>) -> String {
    format!("{} is {}", test.operand.text, shown(&test.operand.value(view)))
}

fn shown(data: &Data<'_>) -> String {
    match data {
        Data::Absent => "nothing".to_owned(),
        Data::Deleted => "deleted".to_owned(),
        Data::Json(json) => json.to_string(),
        Data::List(texts) => format!("{texts:?}"),
        Data::Text(text) => format!("{text:?}"),
    }
}
