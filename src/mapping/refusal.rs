//! Why a message that means an event cannot become it, told in the source's words: which fields were looked at, never what
//! stands in them.

use fhircast_gateway_adapter_api::{Fault, Path};

use super::apply::Refusal;
use super::expression::{Expression, Operand, Pipeline, Template, View};
use super::function::Call;
use super::plan::{Each, Element, EventRule, Member, Node, Plan, ResourcePlan};
use super::retire::MergeRule;

/// One place that was looked at, and why nothing came of it.
struct Trial {
    path: Path,
    /// The path as it reads in the whole message.
    text: String,
    failure: Failure,
}

enum Failure {
    Empty,
    /// The function that made nothing of it.
    Unreadable(&'static str),
}

/// The refusal of a message whose `resource` cannot be named: it has no id, or no identifier.
pub(super) fn unidentified(rule: &EventRule, resource: &ResourcePlan, no_identifier: bool, view: &View<'_>) -> Refusal {
    let by_identifier = no_identifier && resource.identifier.is_some();
    let mut trials = Vec::new();
    match (&resource.identifier, &resource.id) {
        (Some(identifier), _) if by_identifier => try_node(identifier, None, view, &mut trials),
        (_, Some(id)) => try_template(&id.value, None, view, &mut trials),
        _ => {}
    }
    let member = if by_identifier { "identifier" } else { "id" };
    let what = format!("{} needs {}.{member}", rule.name, resource.key);
    Refusal {
        fault: fault(&trials),
        reason: format!("{what}: {} ({})", explanation(&trials), rule.origin),
        field: trials.first().map(|trial| trial.path.clone()),
    }
}

/// The refusal of a message whose `resource` would lack a `member` that FHIR has in every resource of its type.
pub(super) fn lacking(
    plan: &Plan,
    rule: &EventRule,
    resource: &ResourcePlan,
    member: &Member,
    view: &View<'_>,
) -> Refusal {
    let mut trials = Vec::new();
    try_node(&member.node, None, view, &mut trials);
    let mut references = Vec::new();
    named_in(&member.node, &mut references);
    for slot in rule.slots.iter().filter(|slot| references.contains(&slot.reference)) {
        if let Some(identifier) = &plan.resources[slot.resource].identifier {
            try_node(identifier, None, view, &mut trials);
        }
    }
    let what = format!("{} needs {}.{}", rule.name, resource.key, member.name);
    Refusal {
        fault: fault(&trials),
        reason: format!("{what}: {} ({})", explanation(&trials), rule.origin),
        field: trials.first().map(|trial| trial.path.clone()),
    }
}

/// The numbers of the resources whose ids a node names.
fn named_in(node: &Node, references: &mut Vec<usize>) {
    match node {
        Node::Array(elements) => elements.iter().for_each(|element| named_in(&element.node, references)),
        Node::Literal(_) => {}
        Node::Object(object) => object.members.iter().for_each(|member| named_in(&member.node, references)),
        Node::Template(template) => {
            let pipelines = template.value.expressions().flat_map(|expression| &expression.alternatives);
            references.extend(pipelines.filter_map(|pipeline| match pipeline.operand {
                Operand::Reference(index) => Some(index),
                _ => None,
            }));
        }
    }
}

/// The refusal of a message that merges patients and does not say which identifier is retired.
pub(super) fn nothing_retired(rule: &MergeRule, view: &View<'_>) -> Refusal {
    let mut trials = Vec::new();
    try_node(&rule.identifier, None, view, &mut trials);
    Refusal {
        fault: fault(&trials),
        reason: format!("a merge needs the retired identifier: {} ({})", explanation(&trials), rule.origin),
        field: trials.first().map(|trial| trial.path.clone()),
    }
}

fn fault(trials: &[Trial]) -> Fault {
    match trials.iter().find_map(|trial| trial.failure.function()) {
        None => Fault::RequiredFieldMissing,
        Some("lookup" | "map-to-code") => Fault::CodeUnknown,
        Some(_) => Fault::ValueUnreadable,
    }
}

impl Failure {
    fn function(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Unreadable(function) => Some(function),
        }
    }
}

