//! Texts as the mapping language and TOML write them.

/// A text of the mapping language, in quotes; none where it holds both kinds of them.
pub(super) fn text(value: &str) -> Option<String> {
    let plain = !value.chars().any(char::is_control);
    match (plain, value.contains('"'), value.contains('\'')) {
        (true, false, _) => Some(format!("\"{value}\"")),
        (true, true, false) => Some(format!("'{value}'")),
        _ => None,
    }
}

/// `path == "A"`, or `path in ["A", "B"]`; none where no value can be written.
pub(super) fn condition(path: &str, values: &[String]) -> Option<String> {
    let values: Vec<String> = values.iter().filter_map(|value| text(value)).collect();
    match values.as_slice() {
        [] => None,
        [only] => Some(format!("{path} == {only}")),
        several => Some(format!("{path} in [{}]", several.join(", "))),
    }
}

/// A TOML string: literal where that can be.
pub(super) fn string(value: &str) -> String {
    if value.contains('\'') || value.chars().any(char::is_control) {
        serde_json::Value::from(value).to_string()
    } else {
        format!("'{value}'")
    }
}

/// A key as TOML writes it.
pub(super) fn key(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_quoted_so_that_it_can_be_read() {
        assert_eq!(text("a").as_deref(), Some("\"a\""));
        assert_eq!(text("a\"b").as_deref(), Some("'a\"b'"));
        assert_eq!(text("a\"b'c"), None);
        assert_eq!(condition("A", &["x".into(), "y".into()]).as_deref(), Some("A in [\"x\", \"y\"]"));
        assert_eq!(condition("A", &[]), None);
        assert_eq!(string("A == \"x\""), "'A == \"x\"'");
        assert_eq!(string("A == \"it's\""), "\"A == \\\"it's\\\"\"");
        assert_eq!((key("a-b"), key("a b")), ("a-b".to_owned(), "\"a b\"".to_owned()));
    }
}
