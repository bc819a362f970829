//! Paths as other products write them, recognised so that the refusal can say what to write here.
//!
//! | product | its path | ours |
//! |---|---|---|
//! | Terser (HAPI) | `/.PID-3(1)-4-2`, from 0 | `PID-3[2].4.2` |
//! | Mirth | `msg['PID']['PID.3'][1]['PID.3.4']`, from 0 | `PID-3[2].4` |
//! | IRIS | `PID:3(2).4.2`, from 1 | `PID-3[2].4.2` |
//! | python-hl7 | `PID.F3.R2.C4.S2`, from 1 | `PID-3[2].4.2` |

use fhircast_gateway_adapter_api::PathError;

use super::{parse, standard};

/// The error to show for `text`: the product's notation where it is one, else what the parser found.
pub(super) fn explain(text: &str, found: PathError) -> PathError {
    let foreign = mirth(text).or_else(|| python_hl7(text)).or_else(|| iris(text)).or_else(|| terser(text));
    let Some(Foreign { message, spelling }) = foreign else { return found };
    let suggestion = spelling.and_then(|spelling| parse::parse(&spelling).ok()).map(|path| path.to_string());
    PathError { message: message.to_owned(), suggestion, span: 0..text.len() }
}

/// Whether `text` is meant as a path, in whichever notation.
pub(super) fn looks_like_path(text: &str) -> bool {
    if text.starts_with(['.', '/']) || text.starts_with("msg[") {
        return true;
    }
    let end = text.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let capitals = word.len() >= 3 && word.starts_with(|first: char| first.is_ascii_uppercase()) && is_id(word);
    if rest.is_empty() {
        return capitals && is_segment(word);
    }
    let followed = rest.starts_with(['-', '.', '[', '(', ':']);
    followed && (capitals || is_segment(&word.to_ascii_uppercase()))
}

/// How many bytes at the start of `text` belong to one path, in whichever notation.
pub(super) fn path_length(text: &str) -> usize {
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let length = match character {
            '[' => Some(bracket_length(&text[at..])),
            '(' => parenthesis_length(&text[at..]),
            '-' | '.' | '_' | '/' | ':' => Some(1),
            other => other.is_alphanumeric().then(|| other.len_utf8()),
        };
        let Some(length) = length else { return at };
        at += length;
    }
    at
}

/// Through the bracket that closes, or all that is left. A quote counts only where a value starts: `[3.2=O'Brien]` has none.
fn bracket_length(text: &str) -> usize {
    let (mut quote, mut before) = (None, ' ');
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, ']') => return at + 1,
            (None, '"' | '\'') if matches!(before, '=' | '[') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        before = character;
    }
    text.len()
}

/// `(1)` and `()` belong to a path; any other parenthesis is the expression's own.
fn parenthesis_length(text: &str) -> Option<usize> {
    let inside = text[1..].find(|character: char| !character.is_ascii_digit())? + 1;
    text[inside..].starts_with(')').then_some(inside + 1)
}

/// Another product's path: what to say, and how it is written here, if that can be told.
struct Foreign {
    message: &'static str,
    spelling: Option<String>,
}

fn terser(text: &str) -> Option<Foreign> {
    let slashed = text.starts_with('/');
    let last = text.rsplit('/').next().unwrap_or(text).trim_start_matches('.');
    let (segment, rest) = last.split_at_checked(3)?;
    if !parse::is_segment_id(segment.as_bytes()) || !(slashed || rest.contains('(') || rest.matches('-').count() > 1) {
        return None;
    }
    let message = if rest.contains('(') {
        "parentheses are Terser's repetitions, counted from 0"
    } else if slashed {
        "this is a Terser path; here a path starts with its segment"
    } else {
        "only the field follows a dash; Terser's further dashes are dots here"
    };
    let spelling = counted(rest, 1).map(|rest| format!("{segment}{rest}"));
    Some(Foreign { message, spelling })
}

fn iris(text: &str) -> Option<Foreign> {
    let (segment, rest) = text.split_once(':')?;
    let message = "a colon is how IRIS writes it; here the field follows a dash, and repetitions stand in brackets";
    let spelling = counted(&format!("-{rest}"), 0).map(|rest| format!("{segment}{rest}"));
    Some(Foreign { message, spelling })
}

/// `(1)-3(0)-4-2` with `plus` added to each number in parentheses: `[2]-3[1].4.2`.
fn counted(text: &str, plus: u16) -> Option<String> {
    let mut spelling = String::new();
    let mut rest = text;
    let mut fielded = false;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '(' => {
                let (number, after) = rest.split_once(')')?;
                let number = number.parse::<u16>().ok()?.checked_add(plus)?;
                spelling.push_str(&format!("[{number}]"));
                rest = after;
            }
            '-' | '.' => spelling.push(if std::mem::replace(&mut fielded, true) { '.' } else { '-' }),
            digit if digit.is_ascii_digit() => spelling.push(digit),
            _ => return None,
        }
    }
    Some(spelling)
}

fn mirth(text: &str) -> Option<Foreign> {
    if !text.starts_with("msg[") && !text.contains("['") {
        return None;
    }
    let message = "this is how Mirth writes it, with repetitions counted from 0";
    Some(Foreign { message, spelling: mirth_spelling(text) })
}

/// Goes through the brackets: a quoted name that goes deeper, or a number that says which of them.
fn mirth_spelling(text: &str) -> Option<String> {
    let (mut numbers, mut segment_number, mut repetition) = (Vec::new(), None, None);
    for inside in text.split('[').skip(1).filter_map(|part| part.split(']').next()) {
        match inside.parse::<u16>() {
            Ok(number) if numbers.len() == 1 => segment_number = number.checked_add(1),
            Ok(number) if numbers.len() == 2 => repetition = number.checked_add(1),
            Ok(_) => {}
            Err(_) => numbers = inside.trim_matches(['\'', '"']).split('.').collect(),
        }
    }
    let (segment, numbers) = numbers.split_first()?;
    let bracketed = |number: Option<u16>| number.map(|number| format!("[{number}]")).unwrap_or_default();
    let mut spelling = format!("{segment}{}", bracketed(segment_number));
    if let Some((field, below)) = numbers.split_first() {
        spelling.push_str(&format!("-{field}{}", bracketed(repetition)));
        below.iter().for_each(|number| spelling.push_str(&format!(".{number}")));
    }
    Some(spelling)
}

fn python_hl7(text: &str) -> Option<Foreign> {
    let mut parts = text.split('.');
    let (segment, occurrence) = parts.next()?.split_at_checked(3)?;
    let mut spelling = segment.to_owned();
    if !occurrence.is_empty() {
        spelling.push_str(&format!("[{}]", occurrence.parse::<u16>().ok()?));
    }
    let mut fielded = false;
    for part in parts {
        let (letter, number) = part.split_at_checked(1)?;
        let number = number.parse::<u16>().ok()?;
        match letter {
            "F" => spelling.push_str(&format!("-{number}")),
            "R" => spelling.push_str(&format!("[{number}]")),
            "C" | "S" => spelling.push_str(&format!(".{number}")),
            _ => return None,
        }
        fielded = true;
    }
    let message = "this is how python-hl7 writes it; here are no letters before the numbers";
    fielded.then_some(Foreign { message, spelling: Some(spelling) })
}

fn is_id(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether a bare word is a segment, rather than some other name in capitals such as `SCT`.
fn is_segment(word: &str) -> bool {
    word.len() == 3 && is_id(word) && (word.starts_with('Z') || standard::is_segment(word))
}
