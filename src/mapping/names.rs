//! What the expressions of one mapping can call by name: the paths of its protocol, constants, tables, resources.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fhircast_gateway_adapter_api::Grammar;
use jiff::tz::TimeZone;

use super::expression::Expression;
use super::function::Surroundings;
use super::table::LookupTable;

/// The name that stands for a resource's first identifier, inside that resource.
pub(crate) const FIRST_IDENTIFIER: &str = "first-identifier";

/// Code systems that every mapping knows. `v2-…` and `v3-…` stand for any of HL7's tables.
const CODE_SYSTEMS: [(&str, &str); 5] = [
    ("dcm", "http://dicom.nema.org/resources/ontology/DCM"),
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("ucum", "http://unitsofmeasure.org"),
    ("urn-dicom-uid", "urn:dicom:uid"),
];

/// Where HL7's own tables are, as FHIR code systems.
const HL7_TABLES: &str = "http://terminology.hl7.org/CodeSystem/";

/// The names of one mapping.
pub(crate) struct Names<'g> {
    pub(crate) grammar: &'g dyn Grammar,
    pub(crate) constants: BTreeMap<String, String>,
    /// Whole expressions by their names.
    pub(crate) expressions: BTreeMap<String, Expression>,
    pub(crate) tables: BTreeMap<String, LookupTable>,
    pub(crate) zone: Option<TimeZone>,
    /// The context keys of the mapping's resources, in order.
    pub(crate) keys: Vec<String>,
    /// What was asked for.
    pub(crate) used: RefCell<BTreeSet<Definition>>,
    /// Whether what the mapping extends is not there, so that any name may stand for something.
    pub(crate) partial: bool,
}

/// What a file declares for its expressions, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Definition {
    Constant(String),
    Expression(String),
    Table(String),
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    FirstIdentifier,
    /// The `id` of the resource of that number.
    Reference(usize),
    Text(String),
}

impl Names<'_> {
    /// What `name` stands for: a constant of the mapping, a code system, a resource's id.
    pub(crate) fn meaning(&self, name: &str) -> Option<Meaning> {
        if name == FIRST_IDENTIFIER {
            return Some(Meaning::FirstIdentifier);
        }
        if let Some(key) = name.strip_suffix(".id") {
            return self.keys.iter().position(|known| known == key).map(Meaning::Reference);
        }
        self.text(name).map(Meaning::Text)
    }

    /// The expression that `name` stands for.
    pub(crate) fn expression(&self, name: &str) -> Option<&Expression> {
        let expression = self.expressions.get(name)?;
        self.used.borrow_mut().insert(Definition::Expression(name.to_owned()));
        Some(expression)
    }

    /// The text that `name` stands for.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let constant = self.constants.get(name);
        if constant.is_some() {
            self.used.borrow_mut().insert(Definition::Constant(name.to_owned()));
        }
        constant.cloned().or_else(|| code_system(name))
    }

    /// Every name there is, for suggestions.
    pub(crate) fn all(&self) -> Vec<String> {
        let systems = CODE_SYSTEMS.iter().map(|(name, _)| (*name).to_owned());
        let resources = self.keys.iter().map(|key| format!("{key}.id"));
        let own = self.constants.keys().chain(self.expressions.keys()).cloned();
        own.chain(systems).chain(resources).chain([FIRST_IDENTIFIER.to_owned()]).collect()
    }
}

fn code_system(name: &str) -> Option<String> {
    let hl7 = |table: &str| !table.is_empty() && table.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match name.split_once('-') {
        Some(("v2" | "v3", table)) if hl7(table) => Some(format!("{HL7_TABLES}{name}")),
        _ => CODE_SYSTEMS.iter().find(|(known, _)| *known == name).map(|(_, system)| (*system).to_owned()),
    }
}

impl Surroundings for Names<'_> {
    fn table(&self, name: &str) -> Option<LookupTable> {
        let table = self.tables.get(name);
        if table.is_some() {
            self.used.borrow_mut().insert(Definition::Table(name.to_owned()));
        }
        table.cloned().or_else(|| self.partial.then(LookupTable::default))
    }

    fn table_names(&self) -> Vec<&str> {
        self.tables.keys().map(String::as_str).collect()
    }

    fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }
}
