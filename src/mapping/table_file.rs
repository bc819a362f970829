//! A table in a CSV file beside the mapping: the same rows as a `[table.x]` would have, each with its place in that file.
//!
//! RFC 4180 with a header: `from,to` for texts, `from,system,code,display` for codes. Knows no disk: the files are handed in
//! with the mappings.

use csv::{ReaderBuilder, StringRecord};
use indexmap::IndexMap;

use super::diagnostics::{Problem, did_you_mean};
use super::file::{Entry, Item, Kind, Table, Text};
use super::source::{Place, SourceFile, Sources};

const TEXTS: [&str; 2] = ["from", "to"];
const CODES: [&str; 4] = ["from", "system", "code", "display"];
const HELP: &str = "write `from,to` for texts, or `from,system,code,display` for codes";

/// Puts the rows of the CSV files that `root` names under `[table]` where their names stand.
pub(crate) fn read_named(root: &mut Table, sources: &Sources, problems: &mut Vec<Problem>) {
    let Some(tables) = root.entries.iter_mut().find(|entry| entry.key == "table") else { return };
    let Kind::Table(tables) = &mut tables.item.kind else { return };
    for table in &mut tables.entries {
        let Kind::Text(name) = &table.item.kind else { continue };
        let rows = find(name, sources).map(|index| rows(index, &sources.files[index], problems));
        let rows = rows.unwrap_or_else(|problem| {
            problems.push(problem);
            Table::default()
        });
        table.item.kind = Kind::Table(rows);
    }
}

/// The CSV file that a mapping names, from where the mapping itself stands.
fn find(name: &Text, sources: &Sources) -> Result<usize, Problem> {
    let problem = |message: String| Problem::new(name.whole(), message);
    let beside = &sources.files[name.whole().file].name;
    let Some(wanted) = resolve(beside, &name.text) else {
        let message = format!("`{}` is not below the mappings' folder", name.text);
        return Err(
            problem(message).help("a table's file is named from where the mapping stands: \"acme-ris/users.csv\"")
        );
    };
    if !wanted.ends_with(".csv") {
        let message = "a string in place of a table names a CSV file".to_owned();
        return Err(problem(message).help("write its name with .csv, or a table: [table.NAME]"));
    }
    let known = || sources.files.iter().filter(|file| file.is_table()).map(|file| file.name.as_str());
    sources.files.iter().position(|file| file.is_table() && file.name == wanted).ok_or_else(|| {
        let help = match known().next() {
            Some(_) => did_you_mean(&wanted, known().collect::<Vec<_>>()),
            None => "there is no CSV file in the mappings' folder at all".to_owned(),
        };
        problem(format!("there is no file `{wanted}` in the mappings' folder")).help(help)
    })
}

/// `acme-ris/users.csv`, said in `vendors/acme-ris`: `vendors/acme-ris/users.csv`. None for what leaves the folder.
fn resolve(beside: &str, name: &str) -> Option<String> {
    let mut way: Vec<&str> = beside.split('/').collect();
    way.pop();
    for step in name.split('/') {
        match step {
            "" => return None,
            "." => {}
            ".." => drop(way.pop()?),
            step if step.contains(['\\', ':']) => return None,
            step => way.push(step),
        }
    }
    Some(way.join("/"))
}

/// The rows of file number `index`. What is wrong with them goes to `problems`.
fn rows(index: usize, file: &SourceFile, problems: &mut Vec<Problem>) -> Table {
    let marked = file.text.strip_prefix('\u{feff}').map_or(0, |_| '\u{feff}'.len_utf8());
    let text = &file.text[marked..];
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut sheet = Sheet { place: Place { file: index, start: 0, end: 0 }, columns: None, rows: IndexMap::new() };
    let (mut record, mut start) = (StringRecord::new(), 0);
    // What is handed in is UTF-8 and may have any number of columns, so that there is nothing left that a reader refuses.
    while reader.read_record(&mut record).unwrap_or(false) {
        let end = usize::try_from(reader.position().byte()).unwrap_or(text.len()).min(text.len());
        let whole = text.get(start..end).unwrap_or_default();
        let line = whole.trim_matches(['\r', '\n']);
        let from = marked + start + (whole.len() - whole.trim_start_matches(['\r', '\n']).len());
        start = end;
        let line =
            Line { text: line, place: Place { start: from, end: from + line.len(), ..sheet.place }, record: &record };
        if let Err(problem) = sheet.add(&line) {
            problems.push(problem);
            if sheet.columns.is_none() {
                return Table::default();
            }
        }
    }
    if sheet.columns.is_none() {
        problems.push(Problem::new(sheet.place, "the table has no header").help(HELP));
    }
    Table { entries: sheet.rows.into_values().collect() }
}

