//! The tree of a file (merged with what it extends) to a [`Plan`]: every key known, every text read, every path resolved.
//!
//! Collects all mistakes rather than stop at the first; a part with a mistake is left out of the plan, which is then thrown
//! away.

mod age;
mod definitions;
mod event_context;
pub(crate) mod keys;
mod merge_rule;
mod resource;

use std::collections::BTreeSet;

use fhircast_gateway_adapter_api::{Grammar, Path};

use super::absent;
use super::age::NotAfter;
use super::condition::Condition;
use super::diagnostics::{Problem, did_you_mean, nearest};
use super::expression::{Expression, Template};
use super::file::{Entry, Item, Kind, Table, Text};
use super::futile;
use super::names::{Definition, Names};
use super::parse::{self, Mistake};
use super::plan::{EventRule, Placed, Plan, ResourcePlan, SessionPlan};
use super::reachable;
use super::source::{Place, Sources};
use crate::fhircast::EventName;
use crate::fhircast::catalogue::DEFINITIONS;

pub(crate) use event_context::EventContext;

/// Compiles one file after another, and keeps what is wrong with them.
pub(crate) struct Compiler<'c> {
    pub(crate) sources: &'c Sources,
    pub(crate) grammars: &'c [&'c dyn Grammar],
    pub(crate) problems: Vec<Problem>,
}

/// What became of one file.
pub(crate) struct Compiled {
    pub(crate) plan: Plan,
    /// The constants and tables that its expressions name.
    pub(crate) used: BTreeSet<Definition>,
}

/// The work on one file.
struct FileCompiler<'c, 'f> {
    compiler: &'f mut Compiler<'c>,
    names: Names<'c>,
    /// The file, merged with what it extends.
    root: &'f Table,
    /// The resources that single events have in place of the mapping's.
    own_resources: Vec<ResourcePlan>,
}

impl<'c> Compiler<'c> {
    /// The plan of `root`. None if it has no protocol that is known here; mistakes are in `problems` in any case. Of a `partial`
    /// tree, which lacks what it extends, only that is reported which is wrong whatever is missing; its plan is of no use.
    pub(crate) fn compile(&mut self, root: &Table, file: usize, partial: bool) -> Option<Compiled> {
        self.only_keys(root, &keys::FILE, "a mapping");
        self.events_key(root);
        let (protocol, grammar) = self.protocol(root, file, partial)?;
        let names = self.names(root, grammar, partial);
        let mut compiler = FileCompiler { compiler: self, names, root, own_resources: Vec::new() };
        let resources = compiler.resources(root);
        let mut plan = Plan {
            protocol,
            about: root
                .get("about")
                .and_then(|entry| compiler.compiler.expect_text(entry))
                .map(|text| text.text.clone()),
            accept: compiler.accept(root),
            session: compiler.session(root),
            occurred: compiler.occurred(root),
            rules: Vec::new(),
            merges: compiler.merges(root),
            resources,
        };
        plan.rules = compiler.rules(root, &plan);
        plan.resources.append(&mut compiler.own_resources);
        let used = compiler.names.used.take();
        Some(Compiled { plan, used })
    }

    /// The protocol of a file, and its grammar. Where it is not said as it should be, the one that most of what stands there looks
    /// like: so what else is wrong can be told.
    fn protocol(&mut self, root: &Table, file: usize, partial: bool) -> Option<(String, &'c dyn Grammar)> {
        let known: Vec<&str> = self.grammars.iter().map(|grammar| grammar.protocol()).collect();
        let Some(entry) = root.get("protocol") else {
            let help = format!("write protocol = \"{}\", or extend a mapping that does", known.join("\" or \""));
            if !partial {
                let start = Place { file, start: 0, end: 0 };
                self.problems.push(Problem::new(start, "the mapping has no protocol").help(help));
            }
            return self.likely_protocol(root);
        };
        let Some(text) = self.expect_text(entry) else { return self.likely_protocol(root) };
        let Some(grammar) = self.grammars.iter().find(|grammar| grammar.protocol() == text.text) else {
            let help = did_you_mean(&text.text, known);
            self.problems.push(Problem::new(text.whole(), format!("unknown protocol `{}`", text.text)).help(help));
            return self.likely_protocol(root);
        };
        Some((text.text.clone(), *grammar))
    }

