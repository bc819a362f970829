//! Values that name nobody, of the shape of others.

use super::fields::Kind;

const FAMILIES: [&str; 12] = [
    "Ashdown",
    "Birkholm",
    "Castellan",
    "Delmar",
    "Eastwick",
    "Fairlund",
    "Grenfeld",
    "Holloway",
    "Ivarsen",
    "Juniper",
    "Kestrel",
    "Lindgarth",
];
const GIVENS: [&str; 12] =
    ["Alba", "Bruno", "Cleo", "Dario", "Edda", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Kaia", "Leander"];
const STREETS: [&str; 6] =
    ["Example Road", "Sample Street", "Test Lane", "Model Avenue", "Pattern Square", "Draft Way"];
const CITIES: [&str; 6] = ["Sampleton", "Exampleville", "Testford", "Modelham", "Patternby", "Draftmouth"];

/// The `count`th value of `kind` that is invented, in the shape of `text`.
pub(super) fn like(kind: Kind, text: &str, count: usize) -> String {
    match kind {
        Kind::Family | Kind::Person => name(&FAMILIES, text, count),
        Kind::Given => name(&GIVENS, text, count),
        Kind::City => in_case_of(text, &numbered(&CITIES, count)),
        Kind::Street | Kind::Address => street(text, count),
        Kind::Date => date(text, count),
        Kind::Telecom => telecom(text, count),
        Kind::Uid => uid(text, count),
        Kind::Id => shaped(text, count),
    }
}

/// An initial stays one letter.
fn name(names: &[&str], text: &str, count: usize) -> String {
    if text.trim_end_matches('.').chars().count() <= 1 {
        return shaped(text, count);
    }
    in_case_of(text, &numbered(names, count))
}

/// One of `words`; once they are used up, with a letter behind it.
fn numbered(words: &[&str], count: usize) -> String {
    let (word, round) = (words[count % words.len()], count / words.len());
    match round {
        0 => word.to_owned(),
        round => format!("{word}{}", letter(b'a', round as u64 - 1)),
    }
}

fn in_case_of(text: &str, word: &str) -> String {
    let shouted = text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase);
    if shouted { word.to_uppercase() } else { word.to_owned() }
}

/// A street with a number where there was one.
fn street(text: &str, count: usize) -> String {
    let street = in_case_of(text, &numbered(&STREETS, count));
    let number: String = text.chars().take_while(char::is_ascii_digit).collect();
    if number.is_empty() { street } else { format!("{} {street}", shaped(&number, count)) }
}

/// A day as precise as the given one; what follows the day becomes zeros.
fn date(text: &str, count: usize) -> String {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    if digits < 4 {
        return shaped(text, count);
    }
    let mut random = Random::new(count);
    let day = format!("{:04}{:02}{:02}", 1930 + random.below(70), 1 + random.below(12), 1 + random.below(28));
    let mut days = day.chars();
    let blank = |character: char| if character.is_ascii_digit() { '0' } else { character };
    text.chars()
        .enumerate()
        .map(|(index, it)| if index < digits.min(8) { days.next().unwrap_or(it) } else { blank(it) })
        .collect()
}

/// The last digits are those that are given to nobody: 555 01, and a number.
fn telecom(text: &str, count: usize) -> String {
    if text.contains('@') {
        return format!("person{}@example.org", count + 1);
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < 3 {
        return text.to_owned();
    }
    let number = format!("{:0>digits$}", format!("55501{:02}", count % 100));
    let mut number = number.chars().skip(number.chars().count() - digits);
    text.chars().map(|it| if it.is_ascii_digit() { number.next().unwrap_or(it) } else { it }).collect()
}

/// The root says who assigned it, and stays; no part of it begins with a zero.
fn uid(text: &str, count: usize) -> String {
    let mut random = Random::new(count);
    let mut dots = 0;
    let digit = |character: char| {
        dots += usize::from(character == '.');
        match character.is_ascii_digit() && dots >= ROOT {
            true => letter(b'1', random.below(9)),
            false => character,
        }
    };
    text.chars().map(digit).collect()
}

/// How many parts of a UID stay.
const ROOT: usize = 6;

/// A digit for each digit, a letter for each letter; zeros that lead, and all else, stay.
fn shaped(text: &str, count: usize) -> String {
    let mut random = Random::new(count);
    let mut leading = true;
    let change = |character: char| {
        leading &= character == '0';
        match character {
            '0' if leading => '0',
            digit if digit.is_ascii_digit() => letter(b'0', random.below(10)),
            upper if upper.is_uppercase() => letter(b'A', random.below(26)),
            lower if lower.is_alphabetic() => letter(b'a', random.below(26)),
            other => other,
        }
    };
    text.chars().map(change).collect()
}

fn letter(first: u8, offset: u64) -> char {
    char::from(first.saturating_add(u8::try_from(offset % 26).unwrap_or_default()))
}

/// Numbers that look like chance and are always the same (splitmix64).
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        Self(seed as u64)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_the_shape() {
        for (kind, text, expected) in [
            (Kind::Id, "000", "000"),
            (Kind::Telecom, "PRN", "PRN"),
            (Kind::Telecom, "(312) 555-7788", "(000) 555-0100"),
            (Kind::Telecom, "+1 312 555 7788", "+0 000 555 0100"),
            (Kind::Telecom, "a@b.c", "person1@example.org"),
            (Kind::Family, "OKAFOR", "ASHDOWN"),
            (Kind::Family, "Okafor", "Ashdown"),
        ] {
            assert_eq!(like(kind, text, 0), expected);
        }
        assert_eq!(like(Kind::Date, "1970", 0).len(), 4);
        assert!(like(Kind::Date, "197004120815-0600", 3).ends_with("0000-0000"));
        assert!(like(Kind::Uid, "1.2.826.0.1.3680043.9.7133.1", 0).starts_with("1.2.826.0.1.3680043."));
        assert_eq!(like(Kind::Given, "N", 0).len(), 1);
        assert_eq!(like(Kind::Family, "Okafor", 12), "Ashdowna");
    }
}
