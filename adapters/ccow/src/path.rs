//! Paths into a committed context, as analysts write them: `Patient.Id.MRN.General`, `Patient.Id.MRN.*`. Section 9.
//!
//! | path | reads |
//! |---|---|
//! | `Patient.Id.MRN.General` | the item's value |
//! | `Patient.Id.MRN.*`, `Patient.Id.*` | of every item whose name starts so; the first of them where one value is wanted |
//! | `Patient` | the subject itself: holds when anything is set of it |
//! | `change.Patient` | `set` or `emptied` where this commit did so to the subject; nothing where it left it alone |
//! | `before.Patient.Id.MRN.*`, `before.Patient` | as without `before`, in the context until this commit: what a close needs |
//! | `session.application` | the instigator's name; further words are `address`, `coupon`, `desktop`, and `clientHostName`, `clientIPAddress`, `citrixSessionId`, `wtsSessionId` of the descriptive data |
//! | `.value`, `.name`, `.suffix` | inside `each`: the present item's value, its whole name, what stands behind `Patient.Id.MRN` |
//! | `.1`, `.4.2` | inside `each`: component and subcomponent of the present value (`Patient.Id.IdList.*` holds CX, `Patient.Co.PatientName` XPN) |
//!
//! Names have no case. `before`, `change` and `session` are no subjects of anybody's.
//!
//! Knows no context: spelling in, a [`Path`] or the right spelling out.

use fhircast_gateway_adapter_api::{Grammar, Path, PathError};

use crate::items::{ItemName, ROLES, Role, STANDARD, Subject, parts, undescribed};

/// The grammar of paths into a CCOW context.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ccow;

/// A compiled path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContextPath {
    /// What a commit did to a subject.
    Change(Subject),
    /// Items, or a subject, of the context that came or of the one before.
    Context { before: bool, what: What },
    /// What is said of the present item, inside `each`.
    Relative(Relative),
    /// A word about the session.
    Session(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The item with this key.
    Item(String),
    /// Every item whose key starts so; of this subject.
    Items(String, Subject),
    /// The subject itself.
    Subject(Subject),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relative {
    Component(u16, Option<u16>),
    Name,
    Suffix,
    Value,
}

/// What `change.Patient` can be.
pub(crate) const SET: &str = "set";
pub(crate) const EMPTIED: &str = "emptied";

/// The words about a session, after `session.`; the last four are types of descriptive data. Section 3.
pub(crate) const SESSION_WORDS: [&str; 8] = [
    "application",
    "address",
    "coupon",
    "desktop",
    "clientHostName",
    "clientIPAddress",
    "citrixSessionId",
    "wtsSessionId",
];

/// The standard's item names, as it writes them. Section 9.
const NAMES: [&str; 22] = [
    "MRN",
    "MPI",
    "NationalIdNumber",
    "IdList",
    "Alternate",
    "PatientName",
    "AliasName",
    "DateTimeOfBirth",
    "Sex",
    "DLN",
    "Logon",
    "Name",
    "VisitNumber",
    "AlternateVisitId",
    "AccountNumber",
    "Placer_Order_Number",
    "Filler_Order_Number",
    "System_Id",
    "Service_Id",
    "Date_Time",
    "Service_Desc",
    "InstanceUID",
];

impl Grammar for Ccow {
    fn protocol(&self) -> &'static str {
        "ccow"
    }

    fn looks_like_path(&self, text: &str) -> bool {
        if text.starts_with(['.', '[']) || STANDARD.contains(&text) {
            return true;
        }
        let Some((first, rest)) = text.split_once('.') else { return false };
        let second = rest.split('.').next().unwrap_or_default();
        is_prefix(first) || spelling(&STANDARD, first).is_some() || Role::parse(second).is_some()
    }

    fn path_length(&self, text: &str) -> usize {
        let (mut at, mut starts) = (0, true);
        while let Some(next) = text[at..].chars().next() {
            at += match next {
                '[' if starts => match text[at..].find(']') {
                    Some(end) => end + 1,
                    None => return text.len(),
                },
                '.' | '*' | '_' | '-' => 1,
                other if other.is_alphanumeric() => other.len_utf8(),
                _ => break,
            };
            starts = next == '.';
        }
        at
    }

    fn path(&self, text: &str) -> Result<Path, PathError> {
        let (canonical, path) = read(text).map_err(|Wrong { message, suggestion }| PathError {
            message,
            suggestion,
            span: 0..text.len(),
        })?;
        Ok(Path::new(&canonical, path))
    }

    fn never_has(&self, path: &Path, known: &[(&Path, Vec<&str>)]) -> Option<String> {
        let ContextPath::Context { before: false, what } = path.compiled()? else { return None };
        let subject = match what {
            What::Item(key) => ItemName::parse(key).ok()?.subject().clone(),
            What::Items(_, subject) | What::Subject(subject) => subject.clone(),
        };
        let emptied = known.iter().any(|(path, values)| {
            path.compiled() == Some(&ContextPath::Change(subject.clone()))
                && values.iter().all(|value| *value == EMPTIED)
        });
        emptied.then(|| format!("nothing is left of an emptied {subject:?}; what it was is in before.{}", path.text()))
    }
}

struct Wrong {
    message: String,
    suggestion: Option<String>,
}

fn wrong<T>(message: impl Into<String>, suggestion: Option<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), suggestion })
}

fn is_prefix(word: &str) -> bool {
    ["before", "change", "session"].contains(&word.to_ascii_lowercase().as_str())
}

