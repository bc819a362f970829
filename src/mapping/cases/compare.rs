//! What a message became, held against what a case expects of it.

use std::fmt;

use serde_json::Value;

use super::super::condition::matches;

/// Where something is not as expected. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The way there: `events[0].context[1].resource.gender`; empty for the whole.
    pub path: String,
    /// What should be there, as JSON or in words.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: expected {}, found {}", self.path, self.expected, self.found)
    }
}

/// Every place where `actual` is not as `expected`.
pub(super) fn differences(expected: &Value, actual: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare("", expected, actual, &mut differences);
    differences
}

fn compare(path: &str, expected: &Value, actual: &Value, differences: &mut Vec<Difference>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, expected) in expected {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, expected, actual.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                let (count, found) = (elements(expected.len()), with_rest(actual, expected.len()));
                differences.push(Difference { path: path.to_owned(), expected: count, found });
            }
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{path}[{index}]"), expected, actual, differences);
            }
        }
        (Value::String(expected), Value::String(actual)) if matches(expected, actual) => {}
        (Value::String(any), present) if any == "*" && !present.is_null() => {}
        _ if expected == actual => {}
        _ => {
            let (expected, found) = (or_nothing(expected), or_nothing(actual));
            differences.push(Difference { path: path.to_owned(), expected, found });
        }
    }
}

fn elements(count: usize) -> String {
    match count {
        0 => "no elements".to_owned(),
        1 => "1 element".to_owned(),
        many => format!("{many} elements"),
    }
}

/// How many there are, and what those are that nobody expects.
fn with_rest(actual: &[Value], expected: usize) -> String {
    let rest: Vec<String> = actual.iter().skip(expected).map(Value::to_string).collect();
    if rest.is_empty() { elements(actual.len()) } else { format!("{}: {}", elements(actual.len()), rest.join(", ")) }
}

fn or_nothing(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_named_is_not_compared_and_stars_match_anything() {
        let actual = json!({ "a": { "b": "xyz", "c": [1, 2] }, "id": "7" });
        for (expected, found) in [
            (json!({}), vec![]),
            (json!({ "a": { "b": "xyz" }, "id": "*" }), vec![]),
            (json!({ "a": { "b": "x*" }, "gone": null }), vec![]),
            (json!({ "a": { "c": [1] } }), vec!["a.c: expected 1 element, found 2 elements: 2"]),
            (json!({ "a": { "c": [1, 3] } }), vec!["a.c[1]: expected 3, found 2"]),
            (json!({ "other": "*" }), vec!["other: expected \"*\", found nothing"]),
            (json!({ "id": null }), vec!["id: expected nothing, found \"7\""]),
        ] {
            let lines: Vec<String> = differences(&expected, &actual).iter().map(ToString::to_string).collect();
            assert_eq!(lines, found, "{expected}");
        }
    }
}
