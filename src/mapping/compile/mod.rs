//! The tree of a file (merged with what it extends) to a [`Plan`]: every key known, every text read, every path resolved.
//!
//! Collects all mistakes rather than stop at the first; a part with a mistake is left out of the plan, which is then thrown
//! away.

mod age;
mod definitions;
mod event_context;
mod merge_rule;
mod resource;

use fhircast_gateway_adapter_api::{Grammar, Path};

use super::age::NotAfter;
use super::condition::Condition;
use super::diagnostics::{Problem, did_you_mean};
use super::expression::Template;
use super::file::{Entry, Item, Kind, Table, Text};
use super::names::Names;
use super::parse::{self, Mistake};
use super::plan::{EventRule, Placed, Plan, ResourcePlan, SessionPlan};
use super::source::{Place, Sources};
use crate::fhircast::EventName;

pub(crate) use event_context::EventContext;

/// The keys of a file.
const FILE_KEYS: [&str; 14] = [
    "extends",
    "protocol",
    "about",
    "zone",
    "occurred",
    "not_after",
    "events",
    "accept",
    "session",
    "constant",
    "event",
    "merge",
    "context",
    "table",
];
const EVENT_KEYS: [&str; 6] = ["name", "each", "when", "not_after", "session", "context"];

/// Compiles one file after another, and keeps what is wrong with them.
pub(crate) struct Compiler<'c> {
    pub(crate) sources: &'c Sources,
    pub(crate) grammars: &'c [&'c dyn Grammar],
    pub(crate) problems: Vec<Problem>,
}

/// The work on one file.
struct FileCompiler<'c, 'f> {
    compiler: &'f mut Compiler<'c>,
    names: Names<'c>,
    /// The resources that single events have in place of the mapping's.
    own_resources: Vec<ResourcePlan>,
}

impl<'c> Compiler<'c> {
    /// The plan of `root`. None if it has no protocol that is known here; mistakes are in `problems` in any case.
    pub(crate) fn compile(&mut self, root: &Table, file: usize) -> Option<Plan> {
        self.only_keys(root, &FILE_KEYS, "a mapping");
        let (protocol, grammar) = self.protocol(root, file)?;
        let names = self.names(root, grammar);
        let mut compiler = FileCompiler { compiler: self, names, own_resources: Vec::new() };
        let resources = compiler.resources(root);
        let mut plan = Plan {
            protocol,
            about: text_of(root.get("about")).map(|text| text.text.clone()),
            accept: compiler.accept(root),
            session: compiler.session(root),
            occurred: compiler.occurred(root),
            rules: Vec::new(),
            merges: compiler.merges(root),
            resources,
        };
        plan.rules = compiler.rules(root, &plan);
        plan.resources.append(&mut compiler.own_resources);
        Some(plan)
    }

    fn protocol(&mut self, root: &Table, file: usize) -> Option<(String, &'c dyn Grammar)> {
        let known: Vec<&str> = self.grammars.iter().map(|grammar| grammar.protocol()).collect();
        let Some(entry) = root.get("protocol") else {
            let help = format!("write protocol = \"{}\", or extend a mapping that does", known.join("\" or \""));
            self.problems
                .push(Problem::new(Place { file, start: 0, end: 0 }, "the mapping has no protocol").help(help));
            return None;
        };
        let text = self.expect_text(entry)?;
        let grammar = self.grammars.iter().find(|grammar| grammar.protocol() == text.text);
        if grammar.is_none() {
            let help = did_you_mean(&text.text, known);
            self.problems.push(Problem::new(text.whole(), format!("unknown protocol `{}`", text.text)).help(help));
        }
        grammar.map(|grammar| (text.text.clone(), *grammar))
    }

    /// Reports keys that mean nothing where they stand.
    fn only_keys(&mut self, table: &Table, known: &[&str], what: &str) {
        for entry in &table.entries {
            if !known.contains(&entry.key.as_str()) {
                let help = did_you_mean(&entry.key, known.iter().copied());
                self.problems.push(Problem::new(entry.place, format!("{what} has no key `{}`", entry.key)).help(help));
            }
        }
    }

    fn expect_text<'t>(&mut self, entry: &'t Entry) -> Option<&'t Text> {
        let text = text_of(Some(entry));
        if text.is_none() {
            self.expected("a string", entry);
        }
        text
    }

    fn expect_table<'t>(&mut self, entry: &'t Entry) -> Option<&'t Table> {
        if let Kind::Table(table) = &entry.item.kind {
            return Some(table);
        }
        self.expected("a table", entry);
        None
    }

    fn expected(&mut self, what: &str, entry: &Entry) {
        let message = format!("`{}` must be {what}, not {}", entry.key, entry.item.kind.name());
        self.problems.push(Problem::new(entry.item.place, message));
    }
}

