//! `--explain`: what a mapping did with a message, and why: which line and which field gave each member, why earlier
//! alternatives did not, and which condition kept an event from being emitted.
//!
//! Shows values of the message: it is for the terminal of whoever holds the message already, never for a log.

mod trial;

use std::fmt;

use fhircast_gateway_adapter_api::Fields;
use serde::Serialize;

use super::apply::{self, Found};
use super::condition::{Condition, Test};
use super::expression::{Template, View};
use super::plan::{Each, Element, EventRule, Node, Object, Placed, Plan, ResourcePlan};
use super::retire::MergeRule;
use super::set::Mapping;
use super::source::Origin;
use super::value::Data;
use super::write::{self, Written};

/// What a mapping did with a message. `Display` is text for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What happened, in order.
    pub lines: Vec<Line>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How many other lines it lies within.
    pub depth: usize,
    /// What happened: `patient.gender = "female"`.
    pub text: String,
    /// The line of a mapping file that says so.
    #[serde(flatten)]
    pub origin: Option<Origin>,
    /// What was tried, in order, and what came of it; the last is what counted, if anything did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| line.fmt(formatter))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:indent$}{}", "", self.text, indent = self.depth * 2)?;
        let (alone, several) = match self.tried.as_slice() {
            [only] => (Some(only), &[][..]),
            several => (None, several),
        };
        match (alone, &self.origin) {
            (Some(tried), Some(origin)) => write!(formatter, "  ({tried}; {origin})")?,
            (Some(tried), None) => write!(formatter, "  ({tried})")?,
            (None, Some(origin)) => write!(formatter, "  ({origin})")?,
            (None, None) => {}
        }
        writeln!(formatter)?;
        several.iter().try_for_each(|tried| writeln!(formatter, "{:indent$}{tried}", "", indent = self.depth * 2 + 4))
    }
}

impl Mapping {
    /// What the mapping does with a message, and why.
    pub fn explain(&self, fields: &dyn Fields) -> Explanation {
        let mut explainer = Explainer { plan: &self.plan, lines: Vec::new() };
        explainer.line(0, format!("mapping {} ({})", self.name(), self.file()));
        let accepted = explainer.accept(&View::new(fields));
        if accepted {
            explainer.session(0, None, &View::new(fields));
            self.plan.rules.iter().for_each(|rule| explainer.rule(rule, fields));
            self.plan.merges.iter().for_each(|rule| explainer.merge(rule, fields));
        }
        Explanation { lines: explainer.lines }
    }
}

struct Explainer<'p> {
    plan: &'p Plan,
    lines: Vec<Line>,
}

