//! Form encoding as CCOW's applications write it and read it. Sections 2.2 and 2.3.
//!
//! Reading is lenient, since some clients send values raw and others twice as careful as they need: nothing is refused for
//! its encoding, and what was odd is said. Writing encodes as little as can be, as one widespread client decodes nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::oddity::{Oddities, Oddity};

/// What a plus sign in a value means. Section 2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plus {
    /// A blank, as forms have it.
    #[default]
    Space,
    /// Itself: for clients that send their values raw.
    Literal,
}

/// The pairs of a query or a body, decoded, in order; pairs without a name are left out.
pub fn pairs<'t>(
    text: &'t [u8],
    plus: Plus,
    oddities: &'t mut Oddities,
) -> impl Iterator<Item = (String, String)> + use<'t> {
    text.split(|byte| *byte == b'&').filter_map(move |pair| {
        // At the first `=` only: raw values hold more of them.
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let name = decode(name, plus, oddities);
        // Component parameters that end in `?` put it before the next name.
        let name = name.trim().trim_start_matches('?');
        (!name.is_empty()).then(|| (name.to_owned(), decode(value, plus, oddities).into_owned()))
    })
}

/// A name or a value without its encoding: `%XX` as UTF-8, `%uXXXX` as old pages write it, `+` as told. An escape that is
/// none stands for itself; bytes that are no UTF-8 are read as windows-1252.
pub fn decode<'t>(text: &'t [u8], plus: Plus, oddities: &mut Oddities) -> Cow<'t, str> {
    let plain = |byte: &u8| *byte != b'%' && (*byte != b'+' || plus == Plus::Literal);
    if text.iter().all(plain) {
        return characters(Cow::Borrowed(text), oddities);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'+' if plus == Plus::Space => {
                bytes.push(b' ');
                after
            }
            b'%' => escape(after, &mut bytes, oddities),
            other => {
                bytes.push(*other);
                after
            }
        };
    }
    characters(Cow::Owned(bytes), oddities)
}

/// Reads what follows a `%`, and gives what follows that.
fn escape<'t>(text: &'t [u8], bytes: &mut Vec<u8>, oddities: &mut Oddities) -> &'t [u8] {
    if let [high, low, rest @ ..] = text
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        bytes.push(high << 4 | low);
        return rest;
    }
    if let Some((character, rest)) = wide(text) {
        oddities.note(Oddity::WideEscape);
        bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        return rest;
    }
    oddities.note(Oddity::EscapeInvalid);
    bytes.push(b'%');
    text
}

/// The character of `uXXXX`, or of two such that are a surrogate pair.
fn wide(text: &[u8]) -> Option<(char, &[u8])> {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"u").or_else(|| text.strip_prefix(b"U"))?.get(..4)?;
        digits.iter().try_fold(0_u16, |unit, byte| Some(unit << 4 | u16::from(digit(*byte)?)))
    };
    const LENGTH: usize = "uXXXX".len();
    let first = unit(text)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, &text[LENGTH..]));
    }
    let second = unit(text[LENGTH..].strip_prefix(b"%")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, &text[LENGTH + 1 + LENGTH..]))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn characters<'t>(bytes: Cow<'t, [u8]>, oddities: &mut Oddities) -> Cow<'t, str> {
    let bytes = match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => return Cow::Borrowed(text),
            Err(_) => Cow::Borrowed(bytes),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Cow::Owned(text),
            Err(error) => Cow::Owned(error.into_bytes()),
        },
    };
    oddities.note(Oddity::CharsetAssumed);
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
    Cow::Owned(text.into_owned())
}

/// Appends `name=value`, with `&` before it where something stands there already. Of the value only what would break a pair
/// is encoded, a blank as `%20`: one client leaves `+` as it is, another decodes nothing at all. Section 2.3.
pub fn append(body: &mut String, name: &str, value: &str) {
    if !body.is_empty() {
        body.push('&');
    }
    body.push_str(name);
    body.push('=');
    for character in value.chars() {
        if is_safe(character) {
            body.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            // A `String` takes everything.
            let _ = write!(body, "%{byte:02X}");
        }
    }
}