/// The string of `entry`, if it is one.
fn text_of(entry: Option<&Entry>) -> Option<&Text> {
    match &entry?.item.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

impl FileCompiler<'_, '_> {
    fn accept(&mut self, root: &Table) -> Option<Placed<Condition>> {
        let entry = root.get("accept")?;
        let table = self.compiler.expect_table(entry)?;
        self.compiler.only_keys(table, &["when"], "[accept]");
        let Some(when) = table.get("when") else {
            let help = "write when = '…'; or leave [accept] out, and name the mapping at its listener";
            self.problem(Problem::new(entry.place, "[accept] does not say for which messages").help(help));
            return None;
        };
        self.condition(when)
    }

    /// `[session]` of the mapping, or of an event.
    fn session(&mut self, of: &Table) -> SessionPlan {
        let Some(entry) = of.get("session") else { return SessionPlan::default() };
        let Some(table) = self.compiler.expect_table(entry) else { return SessionPlan::default() };
        self.compiler.only_keys(table, &["user", "workstation"], "[session]");
        let mut template = |key: &str| table.get(key).and_then(|entry| self.template_entry(entry));
        SessionPlan { user: template("user"), workstation: template("workstation") }
    }

    fn rules(&mut self, root: &Table, plan: &Plan) -> Vec<EventRule> {
        let Some(entry) = root.get("event") else { return Vec::new() };
        let Kind::Array(items) = &entry.item.kind else {
            self.compiler.expected("tables: write [[event]]", entry);
            return Vec::new();
        };
        let not_after = self.not_after(root);
        items.iter().filter_map(|item| self.rule(item, root, not_after, plan)).collect()
    }

    fn rule(&mut self, item: &Item, root: &Table, not_after: Option<NotAfter>, plan: &Plan) -> Option<EventRule> {
        let Kind::Table(table) = &item.kind else {
            self.problem(Problem::new(item.place, "an event is a table: write [[event]]"));
            return None;
        };
        self.compiler.only_keys(table, &EVENT_KEYS, "[[event]]");
        let Some(name) = table.get("name") else {
            self.problem(Problem::new(item.place, "the event has no name").help("write name = \"Patient-open\", say"));
            return None;
        };
        let each = table.get("each").and_then(|entry| self.path_entry(entry));
        let when = table.get("when").and_then(|entry| self.condition(entry));
        self.report_contradiction(table, plan, when.as_ref());
        let event = self.event_name(name)?;
        let session = self.session(table);
        let slots = self.slots(&event, item.place, table.get("context"), root, plan);
        let not_after = NotAfter::of(&event, self.not_after(table), not_after);
        let origin = self.compiler.sources.origin(name.place);
        Some(EventRule { name: event, each, when: when.map(|when| when.value), not_after, session, slots, origin })
    }

    fn event_name(&mut self, entry: &Entry) -> Option<EventName> {
        let text = self.compiler.expect_text(entry)?;
        match EventName::parse(&text.text) {
            Ok(name) => Some(name),
            Err(error) => {
                self.problem(Problem::new(text.whole(), format!("`{}` is no event: {error}", text.text)));
                None
            }
        }
    }

    /// An event whose conditions exclude each other would never be emitted.
    fn report_contradiction(&mut self, event: &Table, plan: &Plan, when: Option<&Placed<Condition>>) {
        let conditions = plan.accept.as_ref().map(|accept| &accept.value).into_iter().chain(when.map(|it| &it.value));
        let (Some(path), Some(entry)) = (super::reachable::contradiction(conditions), event.get("when")) else {
            return;
        };
        let message = format!("this event is never emitted: its conditions want different values of {path} at once");
        self.problem(Problem::new(entry.item.place, message).help("the `when` of [accept] counts too"));
    }

    fn condition(&mut self, entry: &Entry) -> Option<Placed<Condition>> {
        let text = self.compiler.expect_text(entry)?;
        let read = parse::condition(&text.text, &self.names);
        self.read(text, read)
    }

    fn template_entry(&mut self, entry: &Entry) -> Option<Placed<Template>> {
        let text = self.compiler.expect_text(entry)?;
        self.template(text)
    }

    fn template(&mut self, text: &Text) -> Option<Placed<Template>> {
        let read = parse::template(&text.text, &self.names);
        self.read(text, read)
    }

    fn path_entry(&mut self, entry: &Entry) -> Option<Path> {
        let text = self.compiler.expect_text(entry)?;
        let read = self.names.grammar.path(&text.text).map_err(|error| Mistake {
            span: error.span.start.min(text.text.len())..error.span.end.min(text.text.len()),
            message: error.message,
            help: error.suggestion.map(|right| format!("write {right}")),
        });
        self.read(text, read).map(|placed| placed.value)
    }

    /// What was read of `text`, with its line; or its mistake, reported where it stands in the file.
    fn read<T>(&mut self, text: &Text, read: Result<T, Mistake>) -> Option<Placed<T>> {
        match read {
            Ok(value) => Some(Placed { value, origin: self.compiler.sources.origin(text.whole()) }),
            Err(Mistake { span, message, help }) => {
                self.problem(Problem { place: text.place(span), message, help });
                None
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.compiler.problems.push(problem);
    }
}
