//! Reads one path in the project's own notation; what is not in it, says so at the byte.
//!
//! Knows no other notation: `dialect` does.

use std::ops::Range;

use fhircast_gateway_adapter_api::PathError;

use super::{Below, FieldPath, FieldStep, Predicate, SegmentId, Selector, standard};

/// Reads the whole of `text` as one path.
pub(super) fn parse(text: &str) -> Result<FieldPath, PathError> {
    let mut reader = Reader { text, at: 0 };
    let path = if reader.take('.') { FieldPath::Relative(reader.step("number")?) } else { reader.absolute()? };
    reader.end()?;
    refuse_parts_of_separators(text, &path)?;
    Ok(path)
}

/// A [`PathError`] without a suggestion.
pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> PathError {
    PathError { message: message.into(), suggestion: None, span }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// No field of the standard has a higher number, and no message needs one.
const HIGHEST_NUMBER: u16 = 9999;

impl<'t> Reader<'t> {
    fn absolute(&mut self) -> Result<FieldPath, PathError> {
        let segment = self.segment()?;
        let which = self.selector()?;
        let field = match self.rest().chars().next() {
            Some('-' | '.') => {
                self.at += 1;
                let start = self.at;
                let step = self.step("field number")?;
                self.refuse_beyond(start, segment, step.number)?;
                Some(step)
            }
            _ => None,
        };
        Ok(FieldPath::Absolute { segment, which, field })
    }

    /// A field that its segment has in no version; its number starts at `start`.
    fn refuse_beyond(&self, start: usize, segment: SegmentId, number: u16) -> Result<(), PathError> {
        let digits = self.text[start..].find(|it: char| !it.is_ascii_digit()).unwrap_or(self.text.len() - start);
        standard::beyond(segment, number).map_or(Ok(()), |message| Err(error(start..start + digits, message)))
    }

    fn segment(&mut self) -> Result<SegmentId, PathError> {
        let word = self.take_while(|character| character.is_ascii_alphanumeric());
        match word.as_bytes() {
            [a, b, c] if a.is_ascii_uppercase() && is_id_rest(*b) && is_id_rest(*c) => Ok([*a, *b, *c]),
            [a, b, c] if is_segment_id(&[*a, *b, *c].map(|byte| byte.to_ascii_uppercase())) => {
                let mut error = error(0..3, "segments are written in capitals");
                error.suggestion =
                    parse(&self.text.replacen(word, &word.to_ascii_uppercase(), 1)).ok().map(|path| path.to_string());
                Err(error)
            }
            _ => Err(error(0..self.at, "a path starts with a segment's three capitals or digits, as in PID-3.1")),
        }
    }

    fn step(&mut self, what: &str) -> Result<FieldStep, PathError> {
        let number = self.number(what)?;
        let bracket = self.at;
        let repetition = self.selector()?;
        if matches!(&repetition, Selector::Where(Predicate { below: [_, Some(_)], .. })) {
            return Err(error(bracket..self.at, "a repetition has components and subcomponents, and nothing below"));
        }
        let below = self.below()?;
        Ok(FieldStep { number, repetition, below })
    }

    /// Up to two numbers, each behind a dot.
    fn below(&mut self) -> Result<Below, PathError> {
        let mut below = [None; 2];
        for number in &mut below {
            if !self.take('.') {
                return Ok(below);
            }
            *number = Some(self.number("number")?);
        }
        let end = self.at;
        if self.take('.') {
            let mut error = error(end..self.text.len(), "there is nothing below a subcomponent");
            error.suggestion = parse(&self.text[..end]).ok().map(|path| path.to_string());
            return Err(error);
        }
        Ok(below)
    }

    fn number(&mut self, what: &str) -> Result<u16, PathError> {
        let start = self.at;
        let digits = self.take_while(|character| character.is_ascii_digit());
        if digits.is_empty() {
            return Err(error(self.here(), format!("a {what} is missing")));
        }
        match digits.parse() {
            Ok(0) => Err(error(start..self.at, "everything is counted from 1")),
            Ok(number) if number <= HIGHEST_NUMBER => Ok(number),
            Ok(_) | Err(_) => Err(error(start..self.at, "the number is too large")),
        }
    }

    /// `[2]`, `[*]`, `[5=MR]`, or nothing.
    fn selector(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        if !self.take('[') {
            return Ok(Selector::First);
        }
        if self.take('*') {
            self.close(start)?;
            return Ok(Selector::Every);
        }
        if !self.rest().starts_with(|character: char| character.is_ascii_digit()) {
            return Err(error(self.here(), "in brackets stands a number, `*` or `5=MR`"));
        }
        let number = self.counted(start)?;
        let below = self.below()?;
        let selector = if self.take('=') {
            Selector::Where(Predicate { number, below, value: self.value(start)? })
        } else if below == [None; 2] {
            Selector::Number(number)
        } else {
            return Err(error(start..self.at, "`=` and a value to compare with are missing"));
        };
        self.close(start)?;
        Ok(selector)
    }

    /// A number in brackets, for which `[0]` has an evident meaning.
    fn counted(&mut self, bracket: usize) -> Result<u16, PathError> {
        let result = self.number("number");
        if self.text[bracket..].starts_with("[0]") {
            return result.map_err(|mut error| {
                let fixed = format!("{}[1]{}", &self.text[..bracket], &self.text[bracket + 3..]);
                error.suggestion = parse(&fixed).ok().map(|path| path.to_string());
                error
            });
        }
        result
    }

    /// A predicate's value, in quotes or up to the bracket.
    fn value(&mut self, bracket: usize) -> Result<String, PathError> {
        let start = self.at;
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => {
                self.at += 1;
                let value = self.take_while(|character| character != quote);
                if !self.take(quote) {
                    return Err(error(start..self.text.len(), "the closing quote is missing"));
                }
                value
            }
            _ => self.take_while(|character| character != ']').trim(),
        };
        if value.is_empty() {
            return Err(error(bracket..self.at, "a value to compare with is missing behind `=`"));
        }
        if value.contains('"') && value.contains('\'') {
            return Err(error(start..self.at, "a value cannot hold both kinds of quotes"));
        }
        Ok(value.to_owned())
    }

    fn close(&mut self, bracket: usize) -> Result<(), PathError> {
        if self.take(']') { Ok(()) } else { Err(error(bracket..self.text.len(), "`]` is missing")) }
    }

    fn end(&self) -> Result<(), PathError> {
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(error(self.at..self.text.len(), format!("`{}` makes no sense after the path", self.rest())))
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The character at hand, for a caret.
    fn here(&self) -> Range<usize> {
        self.at..self.at + self.rest().chars().next().map_or(0, char::len_utf8)
    }

    fn take(&mut self, expected: char) -> bool {
        let taken = self.rest().starts_with(expected);
        self.at += if taken { expected.len_utf8() } else { 0 };
        taken
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|character| !accept(character)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

/// MSH-1 and MSH-2 hold the separators themselves, and so have no parts.
fn refuse_parts_of_separators(text: &str, path: &FieldPath) -> Result<(), PathError> {
    let FieldPath::Absolute { segment: [b'M', b'S', b'H'], field: Some(field), .. } = path else { return Ok(()) };
    if field.number > 2 || (field.repetition == Selector::First && field.below == [None; 2]) {
        return Ok(());
    }
    let whole = format!("MSH-{}", field.number);
    let mut error =
        error(0..text.len(), format!("{whole} holds the separators themselves: it has no repetitions and no parts"));
    error.suggestion = Some(whole);
    Err(error)
}

/// Whether the three characters can start a segment: a capital, then capitals or digits.
pub(crate) fn is_segment_id(id: &[u8]) -> bool {
    matches!(id, [first, second, third] if first.is_ascii_uppercase() && is_id_rest(*second) && is_id_rest(*third))
}

fn is_id_rest(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}
