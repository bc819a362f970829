//! The language's reference, compiled in: the same page that stands in `mappings/README.md`, whole or what it says of a word.

/// The whole page, in Markdown.
pub const REFERENCE: &str = include_str!("../../mappings/README.md");

/// A heading, and what stands under it.
struct Section<'t> {
    /// `## Functions`
    heading: &'t str,
    lines: Vec<&'t str>,
}

/// What the reference says of `word`: the sections of that name; else the rows, examples and sentences about it. None where
/// it says nothing.
pub fn about(word: &str) -> Option<String> {
    let word = word.trim().to_lowercase();
    let sections = sections(REFERENCE);
    let named = sections.iter().filter(|section| section.title().to_lowercase().contains(&word));
    let whole: Vec<String> = named.map(Section::text).collect();
    let found = [whole, passages(&sections, &word, names_it), passages(&sections, &word, mentions)];
    found.into_iter().find(|found| !found.is_empty() && !word.is_empty()).map(|found| found.join("\n"))
}

/// The headings of the reference, for who looks for one.
pub fn headings() -> impl Iterator<Item = &'static str> {
    sections(REFERENCE).into_iter().map(|section| section.heading.trim_start_matches(['#', ' ']))
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut in_fence = false;
    for line in text.lines() {
        in_fence ^= line.starts_with("```");
        if line.starts_with('#') && !in_fence {
            sections.push(Section { heading: line, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    sections
}

/// Of each section what `fits`, under its heading.
fn passages(sections: &[Section<'_>], word: &str, fits: fn(&str, &str) -> bool) -> Vec<String> {
    let of_section = |section: &Section<'_>| {
        let found: Vec<String> = section.passages().into_iter().filter(|passage| fits(passage, word)).collect();
        (!found.is_empty()).then(|| format!("{}\n\n{}\n", section.heading, found.join("\n")))
    };
    sections.iter().filter_map(of_section).collect()
}

impl Section<'_> {
    fn title(&self) -> &str {
        self.heading.trim_start_matches(['#', ' '])
    }

    fn text(&self) -> String {
        format!("{}\n{}\n", self.heading, self.lines.join("\n").trim_end())
    }

    /// Each sentence's paragraph, point of a list, row of a table and line of examples; whole files and messages are none.
    fn passages(&self) -> Vec<String> {
        let mut passages: Vec<String> = Vec::new();
        let mut fence = None;
        let mut goes_on = false;
        for line in &self.lines {
            match (line.strip_prefix("```"), fence) {
                (Some(language), None) => fence = Some(language),
                (Some(_), Some(_)) => fence = None,
                (None, Some("examples" | "conditions")) => passages.push((*line).to_owned()),
                (None, Some(_)) => {}
                (None, None) => {
                    let begins = line.starts_with(['*', '|']) || !goes_on;
                    match passages.last_mut().filter(|_| !begins) {
                        Some(last) => last.extend(["\n", line]),
                        None if !line.is_empty() => passages.push((*line).to_owned()),
                        None => {}
                    }
                    goes_on = !line.is_empty();
                    continue;
                }
            }
            goes_on = false;
        }
        passages.into_iter().map(|passage| passage.trim_end().to_owned()).collect()
    }
}

/// Whether `passage` is about `word`: it stands there as code, or is applied.
fn names_it(passage: &str, word: &str) -> bool {
    let passage = passage.to_lowercase();
    passage.contains(&format!("`{word}`"))
        || passage.contains(&format!("`[{word}]`"))
        || passage.split(" | ").skip(1).any(|call| call.split([' ', '→']).next() == Some(word))
}

/// Whether `word` is one of the passage's words.
fn mentions(passage: &str, word: &str) -> bool {
    let inner = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    let passage = passage.to_lowercase();
    passage.match_indices(word).any(|(at, _)| {
        let (before, after) = (&passage[..at], &passage[at + word.len()..]);
        !before.ends_with(inner) && !after.starts_with(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_gives_its_whole_section() {
        let found = about("functions").unwrap();
        assert!(found.starts_with("## Functions\n") && found.contains("'Müller' | upper"), "{found}");
        assert!(!found.contains("## Conditions"), "{found}");
    }

    #[test]
    fn every_function_is_found_with_its_examples_and_without_the_others() {
        for function in super::super::function_names() {
            let found = about(function).unwrap_or_else(|| panic!("nothing about {function}"));
            assert!(found.contains("## ") && found.contains(function), "{found}");
        }
        let found = about("split").unwrap();
        assert!(found.contains("'a-b--c' | split '-' | nth 2") && !found.contains("| upper"), "{found}");
    }

    #[test]
    fn keys_and_plain_words_are_found_where_they_are_told() {
        assert!(about("zone").unwrap().contains("| `zone` | the time zone"));
        assert_eq!(about("xylophone"), None);
        assert_eq!(about(" "), None);
        assert!(headings().any(|heading| heading == "Conditions"));
    }
}
