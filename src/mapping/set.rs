//! All mappings that are in force together: loaded at once or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhircast_gateway_adapter_api::{Fields, Grammar};

use super::apply::{self, Mapped, Refusal};
use super::compile::Compiler;
use super::diagnostics::{Diagnostics, Problem};
use super::expression::View;
use super::family::Family;
use super::file::{self, Table};
use super::plan::Plan;
use super::rivalry;
use super::source::{SourceFile, Sources};
use super::speakers::Speakers;
use super::unused::Usage;

/// The mappings in force.
#[derive(Debug)]
pub struct MappingSet {
    mappings: BTreeMap<String, Arc<Mapping>>,
    warnings: Diagnostics,
    /// Those with an `[accept]`; each before what it extends.
    speaking: Speakers,
}

/// One mapping, merged with what it extends, and compiled.
#[derive(Debug)]
pub struct Mapping {
    name: String,
    path: String,
    /// What it extends, what that extends, and so on.
    lineage: Vec<String>,
    pub(super) plan: Plan,
    pub(super) merged: Table,
    pub(super) sources: Arc<Sources>,
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
        let mut compiler = Compiler { sources: &sources, grammars, problems };
        let mut usage = Usage::default();
        let mut mappings = BTreeMap::new();
        for (index, file) in files.iter().enumerate().filter(|(_, file)| !file.is_table()) {
            let before = compiler.problems.len();
            let lineage = family.lineage(index, &mut compiler.problems);
            let merged = family.merged(&lineage, &mut compiler.problems);
            let Some(compiled) = compiler.compile(&merged, index, lineage.broken) else { continue };
            match compiler.problems[before..].iter().any(Problem::is_mistake) {
                true => usage.note_unread(&lineage.files),
                false => usage.note(&lineage.files, &family.trees[index], &compiled),
            }
            if lineage.broken {
                continue;
            }
            let SourceFile { name, path, .. } = file.clone();
            let (lineage, sources) = (family.names(&lineage.files[1..]), Arc::clone(&sources));
            let mapping = Mapping { name, path, lineage, plan: compiled.plan, merged, sources };
            mappings.insert(mapping.name.clone(), Arc::new(mapping));
        }
        let mut problems = compiler.problems;
        rivalry::report(mappings.values().map(|mapping| &**mapping), &mut problems);
        problems.extend(usage.warnings());
        let refused = problems.iter().any(Problem::is_mistake);
        let diagnostics = Diagnostics::new(sources, problems);
        match refused {
            true => Err(diagnostics),
            false => Ok(Self { warnings: diagnostics, speaking: speaking(&mappings), mappings }),
        }
    }

    /// What is most likely not meant so, in the mappings in force.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The names of all mappings, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.mappings.keys().map(String::as_str)
    }

    /// All mappings, in order of their names.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.values().map(|mapping| &**mapping)
    }

    /// The mapping called `name`.
    pub fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.mappings.get(name).map(|mapping| &**mapping)
    }

    /// The mapping that speaks for a message of `protocol`: the one that its listener is configured with, if it accepts the
    /// message; where none is configured, the one that accepts it by its own `[accept]`. Of a mapping and one that it extends the
    /// first speaks; no others can both accept one message.
    pub fn select(&self, configured: Option<&str>, protocol: &str, fields: &dyn Fields) -> Option<&Mapping> {
        if let Some(name) = configured {
            return self.mapping(name).filter(|mapping| mapping.takes(protocol, fields));
        }
        self.speaking.find(protocol, fields)
    }
}

/// The mappings with an `[accept]`: those that extend more come first, and so each before what it extends.
fn speaking(mappings: &BTreeMap<String, Arc<Mapping>>) -> Speakers {
    let accepting = mappings.values().filter(|mapping| mapping.plan.accept.is_some());
    let mut speaking: Vec<Arc<Mapping>> = accepting.cloned().collect();
    speaking.sort_by_key(|mapping| std::cmp::Reverse(mapping.lineage.len()));
    Speakers::new(speaking)
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

    /// Whether it extends the mapping `name`, or extends one that does.
    pub(super) fn extends(&self, name: &str) -> bool {
        self.lineage.iter().any(|ancestor| ancestor == name)
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

    pub(super) fn takes(&self, protocol: &str, fields: &dyn Fields) -> bool {
        self.plan.protocol == protocol && self.accepts(fields)
    }
}
