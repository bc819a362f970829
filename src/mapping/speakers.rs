//! Which mapping speaks for a message, among the many of a site. What most of them demand first, a sender's name, is read once
//! for all, and only those that it fits are looked at further.

use std::sync::Arc;

use fhircast_gateway_adapter_api::{Fields, Path, Value};

use super::condition::{Comparison, Condition, Test};
use super::expression::{Operand, Pipeline};
use super::set::Mapping;

/// The mappings with an `[accept]`, in the order in which they are asked.
#[derive(Debug)]
pub(super) struct Speakers {
    speakers: Vec<Speaker>,
    /// The paths of all demands, each once.
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Speaker {
    mapping: Arc<Mapping>,
    demand: Option<Demand>,
}

/// What must hold before the whole `[accept]` can.
#[derive(Debug)]
struct Demand {
    /// The number of its path.
    path: usize,
    /// The values of which it must have one.
    values: Vec<Box<str>>,
}

impl Speakers {
    /// Those of `mappings` that have an `[accept]`, in their order.
    pub(super) fn new(mappings: impl IntoIterator<Item = Arc<Mapping>>) -> Self {
        let mut paths: Vec<Path> = Vec::new();
        let mut number = |path: &Path| {
            paths.iter().position(|known| known == path).unwrap_or_else(|| {
                paths.push(path.clone());
                paths.len() - 1
            })
        };
        let speaker = |mapping: Arc<Mapping>| {
            let demanded = mapping.plan.accept.as_ref().and_then(|accept| demand(&accept.value));
            let demand = demanded.map(|(path, values)| Demand { path: number(path), values });
            Speaker { mapping, demand }
        };
        let speakers = mappings.into_iter().map(speaker).collect();
        Self { speakers, paths }
    }

    /// The first that speaks for a message of `protocol`.
    pub(super) fn find(&self, protocol: &str, fields: &dyn Fields) -> Option<&Mapping> {
        let values: Vec<Value<'_>> = self.paths.iter().map(|path| fields.first(path)).collect();
        let fits = |speaker: &&Speaker| speaker.demand.as_ref().is_none_or(|demand| demand.fits(&values));
        let mut fitting = self.speakers.iter().filter(fits).map(|speaker| &*speaker.mapping);
        fitting.find(|mapping| mapping.takes(protocol, fields))
    }
}

impl Demand {
    fn fits(&self, values: &[Value<'_>]) -> bool {
        match values.get(self.path) {
            Some(Value::Text(text)) => self.values.iter().any(|value| **value == **text),
            _ => false,
        }
    }
}

/// A field that must have one of some values for `condition` to hold, if it says so plainly.
fn demand(condition: &Condition) -> Option<(&Path, Vec<Box<str>>)> {
    match condition {
        Condition::All(all) => all.iter().find_map(demand),
        Condition::Test(test) => demand_of(test),
        Condition::Any(_) | Condition::Not(_) => None,
    }
}

fn demand_of(test: &Test) -> Option<(&Path, Vec<Box<str>>)> {
    let Pipeline { operand: Operand::Path { path, many: false }, calls, .. } = &test.operand else { return None };
    let values = match &test.comparison {
        Comparison::Equals(Pipeline { operand: Operand::Text(text), calls, .. }) if calls.is_empty() => {
            vec![text.clone()]
        }
        Comparison::InList(texts) => texts.clone(),
        _ => return None,
    };
    (!test.negated && calls.is_empty()).then_some((path, values))
}
