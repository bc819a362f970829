//! All mappings that are in force together: loaded at once or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhircast_gateway_adapter_api::{Fields, Grammar};

use super::apply::{self, Mapped, Refusal};
use super::compile::Compiler;
use super::diagnostics::{Diagnostics, Problem, did_you_mean};
use super::expression::View;
use super::file::{self, Kind, Table};
use super::merge::merge;
use super::plan::Plan;
use super::source::{Origin, SourceFile, Sources};
use super::table_file;

/// The mappings in force.
#[derive(Debug)]
pub struct MappingSet {
    mappings: BTreeMap<String, Mapping>,
}

/// One mapping, merged with what it extends, and compiled.
#[derive(Debug)]
pub struct Mapping {
    name: String,
    path: String,
    pub(super) plan: Plan,
    pub(super) merged: Table,
    pub(super) sources: Arc<Sources>,
}

/// Which mapping speaks for a message.
#[derive(Clone, Debug)]
pub enum Selection<'s> {
    /// Just this one.
    One(&'s Mapping),
    /// None.
    None,
    /// More than one, which is a mistake in the mappings. `Display` of the problem says which, and where.
    Several(Ambiguity),
}

/// The mappings that claim one message, and where each says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than one mapping speaks for this message: {}", self.in_words())]
pub struct Ambiguity {
    /// Each mapping's name, and the line of its `accept`.
    pub claims: Vec<(String, Origin)>,
}

impl MappingSet {
    /// Loads all `files` at once; the protocols of their paths are those of `grammars`.
    ///
    /// # Errors
    /// Every mistake of every file. Nothing is loaded then.
    pub fn load(files: &[SourceFile], grammars: &[&dyn Grammar]) -> Result<Self, Diagnostics> {
        let sources = Arc::new(Sources { files: files.to_vec() });
        let mut problems = Vec::new();
        let mut tree = |(index, file): (usize, &SourceFile)| match file.is_table() {
            true => Table::default(),
            false => file::parse(index, file, &mut problems),
        };
        let trees = sources.files.iter().enumerate().map(&mut tree).collect();
        let family = Family { sources: &sources, trees };
        let mut merge = |(file, source): (usize, &SourceFile)| match source.is_table() {
            true => None,
            false => family.merged(file, &mut problems),
        };
        let merged: Vec<Option<Table>> = files.iter().enumerate().map(&mut merge).collect();
        let mut compiler = Compiler { sources: &sources, grammars, problems };
        let mut mappings = BTreeMap::new();
        for (index, merged) in merged.into_iter().enumerate() {
            let Some(merged) = merged else { continue };
            let Some(plan) = compiler.compile(&merged, index) else { continue };
            let SourceFile { name, path, .. } = files[index].clone();
            mappings.insert(name.clone(), Mapping { name, path, plan, merged, sources: Arc::clone(&sources) });
        }
        let problems = compiler.problems;
        if problems.is_empty() { Ok(Self { mappings }) } else { Err(Diagnostics::new(sources, problems)) }
    }

    /// The names of all mappings, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.mappings.keys().map(String::as_str)
    }

    /// All mappings, in order of their names.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.values()
    }

    /// The mapping called `name`.
    pub fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.mappings.get(name)
    }

    /// The mapping that speaks for a message of `protocol`: the one that its listener is configured with, if it accepts the
    /// message; where none is configured, the one that accepts it by its own `[accept]`.
    pub fn select(&self, configured: Option<&str>, protocol: &str, fields: &dyn Fields) -> Selection<'_> {
        if let Some(name) = configured {
            let mapping = self.mapping(name).filter(|mapping| mapping.takes(protocol, fields));
            return mapping.map_or(Selection::None, Selection::One);
        }
        let claims = |mapping: &&Mapping| mapping.plan.accept.is_some() && mapping.takes(protocol, fields);
        let claiming: Vec<&Mapping> = self.mappings.values().filter(claims).collect();
        match claiming.as_slice() {
            [] => Selection::None,
            [only] => Selection::One(only),
            several => Selection::Several(Ambiguity { claims: several.iter().filter_map(|it| it.claim()).collect() }),
        }
    }
}

impl Mapping {
    /// The mapping's name: `vendors/acme-ris`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the mapping says of itself.
    pub fn about(&self) -> Option<&str> {
        self.plan.about.as_deref()
    }