impl Explainer<'_> {
    fn line(&mut self, depth: usize, text: impl Into<String>) {
        self.lines.push(Line { depth, text: text.into(), origin: None, tried: Vec::new() });
    }

    fn line_of(&mut self, depth: usize, text: impl Into<String>, origin: &Origin) {
        self.lines.push(Line { depth, text: text.into(), origin: Some(origin.clone()), tried: Vec::new() });
    }

    fn accept(&mut self, view: &View<'_>) -> bool {
        let Some(accept) = &self.plan.accept else { return true };
        let holds = accept.value.holds(view);
        let word = if holds { "accepts the message" } else { "does not accept the message" };
        self.line_of(0, word, &accept.origin);
        self.reasons(1, &accept.value, view);
        holds
    }

    fn session(&mut self, depth: usize, rule: Option<&EventRule>, view: &View<'_>) {
        self.line(depth, "session");
        let (user, workstation) = self.plan.session_of(rule);
        for (name, template) in [("user", user), ("workstation", workstation)] {
            match template {
                Some(template) => self.template(depth + 1, name, template, view),
                None => self.line(depth + 1, format!("{name}: the mapping does not say")),
            }
        }
    }

    fn rule(&mut self, rule: &EventRule, fields: &dyn Fields) {
        let Some(path) = &rule.each else { return self.rule_in(rule, &View::new(fields), "") };
        let repetitions = fields.each(path);
        if repetitions.is_empty() {
            let text = format!("event {} is not emitted: the message has no {}", rule.name, path.text());
            self.line_of(0, text, &rule.origin);
        }
        for (index, repetition) in repetitions.iter().enumerate() {
            self.rule_in(rule, &View::new(&**repetition), &format!(" for {} {}", path.text(), index + 1));
        }
    }

    fn rule_in(&mut self, rule: &EventRule, view: &View<'_>, which: &str) {
        let holds = rule.when.as_ref().is_none_or(|when| when.holds(view));
        let word = if holds { "is emitted" } else { "is not emitted" };
        self.line_of(0, format!("event {}{which} {word}", rule.name), &rule.origin);
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
            self.line_of(0, format!("merge {word}"), &rule.origin);
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
            self.line(depth, format!("{} {word}: {}", test.text, found(test, view)));
        }
    }

    fn resources(&mut self, rule: &EventRule, view: &View<'_>) {
        match apply::find_all(self.plan, rule, view) {
            Ok(found) => {
                let ids = apply::ids(&found);
                for it in &found {
                    let view = View { ids: &ids, ..it.view(view) };
                    self.resource(&self.plan.resources[it.slot.resource], &view, it.is_named());
                }
                self.report_none_found(rule, &found);
            }
            Err(refusal) => self.line(1, format!("refused: {refusal}")),
        }
    }

    /// Resources that are there for each repetition, of which there is none.
    fn report_none_found(&mut self, rule: &EventRule, found: &[Found<'_, '_>]) {
        for slot in rule.slots.iter().filter(|slot| !found.iter().any(|it| std::ptr::eq(it.slot, *slot))) {
            let resource = &self.plan.resources[slot.resource];
            let each = resource.each.as_ref().map_or("", |path| path.text());
            self.line_of(1, format!("{} is left out: no {each} gives it an id", resource.key), &resource.origin);
        }
    }

    fn resource(&mut self, resource: &ResourcePlan, view: &View<'_>, named: bool) {
        if !named {
            self.line_of(1, format!("{} is left out: it has no id", resource.key), &resource.origin);
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
            Node::Literal(literal) => self.line(1, format!("{way} = {literal}")),
            Node::Object(object) => self.object(way, object, node, view),
            Node::Template(template) => self.template(1, way, template, view),
        }
    }

    fn object(&mut self, way: &str, object: &Object, node: &Node, view: &View<'_>) {
        if let Some(when) = object.when.as_ref().filter(|when| !when.value.holds(view)) {
            self.line_of(1, format!("{way} is left out"), &when.origin);
            return self.reasons(2, &when.value, view);
        }
        if write::node(&mut String::new(), node, view) == Written::Nothing {
            let why =
                object.essential.map_or("it finds nothing in the message".to_owned(), |it| format!("it has no {it}"));
            self.line(1, format!("{way} is left out: {why}"));
        }
        object.members.iter().for_each(|member| self.node(&format!("{way}.{}", member.name), &member.node, view));
    }

    fn element(&mut self, way: &str, element: &Element, view: &View<'_>) {
        let path = match &element.each {
            None => return self.node(way, &element.node, view),
            Some(Each::Path(path)) => path,
            Some(Each::Resource(number)) => {
                for (index, ids) in view.for_each_id(*number).enumerate() {
                    self.node(&format!("{way} ({})", index + 1), &element.node, &View { ids: &ids, ..*view });
                }
                return;
            }
        };
        let repetitions = view.fields.each(path);
        if repetitions.is_empty() {
            self.line(1, format!("{way} is left out: the message has no {}", path.text()));
        }
        for (index, repetition) in repetitions.iter().enumerate() {
            let way = format!("{way} ({} {})", path.text(), index + 1);
            self.node(&way, &element.node, &View { fields: &**repetition, ..*view });
        }
    }

    /// A member's value with its line, and what was tried for it.
    fn template(&mut self, depth: usize, way: &str, template: &Placed<Template>, view: &View<'_>) {
        let text = format!("{way} = {}", shown(&template.value.value(view)));
        let tried = trial::trials(&template.value, view);
        self.lines.push(Line { depth, text, origin: Some(template.origin.clone()), tried });
    }
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