fn is_safe(character: char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '%' | '&' | '=' | '+' | '#')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> (Vec<(String, String)>, Vec<Oddity>) {
        let mut oddities = Oddities::default();
        let pairs = pairs(text, Plus::Space, &mut oddities).collect();
        (pairs, oddities.iter().collect())
    }

    fn check(text: &[u8], expected: &[(&str, &str)], oddities: &[Oddity]) {
        let (pairs, noted) = read(text);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, expected, "{}", text.escape_ascii());
        assert_eq!(noted, oddities, "{}", text.escape_ascii());
    }

    #[test]
    fn section_2_2_pairs_are_read_in_order() {
        check(b"", &[], &[]);
        check(b"a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")], &[]);
        check(b"a", &[("a", "")], &[]);
        check(b"a=", &[("a", "")], &[]);
        check(b"&&a=1&", &[("a", "1")], &[]);
        check(b"?&interface=I", &[("interface", "I")], &[]);
        check(b"=1&a=2", &[("a", "2")], &[]);
        check(b"a=b=c", &[("a", "b=c")], &[]);
        check(b"%61=%62", &[("a", "b")], &[]);
    }

    #[test]
    fn section_2_2_values_are_read_raw_or_encoded() {
        check(b"v=O'EXAMPLE^ANN MARY^^|F", &[("v", "O'EXAMPLE^ANN MARY^^|F")], &[]);
        check(b"v=O%27EXAMPLE%5eANN+MARY%7CF", &[("v", "O'EXAMPLE^ANN MARY|F")], &[]);
        check(b"v=M%C3%BCller", &[("v", "Müller")], &[]);
        check("v=Müller".as_bytes(), &[("v", "Müller")], &[]);
        check(b"v=%u00FC%ud83d%ude00", &[("v", "ü😀")], &[Oddity::WideEscape]);
        check(b"v=M%FCller", &[("v", "Müller")], &[Oddity::CharsetAssumed]);
        check(b"v=M\xfcller", &[("v", "Müller")], &[Oddity::CharsetAssumed]);
    }

    #[test]
    fn escapes_that_are_none_stand_for_themselves() {
        for text in ["%", "%4", "%G1", "%1G", "%%", "100%", "%u", "%u12", "%u123G", "%ud83d", "%ud83d%u0041", "%-1"] {
            let pair = format!("v={text}");
            let (pairs, oddities) = read(pair.as_bytes());
            let expected = text.replace("%u0041", "A");
            assert_eq!(pairs, [("v".to_owned(), expected)], "{text}");
            assert!(oddities.contains(&Oddity::EscapeInvalid), "{text}");
        }
        check(b"v=%%41", &[("v", "%A")], &[Oddity::EscapeInvalid]);
        check(b"v=%00", &[("v", "\0")], &[]);
    }

    #[test]
    fn a_plus_is_what_the_settings_say() {
        let mut oddities = Oddities::default();
        assert_eq!(decode(b"a+b%2B", Plus::Space, &mut oddities), "a b+");
        assert_eq!(decode(b"a+b%20", Plus::Literal, &mut oddities), "a+b ");
    }

    #[test]
    fn section_2_3_replies_encode_only_what_would_break_them() {
        let mut body = String::new();
        append(&mut body, "a", "http://cm.example/x?y|A^B'C,[*].");
        append(&mut body, "b", "1 + 1 = 2 & 100% #\u{7}é");
        assert_eq!(body, "a=http://cm.example/x?y|A^B'C,[*].&b=1%20%2B%201%20%3D%202%20%26%20100%25%20%23%07%C3%A9");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_whatever_a_plus_means(values in prop::collection::vec("\\PC{0,12}|[%&=+#|\0-\u{ff} ]{0,8}", 0..5)) {
            let mut body = String::new();
            values.iter().for_each(|value| append(&mut body, "v", value));
            for plus in [Plus::Space, Plus::Literal] {
                let mut oddities = Oddities::default();
                let read: Vec<String> = pairs(body.as_bytes(), plus, &mut oddities).map(|(_, value)| value).collect();
                prop_assert_eq!(&read, &values);
                prop_assert_eq!(oddities.iter().count(), 0);
            }
        }

        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..64), near in "[%u0-9a-fD+&=]{0,32}") {
            read(&text);
            read(near.as_bytes());
        }
    }
}
