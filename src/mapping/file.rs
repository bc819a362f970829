//! One mapping file as a tree in which every key and value knows its place. Knows TOML, and nothing of what the keys mean.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::diagnostics::Problem;
use super::source::{Place, SourceFile};

/// A value in a file.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Array(Vec<Item>),
    /// A number, a truth value or a date, already as JSON.
    Scalar(String),
    Table(Table),
    Text(Text),
}

/// A string, and where its first character stands.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    place: Place,
    /// Where `text` starts in the file; `None` where escapes make the file's bytes differ from it.
    start: Option<usize>,
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) item: Item,
}

impl Text {
    /// A text that stands at `place` as it is, without quotes and escapes.
    pub(crate) fn new(text: &str, place: Place) -> Self {
        Self {
            text: text.to_owned(),
            place,
            start: Some(place.start).filter(|_| place.end - place.start == text.len()),
        }
    }

    /// The place of the bytes `span` of the text; of all of it where escapes hide them.
    pub(crate) fn place(&self, span: std::ops::Range<usize>) -> Place {
        match self.start {
            Some(start) => Place { start: start + span.start, end: start + span.end, ..self.place },
            None => self.place,
        }
    }

    /// The place of the string with its quotes.
    pub(crate) fn whole(&self) -> Place {
        self.place
    }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Kind {
    /// What the value is called in diagnostics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Array(_) => "an array",
            Self::Scalar(_) => "a number, truth value or date",
            Self::Table(_) => "a table",
            Self::Text(_) => "a string",
        }
    }
}

/// The tree of `file`, which is number `index` of its load. Mistakes in the TOML go to `problems`; what can be read is read.
pub(crate) fn parse(index: usize, file: &SourceFile, problems: &mut Vec<Problem>) -> Table {
    let reader = Reader { index, text: &file.text };
    let (root, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors {
        let place = reader.place(error.span().unwrap_or(0..0));
        problems.push(Problem::new(place, error.message().trim_end()));
    }
    reader.table(root.get_ref())
}

struct Reader<'f> {
    index: usize,
    text: &'f str,
}

impl Reader<'_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        let end = span.end.min(self.text.len());
        Place { file: self.index, start: span.start.min(end), end }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                place: self.place(key.span()),
                item: self.item(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.place.start);
        Table { entries }
    }

    fn item(&self, value: &Spanned<DeValue<'_>>) -> Item {
        let place = self.place(value.span());
        let kind = match value.get_ref() {
            DeValue::Array(items) => Kind::Array(items.iter().map(|item| self.item(item)).collect()),
            DeValue::Boolean(truth) => Kind::Scalar(truth.to_string()),
            DeValue::Datetime(date) => Kind::Scalar(format!("\"{date}\"")),
            DeValue::Float(number) => Kind::Scalar(float(number.as_str())),
            DeValue::Integer(number) => Kind::Scalar(integer(number)),
            DeValue::String(text) => Kind::Text(self.text(text, place)),
            DeValue::Table(table) => Kind::Table(self.table(table)),
        };
        Item { place, kind }
    }

    /// Within its quotes the text stands as it is, unless it holds escapes.
    fn text(&self, text: &str, place: Place) -> Text {
        let quoted = self.text.get(place.start..place.end).unwrap_or_default();
        let start = quoted.find(text).map(|offset| place.start + offset);
        Text { text: text.to_owned(), place, start }
    }
}

/// JSON has no infinities and no `nan`: they become null, which stands for nothing.
fn float(text: &str) -> String {
    text.parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| "null".to_owned(), |it| it.to_string())
}

fn integer(number: &DeInteger<'_>) -> String {
    i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| "null".to_owned(), |it| it.to_string())
}
