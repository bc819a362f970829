//! A notification in lines that a person can read.

use serde_json::Value;

use super::terminal::one_line;

/// The longest line made of a context entry.
const WIDTH: usize = 200;

/// One line for each context entry: its key, what it is, and what names it.
pub(super) fn describe(notification: &Value) -> Vec<String> {
    let entries = notification["event"]["context"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(entry).collect()
}

fn entry(entry: &Value) -> String {
    let key = entry["key"].as_str().unwrap_or("?");
    let resource = &entry["resource"];
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let mut words = vec![format!("{key:<10}{kind}")];
    words.extend(name(&resource["name"]));
    words.extend(["birthDate", "gender", "status", "description"].iter().filter_map(|key| text(&resource[key])));
    words.extend(identifiers(&resource["identifier"]));
    words.extend(identifiers(&resource["basedOn"]).into_iter().map(|value| format!("order {value}")));
    if let Some(diagnostics) = text(&resource["issue"][0]["diagnostics"]) {
        words.push(diagnostics);
    }
    one_line(&words.join("  "), WIDTH)
}

fn name(names: &Value) -> Option<String> {
    let name = &names[0];
    let given =
        name["given"].as_array().map(|given| given.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    match (text(&name["family"]), given.filter(|given| !given.is_empty())) {
        (Some(family), Some(given)) => Some(format!("{family}, {given}")),
        (family, given) => family.or(given).or_else(|| text(&name["text"])),
    }
}

fn identifiers(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|item| text(&item["value"]).or_else(|| text(&item["identifier"]["value"]))).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::describe;

    #[test]
    fn a_person_sees_who_and_what_at_a_glance() {
        let notification = json!({"event": {"context": [
            {"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "s", "status": "unknown",
                "identifier": [{"value": "urn:oid:1.2.3"}, {"value": "A-1"}]}},
            {"key": "patient", "resource": {"resourceType": "Patient", "id": "p", "birthDate": "1958-03-12",
                "name": [{"family": "Berger", "given": ["Annelise", "Maria"]}]}},
        ]}});
        assert_eq!(
            describe(&notification),
            [
                "study     ImagingStudy  unknown  urn:oid:1.2.3  A-1",
                "patient   Patient  Berger, Annelise Maria  1958-03-12"
            ]
        );
    }

    #[test]
    fn nonsense_gives_no_panic_and_no_control_characters() {
        assert!(describe(&json!(7)).is_empty());
        assert_eq!(describe(&json!({"event": {"context": [{"key": "a\u{1b}"}]}})), ["a·        "]);
    }
}
