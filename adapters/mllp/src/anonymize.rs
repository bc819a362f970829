//! Sample messages without the people in them, patients and staff: names, numbers, dates of birth, addresses and telephone
//! numbers are replaced by invented ones of the same shape, and free text by a text that says nothing.
//!
//! What is invented depends on the order in which values appear, never on the values: nothing can be reckoned back, and the
//! same samples always give the same. One value is replaced alike wherever it stands. Results that are no text and segments of
//! the sender's own are searched for values known from elsewhere, and otherwise stay, as do all other dates: a person must look
//! at them, and is told which fields they are.

mod fields;
mod invent;

use std::collections::{BTreeMap, BTreeSet};

use crate::separators::Separators;
use fields::{Kind, kind_of};

/// Messages without the people in them, and what was done.
pub struct Anonymized {
    /// The messages, in their order.
    pub messages: Vec<String>,
    /// The fields with a value that name somebody and were replaced, such as `PID-5`; by segment and number.
    pub replaced: Vec<String>,
    /// The other fields with a value. In them only values that stand in a field of `replaced` were replaced.
    pub left: Vec<String>,
}

/// The `messages`, texts with a segment on each line, without the people in them.
pub fn anonymized(messages: &[String]) -> Anonymized {
    let mut people = People::default();
    let (mut replaced, mut left) = (BTreeSet::new(), BTreeSet::new());
    let known: Vec<String> = messages
        .iter()
        .map(|message| {
            each_field(message, |field, separators| {
                let new = people.known_field(field, separators);
                field.note(if new.is_some() { &mut replaced } else { &mut left });
                new
            })
        })
        .collect();
    let messages = known.iter().map(|message| each_field(message, |field, _| people.other_field(field))).collect();
    let names = |fields: BTreeSet<(String, usize)>| {
        fields.into_iter().map(|(segment, number)| format!("{segment}-{number}")).collect()
    };
    Anonymized { messages, replaced: names(replaced), left: names(left) }
}

/// A field of a segment that is not MSH.
struct Field<'m> {
    segment: &'m str,
    number: usize,
    text: &'m str,
    /// The second field, which in OBX says of what type the result is.
    second: &'m str,
}

impl Field<'_> {
    fn kind(&self) -> Option<Kind> {
        kind_of(self.segment, self.number, self.second)
    }

    /// Adds it to `fields`, if it has a value.
    fn note(&self, fields: &mut BTreeSet<(String, usize)>) {
        if self.number > 0 && !is_nothing(self.text) {
            fields.insert((self.segment.to_owned(), self.number));
        }
    }
}

/// What has been replaced by what.
#[derive(Default)]
struct People {
    invented: BTreeMap<(Kind, String), String>,
    /// Values that name somebody wherever they stand, and what they became.
    telling: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// How many values of each kind there are.
    counts: BTreeMap<Kind, usize>,
}