/// One line of the file, or several where a quoted text goes on.
struct Line<'t> {
    text: &'t str,
    place: Place,
    record: &'t StringRecord,
}

/// What has been read so far.
struct Sheet {
    place: Place,
    /// None before the header.
    columns: Option<&'static [&'static str]>,
    /// By `from`.
    rows: IndexMap<String, Entry>,
}

impl Sheet {
    fn add(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        if !line.text.matches('"').count().is_multiple_of(2) {
            let help = "a text with quotes in it stands in quotes, and they are doubled: \"say \"\"so\"\"\"";
            // A header of which it is not sure where it ends is none.
            return Err(Problem::new(line.place, "a quote is missing").help(help));
        }
        match self.columns {
            None => {
                self.columns = Some(header(line)?);
                Ok(())
            }
            Some(columns) => self.add_row(columns, line),
        }
    }

    fn add_row(&mut self, columns: &'static [&'static str], line: &Line<'_>) -> Result<(), Problem> {
        if line.record.len() != columns.len() {
            let message = format!("the row has {}, the header has {}", count(line.record.len()), columns.len());
            let help = "a text with a comma in it stands in quotes";
            return Err(Problem::new(line.place, message).help(help));
        }
        for column in columns.iter().filter(|column| matches!(**column, "from" | "code")) {
            let (text, place) = line.field(position(columns, column));
            if text.is_empty() {
                return Err(Problem::new(place, format!("the row has no `{column}`")));
            }
        }
        let (from, place) = line.field(0);
        let kind = if columns == TEXTS { line.text_of(1).kind } else { line.coding(columns) };
        let entry = Entry { key: from.to_owned(), place, item: Item { place: line.place, kind } };
        if self.rows.contains_key(from) {
            return Err(Problem::new(place, format!("`{from}` stands in this table twice")));
        }
        self.rows.insert(from.to_owned(), entry);
        Ok(())
    }
}

