//! `[[merge]]`, on a protocol of its own.

use serde_json::json;

use super::testing::{load, outcome};

const MERGE: &str = "protocol = \"notes\"\n[[merge]]\nwhen = 'K == \"merge\"'\n[[merge.identifier]]\neach = 'M'\nvalue = '${.1}'\nsystem = '${.2}'\n";

#[test]
fn a_merge_retires_what_its_identifiers_give_and_only_where_it_holds() {
    let one = json!([{"system": "urn:a", "value": "1"}]);
    for (message, retired) in [
        ("K: merge\nM: 1^urn:a", one),
        ("K: merge\nM: 1~2^urn:b", json!([{"value": "1"}, {"system": "urn:b", "value": "2"}])),
        ("K: other\nM: 1^urn:a", json!(null)),
    ] {
        assert_eq!(outcome(MERGE, message)["retired"], retired, "{message}");
    }
}

#[test]
fn a_merge_without_a_retired_identifier_is_refused_in_the_sources_words() {
    let refused = outcome(MERGE, "K: merge")["refused"].to_string();
    assert!(refused.contains("a merge needs the retired identifier: M has no value"), "{refused}");
}

#[test]
fn a_merge_that_does_not_say_what_is_retired_is_a_mistake() {
    for (merge, mistake) in [
        ("[[merge]]\nwhen = 'K'", "does not say which identifiers are retired"),
        ("[merge]\nwhen = 'K'", "write [[merge]]"),
        ("[[merge]]\nidentifier = '${M}'", "write [[merge.identifier]]"),
        ("[[merge]]\nwhat = 1\nidentifier = [{ value = '${M}' }]", "[[merge]] has no key `what`"),
    ] {
        let mistakes = load(&[("wrong", &format!("protocol = \"notes\"\n{merge}\n"))]).unwrap_err().to_string();
        assert!(mistakes.contains(mistake), "{mistakes}");
    }
}
