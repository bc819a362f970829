//! Escape sequences, resolved after splitting and only in values that are read. HL7 v2 reference, section 4.3.
//!
//! Controls other than TAB, LF and CR are dropped here, so that none reaches whatever reads the value.
//!
//! Knows no message: a value's bytes in, its text out, and back.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::separators::Separators;

/// A value's text, and how many escape sequences in it were not known and kept as they are.
pub(crate) struct Unescaped<'m> {
    pub(crate) text: Cow<'m, str>,
    pub(crate) unknown: u32,
}

/// The text of a value: `raw` in the encoding that it was indexed in, `\X..\` bytes in the message's own `charset`.
pub(crate) fn unescape<'m>(
    raw: &'m [u8],
    indexed: &'static Encoding,
    charset: &'static Encoding,
    separators: &Separators,
) -> Unescaped<'m> {
    let text = decode(raw, indexed);
    let escape = separators.escape;
    if !text.bytes().any(|byte| Some(byte) == escape || is_dropped(byte as char)) {
        return Unescaped { text, unknown: 0 };
    }
    let mut resolver = Resolver { charset, separators, out: String::with_capacity(text.len()), unknown: 0 };
    resolver.resolve(&text);
    Unescaped { text: Cow::Owned(resolver.out), unknown: resolver.unknown }
}

/// All encodings that are indexed are ASCII where they look like it, and most values are ASCII.
fn decode<'m>(raw: &'m [u8], indexed: &'static Encoding) -> Cow<'m, str> {
    match std::str::from_utf8(raw) {
        Ok(text) if raw.is_ascii() => Cow::Borrowed(text),
        _ => indexed.decode_without_bom_handling(raw).0,
    }
}

struct Resolver<'a> {
    charset: &'static Encoding,
    separators: &'a Separators,
    out: String,
    unknown: u32,
}

impl Resolver<'_> {
    fn resolve(&mut self, text: &str) {
        let Some(escape) = self.separators.escape.map(char::from) else { return self.push(text) };
        let mut rest = text;
        while let Some(at) = rest.find(escape) {
            self.push(&rest[..at]);
            rest = &rest[at + 1..];
            rest = match rest.split_once(escape) {
                Some((sequence, after)) => {
                    self.sequence(sequence, after, escape).unwrap_or_else(|| self.keep(rest, escape))
                }
                None => self.keep(rest, escape),
            };
        }
        self.push(rest);
    }

    /// Resolves one sequence and gives what follows it; `None` if it is not one, as in `C:\temp`.
    fn sequence<'t>(&mut self, sequence: &str, after: &'t str, escape: char) -> Option<&'t str> {
        if let Some(separator) = self.separators.escaped(sequence) {
            self.out.push(char::from(separator));
            return Some(after);
        }
        match sequence.as_bytes().first()? {
            b'H' | b'N' if sequence.len() == 1 => Some(after),
            b'X' => self.hexadecimal(sequence, after, escape),
            b'.' => self.format(&sequence[1..]).then_some(after),
            b'C' | b'M' | b'Z' if sequence[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                self.unknown += 1;
                self.push_all([escape.encode_utf8(&mut [0; 4]), sequence, escape.encode_utf8(&mut [0; 4])]);
                Some(after)
            }
            _ => None,
        }
    }

    /// Joins adjacent `\X..\`, because one character's bytes may be spread over them.
    fn hexadecimal<'t>(&mut self, sequence: &str, after: &'t str, escape: char) -> Option<&'t str> {
        let mut bytes = Vec::new();
        append_hexadecimal(&sequence[1..], &mut bytes)?;
        let mut rest = after;
        while let Some((next, after)) = adjacent_hexadecimal(rest, escape) {
            if append_hexadecimal(next, &mut bytes).is_none() {
                break;
            }
            rest = after;
        }
        let (text, _) = self.charset.decode_without_bom_handling(&bytes);
        self.push(&text);
        Some(rest)
    }

    /// A formatting command without its dot; whether it is one.
    fn format(&mut self, command: &str) -> bool {
        let (name, count) = command.split_at_checked(2).unwrap_or((command, ""));
        let times = count.trim_start_matches('+').parse().unwrap_or(1).min(MOST_REPEATED);
        match name {
            "br" | "ce" if count.is_empty() => self.out.push('\n'),
            "sp" => self.out.extend(std::iter::repeat_n('\n', times)),
            "sk" => self.out.extend(std::iter::repeat_n(' ', times)),
            "in" | "ti" | "fi" | "nf" => {}
            _ => return false,
        }
        true
    }

    /// Keeps a lone escape character, and gives what follows it.
    fn keep<'t>(&mut self, rest: &'t str, escape: char) -> &'t str {
        self.unknown += 1;
        self.out.push(escape);
        rest
    }

    fn push(&mut self, text: &str) {
        self.out.extend(text.chars().filter(|character| !is_dropped(*character)));
    }

    fn push_all(&mut self, texts: [&str; 3]) {
        texts.into_iter().for_each(|text| self.push(text));
    }
}

