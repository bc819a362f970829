//! Two mappings that could speak for one message: a mistake when they are loaded, and not a surprise at night.

use super::diagnostics::Problem;
use super::exclusive::{exclude_each_other, ways};
use super::file::{Item, Kind};
use super::set::Mapping;
use super::source::Place;

/// Reports each mapping that could speak for a message of another one, at the `[accept]` of both. That it extends is no other: it
/// speaks in its place.
pub(super) fn report<'m>(mappings: impl Iterator<Item = &'m Mapping>, problems: &mut Vec<Problem>) {
    let claim = |mapping: &'m Mapping| accept(mapping).map(|(place, ways)| (mapping, place, ways));
    let claims: Vec<_> = mappings.filter_map(claim).collect();
    for (number, (mapping, place, ways)) in claims.iter().enumerate() {
        // The first rival is enough to act upon.
        let rival = claims[..number].iter().find(|(other, _, others)| {
            let related = mapping.extends(other.name()) || other.extends(mapping.name());
            !related && mapping.protocol() == other.protocol() && !exclude_each_other(ways, others)
        });
        let Some((other, others, _)) = rival else { continue };
        problems.push(problem(mapping, other, *place));
        if place != others {
            problems.push(problem(other, mapping, *others));
        }
    }
}

fn problem(mapping: &Mapping, other: &Mapping, place: Place) -> Problem {
    let message = format!("{} and {} can both speak for one message", mapping.name(), other.name());
    let help = "compare one field in both, so that only one can hold: MSH-3.1 == \"…\"";
    Problem::new(place, message).help(help)
}

/// Where a mapping says which messages it speaks for, and in which ways that holds.
fn accept(mapping: &Mapping) -> Option<(Place, super::exclusive::Ways<'_>)> {
    let condition = &mapping.plan.accept.as_ref()?.value;
    let Item { kind: Kind::Table(accept), .. } = &mapping.merged.get("accept")?.item else { return None };
    Some((accept.get("when")?.item.place, ways(condition)))
}
