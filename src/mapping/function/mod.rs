//! The functions of the mapping language: a closed list. The examples of each stand in `mappings/README.md`, and are tests.
//!
//! Every function but `default` gives nothing for nothing. Those that change one text change each text of a list.

mod identity;
mod person;
mod time;

pub(crate) use time::{instant, zone};

use std::borrow::Cow;
use std::ops::Range;

use jiff::tz::TimeZone;

use super::diagnostics::did_you_mean;
use super::expression::{Expression, View};
use super::table::LookupTable;
use super::value::{Data, is_blank};

/// A function with its arguments, read and checked when the mapping was loaded.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Date { format: Option<Box<str>> },
    DateTime { format: Option<Box<str>>, zone: Option<TimeZone> },
    Default(Box<str>),
    Digits,
    First,
    Join(Box<str>),
    Lookup(LookupTable),
    Lower,
    MapToCode(LookupTable),
    Name,
    Nth(usize),
    Oid,
    Prefix(Box<str>),
    Replace(Box<str>, Box<str>),
    Split(Box<str>),
    Suffix(Box<str>),
    Trim,
    Upper,
    Uri,
    Uuid(Vec<Word>),
}

/// A word that a UUID is made of, too.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Expression(Expression),
    Text(Box<str>),
}

/// One argument as it was written, and where.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    /// The text; or the name of the expression.
    pub(crate) text: Box<str>,
    /// What the name stands for, if it does not stand for a text.
    pub(crate) expression: Option<Expression>,
    pub(crate) span: Range<usize>,
}

/// What is wrong with a call, and which bytes of its expression say so; `None` for the name of the function.
pub(crate) struct CallError {
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) span: Option<Range<usize>>,
}

/// What a call may refer to in its mapping.
pub(crate) trait Surroundings {
    /// The table of that name.
    fn table(&self, name: &str) -> Option<LookupTable>;
    /// The names of all tables.
    fn table_names(&self) -> Vec<&str>;
    /// The mapping's own time zone.
    fn zone(&self) -> Option<&TimeZone>;
}

/// Every function, and how it is written.
const USAGES: [(&str, &str); 20] = [
    ("date", "date or date 'format'"),
    ("datetime", "datetime, datetime 'zone', datetime 'format' or datetime 'format' 'zone'"),
    ("default", "default 'text'"),
    ("digits", "digits"),
    ("first", "first"),
    ("join", "join 'separator'"),
    ("lookup", "lookup table"),
    ("lower", "lower"),
    ("map-to-code", "map-to-code table"),
    ("name", "name"),
    ("nth", "nth 2"),
    ("oid", "oid"),
    ("prefix", "prefix 'text'"),
    ("replace", "replace 'this' 'that'"),
    ("split", "split 'separator'"),
    ("suffix", "suffix 'text'"),
    ("trim", "trim"),
    ("upper", "upper"),
    ("uri", "uri"),
    ("uuid", "uuid, or uuid 'more' 'words'"),
];

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    USAGES.iter().map(|(name, _)| *name)
}

impl Call {
    /// The call of the function `name`.
    pub(crate) fn new(name: &str, arguments: &[Argument], around: &dyn Surroundings) -> Result<Self, CallError> {
        let Some((_, usage)) = USAGES.iter().find(|(known, _)| *known == name) else {
            let help = did_you_mean(name, USAGES.map(|(known, _)| known));
            return Err(CallError { message: format!("unknown function `{name}`"), help, span: None });
        };
        if let Some(named) = arguments.iter().find(|it| it.expression.is_some() && name != "uuid") {
            let message = format!("`{}` stands for an expression, and `{name}` takes a text here", named.text);
            let help = "write a text in quotes, or the name of one in [constant]".to_owned();
            return Err(CallError { message, help, span: Some(named.span.clone()) });
        }
        let call = match (name, arguments) {
            ("date", []) => Self::Date { format: None },
            ("date", [format]) => Self::Date { format: Some(time::format(format)?) },
            ("datetime", arguments) if arguments.len() <= 2 => time::call(arguments, around.zone())?,
            ("default", [text]) => Self::Default(text.text.clone()),
            ("digits", []) => Self::Digits,
            ("first", []) => Self::First,
            ("join", [separator]) => Self::Join(separator.text.clone()),
            ("lookup", [table]) => Self::Lookup(find_table(table, around)?.of_texts(table)?),
            ("lower", []) => Self::Lower,
            ("map-to-code", [table]) => Self::MapToCode(find_table(table, around)?.of_codes(table)?),
            ("name", []) => Self::Name,
            ("nth", [number]) => Self::Nth(index(number)?),
            ("oid", []) => Self::Oid,
            ("prefix", [text]) => Self::Prefix(text.text.clone()),
            ("replace", [this, that]) => Self::Replace(not_empty(this)?, that.text.clone()),
            ("split", [separator]) => Self::Split(not_empty(separator)?),
            ("suffix", [text]) => Self::Suffix(text.text.clone()),
            ("trim", []) => Self::Trim,
            ("upper", []) => Self::Upper,
            ("uri", []) => Self::Uri,
            ("uuid", words) => Self::Uuid(words.iter().map(Argument::word).collect()),
            _ => {
                let message = match arguments.len() {
                    0 => format!("`{name}` lacks what stands behind it"),
                    given => format!("`{name}` does not take {}", count(given)),
                };
                return Err(CallError { message, help: format!("write: {usage}"), span: None });
            }
        };
        Ok(call)
    }