/// `\.sp99999999\` is not worth that much memory.
const MOST_REPEATED: usize = 99;

fn adjacent_hexadecimal(rest: &str, escape: char) -> Option<(&str, &str)> {
    rest.strip_prefix(escape)?.strip_prefix('X')?.split_once(escape)
}

/// Appends the bytes that pairs of hexadecimal digits spell; nothing, and `None`, if they do not.
fn append_hexadecimal(digits: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).map_or(0, |value| value as u8);
    bytes.extend(digits.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])));
    Some(())
}

fn is_dropped(character: char) -> bool {
    character < ' ' && !matches!(character, '\t' | '\n' | '\r')
}

/// `text` as it stands in a field: separators escaped, or blanks where the message declares no escape character; controls
/// become blanks, since a field cannot hold them.
pub(crate) fn escape(text: &str, separators: &Separators) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let letter = u8::try_from(character).ok().and_then(|byte| separators.letter(byte));
        match (letter, separators.escape) {
            (Some(letter), Some(escape)) => out.extend([escape, letter, escape].map(char::from)),
            (Some(_), None) => out.push(' '),
            (None, _) if character.is_control() => out.push(' '),
            (None, _) => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, UTF_8, WINDOWS_1252};
    use proptest::prelude::*;

    use super::*;

    fn check(raw: &str, expected: &str) {
        let unescaped = unescape(raw.as_bytes(), UTF_8, WINDOWS_1252, &Separators::STANDARD);
        assert_eq!(unescaped.text, expected, "{raw}");
    }

    #[test]
    fn section_4_3_sequences_are_resolved() {
        check(r"A\T\B", "A&B");
        check(r"\F\\S\\R\\E\\T\\P\", r"|^~\&#");
        check(r"a\.br\b\.sp2\c\.ce\d", "a\nb\n\nc\nd");
        check(r"a\.sk3\b\.in+4\c\.fi\\H\d\N\", "a   bcd");
        check(r"M\XFC\ller", "Müller");
        check(r"\X4D\\XFC6C\ler", "Müller");
        check(r"\X0B1C\x\X0D\", "x\r");
        check("a\0b\tc", "ab\tc");
    }

    #[test]
    fn section_4_3_what_is_no_sequence_is_kept() {
        check(r"C:\temp", r"C:\temp");
        check(r"C:\temp\T\x", r"C:\temp&x");
        check(r"\Z01\x\T\", r"\Z01\x&");
        check(r"\C2842\\M24421B\", r"\C2842\\M24421B\");
        check(r"\Xfoo\", r"\Xfoo\");
        check(r"\X414\", r"\X414\");
        check(r"end\", r"end\");
    }

    #[test]
    fn hexadecimal_bytes_are_in_the_character_set_of_the_message() {
        let unescaped = unescape(br"\X8E52\\X93\\X63\", UTF_8, SHIFT_JIS, &Separators::STANDARD);
        assert_eq!(unescaped.text, "山田");
    }

    #[test]
    fn own_separators_stand_for_themselves() {
        let separators = Separators::read(b'$', b"*#!%").unwrap();
        assert_eq!(unescape(b"A!T!B!F!", UTF_8, UTF_8, &separators).text, "A%B$");
    }

    #[test]
    fn a_count_cannot_ask_for_much_memory() {
        let unescaped = unescape(br"\.sp4000000000\", UTF_8, UTF_8, &Separators::STANDARD);
        assert!(unescaped.text.len() <= MOST_REPEATED);
    }

    proptest! {
        #[test]
        fn what_was_escaped_is_unescaped(text in "[^\\p{Cc}]*") {
            let escaped = escape(&text, &Separators::STANDARD);
            let unescaped = unescape(escaped.as_bytes(), UTF_8, UTF_8, &Separators::STANDARD);
            prop_assert_eq!(unescaped.unknown, 0);
            prop_assert_eq!(unescaped.text, text);
        }

        #[test]
        fn no_bytes_panic_and_no_control_comes_through(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let unescaped = unescape(&raw, WINDOWS_1252, SHIFT_JIS, &Separators::STANDARD);
            prop_assert!(!unescaped.text.chars().any(is_dropped));
        }
    }
}