fn read(text: &str) -> Result<(String, ContextPath), Wrong> {
    if let Some(relative) = text.strip_prefix('.') {
        return read_relative(relative);
    }
    let (first, rest) = text.split_once('.').unwrap_or((text, ""));
    match first.to_ascii_lowercase().as_str() {
        "before" => {
            let (canonical, what) = read_context(rest)?;
            Ok((format!("before.{canonical}"), ContextPath::Context { before: true, what }))
        }
        "change" => match read_context(rest)? {
            (canonical, What::Subject(subject)) => Ok((format!("change.{canonical}"), ContextPath::Change(subject))),
            (_, What::Items(_, subject)) => {
                wrong("subjects change as a whole", Some(format!("change.{}", subject.text())))
            }
            (_, What::Item(key)) => {
                let subject = ItemName::parse(&key).map(|name| format!("change.{}", name.subject().text())).ok();
                wrong("subjects change as a whole", subject)
            }
        },
        "session" => match spelling(&SESSION_WORDS, rest) {
            Some(word) => Ok((format!("session.{word}"), ContextPath::Session(word))),
            None => wrong(
                format!("`session.` goes on with one of {}", SESSION_WORDS.join(", ")),
                near(&SESSION_WORDS, rest).map(|word| format!("session.{word}")),
            ),
        },
        _ => {
            let (canonical, what) = read_context(text)?;
            Ok((canonical, ContextPath::Context { before: false, what }))
        }
    }
}

fn read_relative(text: &str) -> Result<(String, ContextPath), Wrong> {
    let read = |relative, canonical: String| Ok((format!(".{canonical}"), ContextPath::Relative(relative)));
    match text {
        "name" => return read(Relative::Name, text.to_owned()),
        "suffix" => return read(Relative::Suffix, text.to_owned()),
        "value" => return read(Relative::Value, text.to_owned()),
        _ => {}
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0 && text.len() < 4);
    let (component, subcomponent) = text.split_once('.').map_or((text, None), |(first, second)| (first, Some(second)));
    match (number(component), subcomponent.map(number)) {
        (Some(component), None) => read(Relative::Component(component, None), component.to_string()),
        (Some(component), Some(Some(sub))) => {
            read(Relative::Component(component, Some(sub)), format!("{component}.{sub}"))
        }
        _ => wrong(
            "a relative path is .value, .name, .suffix, or component and subcomponent, counted from 1, as in .4.2",
            None,
        ),
    }
}

fn read_context(text: &str) -> Result<(String, What), Wrong> {
    let Some(parts) = parts(text) else { return wrong("a bracket lacks its other half", None) };
    let [subject, rest @ ..] = &parts[..] else { return wrong("a subject is missing", None) };
    let subject = read_subject(subject, text)?;
    let [role, rest @ ..] = rest else { return Ok((subject.text().to_owned(), What::Subject(subject))) };
    let Some((role, _)) = ROLES.iter().find(|(name, _)| name.eq_ignore_ascii_case(role)) else {
        let suggestion = match *role {
            "*" => Some(format!("{}.Id.*", subject.text())),
            _ => None,
        };
        return wrong(format!("`{role}` is no role; after the subject stands Id, Co or An"), suggestion);
    };
    let mut canonical = format!("{}.{role}", subject.text());
    for (index, part) in rest.iter().enumerate() {
        let known = (index == 0).then(|| spelling(&NAMES, part)).flatten();
        canonical.push('.');
        canonical.push_str(known.unwrap_or(part));
    }
    let Some(start) = canonical.strip_suffix('*').filter(|start| start.ends_with('.')) else {
        return read_item(canonical);
    };
    if start.contains('*') {
        return wrong("`*` stands for the last part alone, as in Patient.Id.MRN.*", None);
    }
    match ItemName::parse(&format!("{start}x")) {
        Ok(name) if is_social_security(&name) => withheld(),
        Ok(_) => Ok((canonical.clone(), What::Items(start.to_ascii_lowercase(), subject))),
        Err(exception) => wrong(exception.message, None),
    }
}

fn read_item(canonical: String) -> Result<(String, What), Wrong> {
    if canonical.contains('*') {
        return wrong("`*` stands for the last part alone, as in Patient.Id.MRN.*", None);
    }
    match ItemName::parse(&canonical) {
        Ok(name) if name.is_withheld() => withheld(),
        Ok(name) => Ok((name.text().to_owned(), What::Item(name.key().to_owned()))),
        Err(exception) => wrong(exception.message, None),
    }
}

fn is_social_security(name: &ItemName) -> bool {
    name.name() == "ssn"
}

fn withheld<T>() -> Result<T, Wrong> {
    wrong("secrets and social security numbers are never passed on from CCOW", None)
}

fn read_subject(text: &str, path: &str) -> Result<Subject, Wrong> {
    let Some(subject) = Subject::parse(text) else { return wrong("a subject is missing", None) };
    if subject.descriptor().is_some() || spelling(&STANDARD, text).is_some() {
        return Ok(subject);
    }
    // A subject of nobody's may be a site's own; one that is nearly the standard's is a slip.
    if let Some(right) = near(&STANDARD, text) {
        return wrong(format!("there is no subject `{text}`"), Some(path.replacen(text, right, 1)));
    }
    if !path.contains('.') || undescribed(text).contains('*') {
        return wrong(format!("there is no subject `{text}`; they are {}", STANDARD.join(", ")), None);
    }
    Ok(subject)
}

fn spelling<const N: usize>(words: &[&'static str; N], text: &str) -> Option<&'static str> {
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
}

fn near<const N: usize>(words: &[&'static str; N], text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    words.iter().find(|word| strsim::osa_distance(&word.to_ascii_lowercase(), &text) <= 2).copied()
}

#[cfg(test)]
mod tests;