/// `ZDS-1.1 cannot be read by oid` before `none of IPC-3.1, OBR-18.1 has a value`: the first is what to look at first.
fn explanation(trials: &[Trial]) -> String {
    let unreadable = trials.iter().filter_map(|trial| Some((trial, trial.failure.function()?)));
    let mut sentences: Vec<String> =
        unreadable.map(|(trial, function)| format!("{} cannot be read by `{function}`", trial.text)).collect();
    let mut empty: Vec<&str> =
        trials.iter().filter(|it| it.failure.function().is_none()).map(|it| it.text.as_str()).collect();
    dedup(&mut empty);
    match empty.as_slice() {
        [] => {}
        [only] => sentences.push(format!("{only} has no value")),
        [one, other] => sentences.push(format!("neither {one} nor {other} has a value")),
        many => sentences.push(format!("none of {} has a value", many.join(", "))),
    }
    if sentences.is_empty() { "the mapping reads it from no field".to_owned() } else { sentences.join("; ") }
}

fn dedup(texts: &mut Vec<&str>) {
    let mut seen = Vec::new();
    texts.retain(|text| {
        let new = !seen.contains(text);
        seen.push(*text);
        new
    });
}

/// Looks at what a node would be made of; within an identifier only its value counts.
fn try_node(node: &Node, each: Option<&Path>, view: &View<'_>, trials: &mut Vec<Trial>) {
    match node {
        Node::Array(elements) => elements.iter().for_each(|element| try_element(element, each, view, trials)),
        Node::Literal(_) => {}
        Node::Object(object) => {
            let counts = |name: &str| object.essential.is_none_or(|essential| essential == name);
            for member in object.members.iter().filter(|member| counts(&member.name)) {
                try_node(&member.node, each, view, trials);
            }
        }
        Node::Template(template) => try_template(&template.value, each, view, trials),
    }
}

fn try_element(element: &Element, each: Option<&Path>, view: &View<'_>, trials: &mut Vec<Trial>) {
    let Some(Each::Path(path)) = &element.each else { return try_node(&element.node, each, view, trials) };
    let repetitions = view.fields.each(path);
    if repetitions.is_empty() {
        trials.push(Trial { path: path.clone(), text: path.text().to_owned(), failure: Failure::Empty });
    }
    for repetition in &repetitions {
        try_node(&element.node, Some(path), &View { fields: &**repetition, ..*view }, trials);
    }
}

fn try_template(template: &Template, each: Option<&Path>, view: &View<'_>, trials: &mut Vec<Trial>) {
    template.expressions().for_each(|expression| try_expression(expression, each, view, trials));
}

fn try_expression(expression: &Expression, each: Option<&Path>, view: &View<'_>, trials: &mut Vec<Trial>) {
    for pipeline in &expression.alternatives {
        match &pipeline.operand {
            Operand::Group(inner) => try_expression(inner, each, view, trials),
            Operand::Path { path, .. } => {
                let text = whole_path(path, each);
                trials.push(Trial { path: each.unwrap_or(path).clone(), text, failure: failure(pipeline, view) });
            }
            Operand::FirstIdentifier | Operand::Reference(_) | Operand::Text(_) => {}
        }
        for named in pipeline.calls.iter().flat_map(Call::expressions) {
            try_expression(named, each, view, trials);
        }
    }
}

/// A relative path is told with the repetition it starts at.
fn whole_path(path: &Path, each: Option<&Path>) -> String {
    match each {
        Some(each) if path.text().starts_with('.') => format!("{}{}", each.text(), path.text()),
        _ => path.text().to_owned(),
    }
}

/// The step at which the value was lost.
fn failure(pipeline: &Pipeline, view: &View<'_>) -> Failure {
    let mut data = pipeline.operand.value(view);
    if data.is_nothing() {
        return Failure::Empty;
    }
    for call in &pipeline.calls {
        data = call.apply(data, view);
        if data.is_nothing() {
            return Failure::Unreadable(call.name());
        }
    }
    Failure::Empty
}

impl Call {
    /// The function's name, as mappings write it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Date { .. } => "date",
            Self::DateTime { .. } => "datetime",
            Self::Default(_) => "default",
            Self::Digits => "digits",
            Self::First => "first",
            Self::Join(_) => "join",
            Self::Lookup(_) => "lookup",
            Self::Lower => "lower",
            Self::MapToCode(_) => "map-to-code",
            Self::Name => "name",
            Self::Nth(_) => "nth",
            Self::Oid => "oid",
            Self::Prefix(_) => "prefix",
            Self::Replace(..) => "replace",
            Self::Split(_) => "split",
            Self::Suffix(_) => "suffix",
            Self::Trim => "trim",
            Self::Upper => "upper",
            Self::Uri => "uri",
            Self::Uuid(_) => "uuid",
        }
    }
}