    /// The expressions that its arguments name, each of which must have a value.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let words = if let Self::Uuid(words) = self { words.as_slice() } else { &[] };
        words.iter().filter_map(|word| match word {
            Word::Expression(expression) => Some(expression),
            Word::Text(_) => None,
        })
    }

    /// Whether the result is an object, which only a string of one expression can hold, and no further function change.
    pub(crate) fn gives_object(&self) -> bool {
        matches!(self, Self::MapToCode(_) | Self::Name)
    }

    /// The result for `data`, in the place that `view` shows.
    pub(crate) fn apply<'m>(&'m self, data: Data<'m>, view: &View<'m>) -> Data<'m> {
        match self {
            Self::Default(text) if data.is_nothing() => Data::text(&**text),
            Self::First => data.into_first().map_or(Data::Absent, Data::Text),
            Self::Join(separator) => join(data, separator),
            Self::Nth(index) => nth(data, *index),
            Self::Split(separator) => split(data, separator),
            _ => match data {
                Data::Text(text) => self.change(text, view),
                Data::List(texts) => self.change_each(texts, view),
                nothing => nothing,
            },
        }
    }

    fn change_each<'m>(&'m self, texts: Vec<Cow<'m, str>>, view: &View<'m>) -> Data<'m> {
        if self.gives_object() {
            return texts.into_iter().next().map_or(Data::Absent, |text| self.change(text, view));
        }
        Data::list(texts.into_iter().filter_map(|text| self.change(text, view).into_first()))
    }

    fn change<'m>(&'m self, text: Cow<'m, str>, view: &View<'m>) -> Data<'m> {
        match self {
            Self::Date { format } => optional(time::date(&text, format.as_deref())),
            Self::DateTime { format, zone } => optional(time::datetime(&text, format.as_deref(), zone.as_ref())),
            Self::Digits => Data::text(text.chars().filter(char::is_ascii_digit).collect::<String>()),
            Self::Lookup(table) => table.text(&text).map_or(Data::Absent, Data::text),
            Self::Lower => Data::text(text.to_lowercase()),
            Self::MapToCode(table) => table.code(&text).map_or(Data::Absent, |code| Data::Json(code.into())),
            Self::Name => person::name(&text).map_or(Data::Absent, |name| Data::Json(name.into())),
            Self::Oid => optional(identity::oid(&text)),
            Self::Prefix(prefix) => Data::text(format!("{prefix}{text}")),
            Self::Replace(this, that) => Data::text(text.replace(&**this, that)),
            Self::Suffix(suffix) => Data::text(format!("{text}{suffix}")),
            Self::Trim => Data::text(trimmed(text)),
            Self::Upper => Data::text(text.to_uppercase()),
            Self::Uri => optional(identity::uri(&text)),
            Self::Uuid(words) => {
                let words: Option<Vec<_>> = words.iter().map(|word| word.text(view)).collect();
                words.map_or(Data::Absent, |words| Data::text(identity::uuid(&words, &text)))
            }
            Self::Default(_) | Self::First | Self::Join(_) | Self::Nth(_) | Self::Split(_) => Data::Text(text),
        }
    }
}

impl Argument {
    fn word(&self) -> Word {
        self.expression.clone().map_or_else(|| Word::Text(self.text.clone()), Word::Expression)
    }
}

impl Word {
    fn text<'m>(&'m self, view: &View<'m>) -> Option<Cow<'m, str>> {
        match self {
            Self::Expression(expression) => expression.value(view).into_first(),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }
}

fn optional<'m>(text: Option<String>) -> Data<'m> {
    text.map_or(Data::Absent, Data::text)
}

/// Without the blanks around it; nearly always there are none.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn join<'m>(data: Data<'m>, separator: &str) -> Data<'m> {
    match data {
        Data::List(texts) => {
            let filled: Vec<_> = texts.iter().map(|text| &**text).filter(|text| !is_blank(text)).collect();
            Data::text(filled.join(separator))
        }
        other => other,
    }
}

fn nth(data: Data<'_>, index: usize) -> Data<'_> {
    match data {
        Data::List(texts) => texts.into_iter().nth(index - 1).map_or(Data::Absent, Data::text),
        Data::Text(_) if index > 1 => Data::Absent,
        other => other,
    }
}

/// The parts keep their places, also the empty ones: `nth` counts them.
fn split<'m>(data: Data<'m>, separator: &str) -> Data<'m> {
    match data {
        Data::Text(text) => Data::List(text.split(separator).map(|part| Cow::Owned(part.to_owned())).collect()),
        other => other,
    }
}

fn count(arguments: usize) -> String {
    match arguments {
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

fn index(argument: &Argument) -> Result<usize, CallError> {
    argument.text.parse().ok().filter(|index| *index > 0).ok_or_else(|| CallError {
        message: "places are counted from 1".to_owned(),
        help: "write: nth 2".to_owned(),
        span: Some(argument.span.clone()),
    })
}

fn not_empty(argument: &Argument) -> Result<Box<str>, CallError> {
    if argument.text.is_empty() {
        let message = "an empty text is everywhere".to_owned();
        return Err(CallError {
            message,
            help: "name one character or more".to_owned(),
            span: Some(argument.span.clone()),
        });
    }
    Ok(argument.text.clone())
}

fn find_table(name: &Argument, around: &dyn Surroundings) -> Result<LookupTable, CallError> {
    around.table(&name.text).ok_or_else(|| CallError {
        message: format!("unknown table `{}`", name.text),
        help: did_you_mean(&name.text, around.table_names()),
        span: Some(name.span.clone()),
    })
}