/// The message with every field but those of MSH as `change` says; `None` leaves it.
fn each_field(message: &str, mut change: impl FnMut(&Field<'_>, &Separators) -> Option<String>) -> String {
    let separators = separators(message);
    let mut changed = String::with_capacity(message.len());
    for line in message.split_inclusive(['\r', '\n']) {
        let segment = line.get(..3).unwrap_or_default();
        let Some(separators) = separators.as_ref().filter(|_| segment != "MSH") else {
            changed.push_str(line);
            continue;
        };
        let (content, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let second = content.split(char::from(separators.field)).nth(2).unwrap_or_default();
        for (number, text) in content.split(char::from(separators.field)).enumerate() {
            if number > 0 {
                changed.push(char::from(separators.field));
            }
            let new = change(&Field { segment, number, text, second }, separators).filter(|_| number > 0);
            changed.push_str(new.as_deref().unwrap_or(text));
        }
        changed.push_str(end);
    }
    changed
}

fn separators(message: &str) -> Option<Separators> {
    let header = message.split(['\r', '\n']).find_map(|line| line.strip_prefix("MSH"))?;
    let (&field, rest) = header.as_bytes().split_first()?;
    let encoding = rest.split(|&byte| byte == field).next()?;
    Separators::read(field, encoding).ok()
}

impl People {
    /// A field of which it is known whom or what it names.
    fn known_field(&mut self, field: &Field<'_>, separators: &Separators) -> Option<String> {
        let kind = field.kind()?;
        if kind == Kind::Text {
            return Some(if is_nothing(field.text) { field.text.to_owned() } else { SAYS_NOTHING.to_owned() });
        }
        Some(rejoined(field.text, separators.repetition, |_, repetition| {
            rejoined(repetition, separators.component, |component, text| {
                rejoined(text, separators.subcomponent, |subcomponent, part| {
                    match kind.of_part(component, subcomponent) {
                        Some(kind) => self.replaced(kind, part),
                        None => part.to_owned(),
                    }
                })
            })
        }))
    }

    /// Any other field: a value that names somebody may stand there again.
    fn other_field(&self, field: &Field<'_>) -> Option<String> {
        if field.kind().is_some() {
            return None;
        }
        let replace = |text: String, (known, new): (&String, &String)| replaced_words(&text, known, new);
        // Longer ones first, as one may be part of another.
        let mut telling: Vec<_> = self.telling.iter().collect();
        telling.sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
        Some(telling.into_iter().fold(field.text.to_owned(), replace))
    }

    fn replaced(&mut self, kind: Kind, text: &str) -> String {
        if is_nothing(text) {
            return text.to_owned();
        }
        let key = (kind, text.to_owned());
        if let Some(known) = self.invented.get(&key) {
            return known.clone();
        }
        let new = self.invent(kind, text);
        self.invented.insert(key, new.clone());
        if kind.tells_wherever_it_stands() && text.chars().count() >= LEAST_TELLING {
            self.telling.insert(text.to_owned(), new.clone());
        }
        new
    }

    /// A value that nobody has yet.
    fn invent(&mut self, kind: Kind, text: &str) -> String {
        let count = self.counts.entry(kind).or_default();
        let mut new = String::new();
        for _ in 0..MOST_ATTEMPTS {
            new = invent::like(kind, text, *count);
            *count += 1;
            if new != text && !self.taken.contains(&new) {
                break;
            }
        }
        self.taken.insert(new.clone());
        new
    }
}

/// What stands in the place of free text, in which anybody may be named.
const SAYS_NOTHING: &str = "Invented text";

/// `""` says that something is gone.
fn is_nothing(text: &str) -> bool {
    text.trim().is_empty() || text == "\"\""
}

/// Shorter values are not looked for elsewhere: too much else is spelt like them.
const LEAST_TELLING: usize = 4;

/// A value of one letter is soon used up; then two people share it.
const MOST_ATTEMPTS: usize = 50;

/// `text`, each part between separators as `change` gives it, with its number from 1.
fn rejoined(text: &str, separator: Option<u8>, mut change: impl FnMut(usize, &str) -> String) -> String {
    let Some(separator) = separator.map(char::from) else { return change(1, text) };
    let parts: Vec<String> = text.split(separator).enumerate().map(|(index, part)| change(index + 1, part)).collect();
    parts.join(separator.encode_utf8(&mut [0; 4]))
}

/// `text` with `new` for every `known` in it that is not part of a longer word.
fn replaced_words(text: &str, known: &str, new: &str) -> String {
    let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(known) {
        let (before, found) = rest.split_at(at);
        let after = &found[known.len()..];
        let whole = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        replaced.push_str(before);
        replaced.push_str(if whole { new } else { known });
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "MSH|^~\\&|ACME|MAIN|||20260504||ADT^A04|1|P|2.5\r\
        PID|1||0044556^^^LAKESIDE^MR~123-45-6789^^^USSSA^SS||OKAFOR^Ngozi^A^^Dr.^^L||19700412|F|||12 Lake St&Lake St^Apt 4^Chicago^IL^60611^USA^H||(312) 555-7788^PRN^PH^ngozi@mail.com\r\
        NK1|1|Okafor^Chidi|SPO|\"\"\r\
        PV1|1|O|RAD^^^MAIN||||4711^Lindqvist^Maria^^^Dr.\r\
        OBR|1|||CT||||||||||||||||||||||||||||4711&Lindqvist&Maria\r\
        NTE|1||Mrs. Okafor was here\r\
        OBX|1|TX|N||seen by Dr. Lind\r\
        OBX|2|ST|N||OKAFOR, 0044556; not OKAFORS\r\
        ZDS|2.25.312345678901234567890\r\
        ZPI|0044556|OPEN|4711\r";

    fn anonymous(message: &str) -> String {
        anonymized(&[message.to_owned()]).messages.remove(0)
    }

    #[test]
    fn nobody_is_left_and_everything_keeps_its_shape() {
        insta::assert_snapshot!(anonymous(MESSAGE).replace('\r', "\n"));
    }

    #[test]
    fn one_value_becomes_the_same_wherever_it_stands_and_two_stay_two() {
        let both = anonymized(&[MESSAGE.to_owned(), MESSAGE.replace("0044556", "0044557")]).messages;
        let number = |message: &str| message.split("||").find_map(|it| it.strip_prefix("00")).unwrap()[..5].to_owned();
        assert_ne!(number(&both[0]), number(&both[1]));
        assert!(both[0].contains(&format!("ZPI|00{}|OPEN|", number(&both[0]))), "{}", both[0]);
        assert_eq!(both[0], anonymous(MESSAGE), "the same again");
    }

    #[test]
    fn it_is_told_which_fields_were_replaced_and_which_were_left() {
        let message = "MSH|^~\\&|ACME\rPID|1||7788||Okafor||\"\"\rOBX|1|TX|N||Okafor\rOBX|2|NM|N||4\rZPI|7788||x\r";
        let done = anonymized(&[message.to_owned()]);
        assert_eq!(done.replaced, ["OBX-5", "PID-3", "PID-5"]);
        assert_eq!(done.left, ["OBX-1", "OBX-2", "OBX-3", "OBX-5", "PID-1", "ZPI-1", "ZPI-3"]);
    }

    #[test]
    fn a_result_that_is_a_person_is_replaced_as_one() {
        let message = "MSH|^~\\&|ACME\rOBX|1|XCN|N||4711^Lindqvist^Maria\rOBX|2|CX|N||0044^^^LAKE^MR\r\
                       PRT|1|UP|||4711^Lindqvist^Maria\r";
        let new = anonymous(message);
        for known in ["4711", "Lindqvist", "Maria", "0044"] {
            assert!(!new.contains(known), "{known} in {new}");
        }
        assert!(new.contains("^^^LAKE^MR"), "{new}");
    }

    #[test]
    fn what_is_no_message_stays_as_it_is() {
        for text in ["", "no HL7", "MSH", "MSH|", "PID|1||7"] {
            assert_eq!(anonymous(text), text);
        }
    }

    #[test]
    fn own_separators_are_kept() {
        let message = "MSH$*#!%$ACME\rPID$1$$7788990***LAKE$$Okafor*Ngozi\r";
        let new = anonymous(message);
        assert!(new.starts_with("MSH$*#!%$ACME\rPID$1$$") && new.contains("***LAKE$$"), "{new}");
        assert!(!new.contains("7788990") && !new.contains("Okafor"), "{new}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_keeps_its_lines_and_fields(fields in proptest::collection::vec("[a-zA-Zäß0-9 .^&~\"-]{0,12}", 0..20)) {
            let message = format!("MSH|^~\\&|A\rPID|{}\rNK1|1|{}", fields.join("|"), fields.join("|"));
            let new = anonymous(&message);
            proptest::prop_assert_eq!(new.matches(['|', '\r', '^', '~', '&']).count(), message.matches(['|', '\r', '^', '~', '&']).count());
        }
    }
}
