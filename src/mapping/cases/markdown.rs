//! The fenced blocks of a Markdown text.

/// A fenced block of Markdown.
#[derive(Debug, PartialEq, Eq)]
pub struct Fence<'t> {
    /// The last heading before it.
    pub heading: &'t str,
    /// The line of the content's beginning, counted from 1.
    pub line: usize,
    /// The word behind the opening fence.
    pub language: &'t str,
    /// The lines between the fences.
    pub content: &'t str,
    /// The byte behind the closing fence's line.
    pub end: usize,
}

/// The fenced blocks of a Markdown text, in order. One that is not closed goes to the end.
pub fn fences(text: &str) -> Vec<Fence<'_>> {
    let (mut fences, mut heading, mut at) = (Vec::new(), "", 0);
    let mut open: Option<(usize, usize, &str)> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = at + line.len();
        match (line.trim_end().strip_prefix("```"), open) {
            (Some(language), None) => open = Some((end, index + 2, language.trim())),
            (Some(_), Some((start, line, language))) => {
                fences.push(Fence { heading, line, language, content: &text[start..at], end });
                open = None;
            }
            (None, None) if line.starts_with('#') => heading = line.trim_matches(['#', ' ', '\n', '\r']),
            (None, _) => {}
        }
        at = end;
    }
    fences.extend(open.map(|(start, line, language)| {
        let content = &text[start..];
        Fence { heading, line, language, content, end: text.len() }
    }));
    fences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_found_with_heading_and_line() {
        let text = "# One\nprose\n```hl7\nMSH\n```\n## Two\n```json\n{}\n";
        let found = fences(text);
        assert_eq!(found[0], Fence { heading: "One", line: 4, language: "hl7", content: "MSH\n", end: 27 });
        assert_eq!(found[1], Fence { heading: "Two", line: 8, language: "json", content: "{}\n", end: text.len() });
    }
}