    /// The file it stands in.
    pub fn file(&self) -> &str {
        &self.path
    }

    /// The protocol whose messages it reads: `hl7v2`.
    pub fn protocol(&self) -> &str {
        &self.plan.protocol
    }

    /// The names of its events, in the order of its rules; a name for each rule.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.plan.rules.iter().map(|rule| rule.name.as_str())
    }

    /// Whether it speaks for messages of listeners that name no mapping: it has an `[accept]`.
    pub fn speaks_by_itself(&self) -> bool {
        self.plan.accept.is_some()
    }

    /// Whether it has events, and so is more than a base that others extend.
    pub fn has_events(&self) -> bool {
        !self.plan.rules.is_empty()
    }

    /// Whether it speaks for a message: its `[accept]` holds, or it has none.
    pub fn accepts(&self, fields: &dyn Fields) -> bool {
        self.plan.accept.as_ref().is_none_or(|accept| accept.value.holds(&View::new(fields)))
    }

    /// Where the mapping says whose screen it is; its file where it does not say.
    pub fn session_place(&self) -> String {
        let session = &self.plan.session;
        let said = session.user.as_ref().or(session.workstation.as_ref());
        said.map_or_else(|| self.path.clone(), |said| said.origin.to_string())
    }

    /// What a message becomes.
    ///
    /// # Errors
    /// When the message means an event, and lacks what the event needs.
    pub fn apply(&self, fields: &dyn Fields) -> Result<Mapped, Refusal> {
        apply::apply(&self.plan, fields)
    }

    fn takes(&self, protocol: &str, fields: &dyn Fields) -> bool {
        self.plan.protocol == protocol && self.accepts(fields)
    }

    fn claim(&self) -> Option<(String, Origin)> {
        self.plan.accept.as_ref().map(|accept| (self.name.clone(), accept.origin.clone()))
    }
}

impl Ambiguity {
    fn in_words(&self) -> String {
        let claims = self.claims.iter().map(|(name, origin)| format!("{name} ({origin})"));
        claims.collect::<Vec<_>>().join(", ")
    }
}

/// The files of one load, each as it was written, and who extends whom.
struct Family<'s> {
    sources: &'s Sources,
    trees: Vec<Table>,
}

impl Family<'_> {
    /// File number `file`, merged over all that it extends. None, with the reason in `problems`, if one of those is not there.
    fn merged(&self, file: usize, problems: &mut Vec<Problem>) -> Option<Table> {
        let mut merged: Option<Table> = None;
        for member in self.lineage(file, problems)?.into_iter().rev() {
            let own = self.trees[member].clone();
            let mut both = match merged {
                Some(parent) => merge(parent, own),
                None => own,
            };
            // Before the next one is laid over it: that may replace a table from a file, or add to its rows.
            table_file::read_named(&mut both, self.sources, problems);
            merged = Some(both);
        }
        merged
    }

    /// The file, what it extends, what that extends, and so on.
    fn lineage(&self, file: usize, problems: &mut Vec<Problem>) -> Option<Vec<usize>> {
        let mut lineage = vec![file];
        let mut current = file;
        while let Some(entry) = self.trees[current].get("extends") {
            let Kind::Text(text) = &entry.item.kind else {
                problems.push(Problem::new(entry.item.place, "`extends` must be a string: the name of one mapping"));
                return None;
            };
            let mappings = || self.sources.files.iter().enumerate().filter(|(_, file)| !file.is_table());
            let Some((parent, _)) = mappings().find(|(_, file)| file.name == text.text) else {
                let names: Vec<&str> = mappings().map(|(_, file)| file.name.as_str()).collect();
                let help = did_you_mean(&text.text, names);
                problems.push(Problem::new(text.whole(), format!("there is no mapping `{}`", text.text)).help(help));
                return None;
            };
            if lineage.contains(&parent) {
                let cycle = lineage.iter().chain([&parent]).map(|it| self.sources.files[*it].name.as_str());
                let message =
                    format!("mappings extend each other in a circle: {}", cycle.collect::<Vec<_>>().join(" -> "));
                problems.push(Problem::new(text.whole(), message));
                return None;
            }
            lineage.push(parent);
            current = parent;
        }
        Some(lineage)
    }
}