    /// The first of those by which most words of the file look like paths.
    fn likely_protocol(&self, root: &Table) -> Option<(String, &'c dyn Grammar)> {
        let mut texts = Vec::new();
        collect_texts(root, &mut texts);
        let is_end = |character: char| character.is_whitespace() || "${}|'\"(),".contains(character);
        let words: Vec<&str> =
            texts.iter().flat_map(|text| text.split(is_end)).filter(|it| !it.starts_with('.')).collect();
        let fitting = |grammar: &&&dyn Grammar| words.iter().filter(|word| grammar.looks_like_path(word)).count();
        let likely = self.grammars.iter().rev().max_by_key(fitting)?;
        Some((likely.protocol().to_owned(), *likely))
    }

    /// `events` says one thing, or is not there.
    fn events_key(&mut self, root: &Table) {
        let Some(entry) = root.get("events") else { return };
        if let Some(text) = self.expect_text(entry).filter(|text| text.text != "replace") {
            let problem = Problem::new(text.whole(), format!("`events` cannot be `{}`", text.text));
            self.problems
                .push(problem.help("write \"replace\", or leave it out: then those of the extended file count too"));
        }
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
        self.compiler.only_keys(table, &keys::ACCEPT, "[accept]");
        let Some(when) = table.get("when") else {
            let help = "write when = '…'; or leave [accept] out, and name the mapping at its listener";
            self.problem(Problem::new(entry.place, "[accept] does not say for which messages").help(help));
            return None;
        };
        let condition = self.condition(when)?;
        self.report_absent(when, &condition.value, None);
        Some(condition)
    }

    /// `[session]` of the mapping, or of an event.
    fn session(&mut self, of: &Table) -> SessionPlan {
        let Some(entry) = of.get("session") else { return SessionPlan::default() };
        let Some(table) = self.compiler.expect_table(entry) else { return SessionPlan::default() };
        self.compiler.only_keys(table, &keys::SESSION, "[session]");
        let mut template = |key: &str| table.get(key).and_then(|entry| self.template_entry(entry));
        let plan = SessionPlan { user: template("user"), workstation: template("workstation") };
        if let (Some(user), Some(text)) = (&plan.user, text_of(table.get("user"))) {
            self.report_bystanders(text, &user.value);
        }
        plan
    }

    fn rules(&mut self, root: &Table, plan: &Plan) -> Vec<EventRule> {
        let Some(entry) = root.get("event") else { return Vec::new() };
        let Kind::Array(items) = &entry.item.kind else {
            self.compiler.expected("tables: write [[event]]", entry);
            return Vec::new();
        };
        self.compiler.problems.extend(reachable::report_twins(items, self.compiler.sources));
        let not_after = self.not_after(root);
        items.iter().filter_map(|item| self.rule(item, root, not_after, plan)).collect()
    }