fn header(line: &Line<'_>) -> Result<&'static [&'static str], Problem> {
    let found: Vec<&str> = line.record.iter().collect();
    match found.as_slice() {
        found if found == TEXTS => Ok(&TEXTS),
        found if found == CODES => Ok(&CODES),
        [only] if only.contains([';', '\t']) => {
            Err(Problem::new(line.place, "the columns of a table are separated by commas").help(HELP))
        }
        _ => Err(Problem::new(line.place, "this is not the header of a table").help(HELP)),
    }
}

impl<'t> Line<'t> {
    /// A field and its place; where quotes hide the place, that of the whole line.
    fn field(&self, number: usize) -> (&'t str, Place) {
        let text = self.record.get(number).unwrap_or_default();
        if self.text.contains('"') {
            return (text, self.place);
        }
        let before: usize = self.record.iter().take(number).map(|field| field.len() + 1).sum();
        let start = self.place.start + before;
        (text, Place { start, end: start + text.len(), ..self.place })
    }

    fn text_of(&self, number: usize) -> Item {
        let (text, place) = self.field(number);
        Item { place, kind: Kind::Text(Text::new(text, place)) }
    }

    /// The row as `{ system = …, code = …, display = … }`, without what is empty.
    fn coding(&self, columns: &[&str]) -> Kind {
        let filled = (1..columns.len()).filter(|number| !self.field(*number).0.is_empty());
        let member = |number: usize| {
            let item = self.text_of(number);
            Entry { key: columns[number].to_owned(), place: item.place, item }
        };
        Kind::Table(Table { entries: filled.map(member).collect() })
    }
}

fn position(columns: &[&str], wanted: &str) -> usize {
    columns.iter().position(|column| *column == wanted).unwrap_or_default()
}

fn count(columns: usize) -> String {
    if columns == 1 { "one column".to_owned() } else { format!("{columns} columns") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows of a table as `from=to`, and what is wrong with it as `line: message`.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let file = SourceFile { name: "t.csv".into(), path: "mappings/t.csv".into(), text: text.into() };
        let mut problems = Vec::new();
        let table = rows(0, &file, &mut problems);
        let sources = Sources { files: vec![file] };
        let shown = |entry: &Entry| match &entry.item.kind {
            Kind::Text(to) => format!("{}={}", entry.key, to.text),
            Kind::Table(coding) => {
                let members = coding.entries.iter().map(|it| match &it.item.kind {
                    Kind::Text(text) => format!("{} {}", it.key, text.text),
                    other => format!("{other:?}"),
                });
                format!("{}={}", entry.key, members.collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        };
        let problem = |problem: &Problem| format!("{}: {}", sources.origin(problem.place).line, problem.message);
        (table.entries.iter().map(shown).collect(), problems.iter().map(problem).collect())
    }

    #[test]
    fn rows_are_read_as_rfc_4180_writes_them() {
        for (text, expected) in [
            ("from,to\na,b\n", vec!["a=b"]),
            ("from,to\r\na,b\r\n\r\nc,d", vec!["a=b", "c=d"]),
            ("\u{feff}from,to\na,b", vec!["a=b"]),
            ("from,to\n\"a,1\",\"say \"\"so\"\"\"\n", vec!["a,1=say \"so\""]),
            ("from,to\n\"a\nb\",c\nd,e\n", vec!["a\nb=c", "d=e"]),
            ("from,to\n a , b \n", vec![" a = b "]),
            ("from,to\na,\n*,other\n", vec!["a=", "*=other"]),
            ("from,to\n", vec![]),
            ("from,system,code,display\nx,loinc,1-8,\n", vec!["x=system loinc, code 1-8"]),
            ("from,system,code,display\nx,,1-8,Eight\n", vec!["x=code 1-8, display Eight"]),
        ] {
            assert_eq!(read(text), (expected.into_iter().map(str::to_owned).collect(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, expected) in [
            ("", vec!["1: the table has no header"]),
            ("to,from\na,b\n", vec!["1: this is not the header of a table"]),
            ("From,To\na,b\n", vec!["1: this is not the header of a table"]),
            ("from;to\na;b\n", vec!["1: the columns of a table are separated by commas"]),
            (
                "from,to\na\nb,c,d\n",
                vec!["2: the row has one column, the header has 2", "3: the row has 3 columns, the header has 2"],
            ),
            ("from,to\na,b\n\nc,d\na,e\n", vec!["5: `a` stands in this table twice"]),
            ("from,to\n,b\n", vec!["2: the row has no `from`"]),
            ("from,system,code,display\nx,loinc,,\n", vec!["2: the row has no `code`"]),
            ("from,to\na,b\nc,\"d\ne,f\n", vec!["3: a quote is missing"]),
        ] {
            assert_eq!(read(text).1, expected, "{text:?}");
        }
    }

    #[test]
    fn a_tables_file_is_found_from_where_the_mapping_stands_and_never_outside_the_folder() {
        for (beside, name, expected) in [
            ("vendors/acme-ris", "acme-ris/users.csv", Some("vendors/acme-ris/users.csv")),
            ("vendors/acme-ris", "./users.csv", Some("vendors/users.csv")),
            ("vendors/acme-ris", "../users.csv", Some("users.csv")),
            ("vendors/acme-ris", "../../users.csv", None),
            ("acme", "users.csv", Some("users.csv")),
            ("acme", "../users.csv", None),
            ("acme", "/etc/users.csv", None),
            ("acme", "C:\\users.csv", None),
            ("acme", "x\\..\\..\\users.csv", None),
            ("acme", "", None),
        ] {
            assert_eq!(resolve(beside, name).as_deref(), expected, "{name} in {beside}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_place_is_in_it(text in prop_oneof!["\\PC*", "(from,to\n)?[a-c,\"\r\n;]*", "from,system,code,display\n[a-c,\"\né]*"]) {
            let file = SourceFile { name: "t.csv".into(), path: "mappings/t.csv".into(), text: text.clone() };
            let mut problems = Vec::new();
            let table = rows(0, &file, &mut problems);
            let places = problems.iter().map(|it| it.place).chain(table.entries.iter().map(|it| it.place));
            for place in places {
                prop_assert!(text.get(place.start..place.end).is_some(), "{place:?}");
            }
            for entry in &table.entries {
                let shown = &text[entry.place.start..entry.place.end];
                prop_assert!(shown == entry.key || shown.contains('"'), "{shown:?}");
            }
        }
    }
}
