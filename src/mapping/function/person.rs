//! `name`: a person's name in one text, as launches and CCOW carry it, to a FHIR HumanName.

use serde::Serialize;

/// FHIR HumanName, as far as one text tells it.
#[derive(Default, Serialize)]
struct HumanName<'t> {
    #[serde(skip_serializing_if = "str::is_empty")]
    family: &'t str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    given: Vec<&'t str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prefix: Vec<&'t str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suffix: Vec<&'t str>,
}

/// The HumanName, as JSON, of `family^given^middle^suffix^prefix` (XPN; the order of CCOW too) or of `family, given middle`.
pub(super) fn name(text: &str) -> Option<String> {
    let name = match text.split_once(',') {
        Some((family, given)) if !text.contains('^') => {
            HumanName { family: family.trim(), given: given.split_whitespace().collect(), ..HumanName::default() }
        }
        _ => of_components(text),
    };
    if name.family.is_empty() && name.given.is_empty() {
        return None;
    }
    serde_json::to_string(&name).ok()
}

fn of_components(text: &str) -> HumanName<'_> {
    let mut components = text.split('^').map(str::trim);
    let mut next = || components.next().unwrap_or_default();
    let (family, first, middle, suffix, prefix) = (next(), next(), next(), next(), next());
    HumanName { family, given: filled([first, middle]), prefix: filled([prefix]), suffix: filled([suffix]) }
}

fn filled<const COUNT: usize>(parts: [&str; COUNT]) -> Vec<&str> {
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}
