//! Text as XML may hold it.

/// `text` as XML may hold it, in an attribute too.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            // Beyond these, XML has no way to write a control character, nor the two that are none.
            '\u{fffe}' | '\u{ffff}' => {}
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_that_a_peer_says_breaks_the_document() {
        assert_eq!(escaped("a\u{0}<&>\"\u{1b}\nä\u{ffff}"), "a&lt;&amp;&gt;&quot;&#10;ä");
    }
}