    fn rule(&mut self, item: &Item, root: &Table, not_after: Option<NotAfter>, plan: &Plan) -> Option<EventRule> {
        let Kind::Table(table) = &item.kind else {
            self.problem(Problem::new(item.place, "an event is a table: write [[event]]"));
            return None;
        };
        self.compiler.only_keys(table, &keys::EVENT, "[[event]]");
        let Some(name) = table.get("name") else {
            self.problem(Problem::new(item.place, "the event has no name").help("write name = \"Patient-open\", say"));
            return None;
        };
        let each = table.get("each").and_then(|entry| self.path_entry(entry));
        let when = table.get("when").and_then(|entry| self.condition(entry));
        self.report_never_accepted(table, plan, when.as_ref());
        if let (Some(when), Some(entry)) = (&when, table.get("when")) {
            // Inside of `each` a path means another place than in [accept].
            let accept = plan.accept.as_ref().filter(|_| each.is_none());
            self.report_absent(entry, &when.value, accept.map(|accept| &accept.value));
        }
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
                let problem = Problem::new(text.whole(), format!("`{}` is no event: {error}", text.text));
                let near = nearest(&text.text, DEFINITIONS.iter().map(|definition| definition.name));
                self.problem(Problem { help: near.map(|near| format!("did you mean `{near}`?")), ..problem });
                None
            }
        }
    }

    /// An event of which no message that is accepted holds would never be emitted.
    fn report_never_accepted(&mut self, event: &Table, plan: &Plan, when: Option<&Placed<Condition>>) {
        let (Some(accept), Some(when), Some(entry)) = (&plan.accept, when, event.get("when")) else { return };
        // Inside of `each` a path means another place than in [accept].
        if event.get("each").is_none() && reachable::never_accepted(&accept.value, &when.value) {
            let message = "this event is never emitted: no message that [accept] takes is so";
            let help = format!("[accept] stands at {}", accept.origin);
            self.problem(Problem::new(entry.item.place, message).help(help));
        }
    }

    fn condition(&mut self, entry: &Entry) -> Option<Placed<Condition>> {
        let text = self.compiler.expect_text(entry)?;
        let read = parse::condition(&text.text, &self.names);
        let condition = self.read(text, read)?;
        self.report_futile(text, futile::in_condition(&condition.value, text.text.len()));
        Some(condition)
    }

    fn template_entry(&mut self, entry: &Entry) -> Option<Placed<Template>> {
        let text = self.compiler.expect_text(entry)?;
        self.template(text)
    }

    fn template(&mut self, text: &Text) -> Option<Placed<Template>> {
        let read = parse::template(&text.text, &self.names);
        let template = self.read(text, read)?;
        self.report_futile(text, futile::in_template(&template.value));
        Some(template)
    }

    /// Who is named in a message and sits elsewhere is no user.
    fn report_bystanders(&mut self, text: &Text, user: &Template) {
        for (path, span) in user.expressions().flat_map(Expression::paths) {
            let Some(who) = self.names.grammar.bystander(path) else { continue };
            let message = format!("{} names {who}, who mostly sits elsewhere", path.text());
            let help = "the user is who did it: who entered, verified or read it";
            self.problem(Problem::warning(text.place(span), message).help(help));
        }
    }

    /// Paths that no message has of which `condition`, beside `also`, holds.
    fn report_absent(&mut self, entry: &Entry, condition: &Condition, also: Option<&Condition>) {
        let Some(text) = text_of(Some(entry)) else { return };
        for (span, message) in absent::in_condition(condition, also, self.names.grammar) {
            self.problem(Problem::new(text.place(span), message));
        }
    }

    /// What never comes true; where names are missing it cannot be told.
    fn report_futile(&mut self, text: &Text, mistakes: Vec<Mistake>) {
        let problem = |it: Mistake| Problem { help: it.help, ..Problem::new(text.place(it.span), it.message) };
        if !self.names.partial {
            self.compiler.problems.extend(mistakes.into_iter().map(problem));
        }
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
                self.problem(Problem { help, ..Problem::new(text.place(span), message) });
                None
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.compiler.problems.push(problem);
    }
}

fn collect_texts<'t>(table: &'t Table, texts: &mut Vec<&'t str>) {
    table.entries.iter().for_each(|entry| collect_texts_of(&entry.item, texts));
}

fn collect_texts_of<'t>(item: &'t Item, texts: &mut Vec<&'t str>) {
    match &item.kind {
        Kind::Text(text) => texts.push(&text.text),
        Kind::Table(table) => collect_texts(table, texts),
        Kind::Array(items) => items.iter().for_each(|item| collect_texts_of(item, texts)),
        Kind::Scalar(_) => {}
    }
}
