//! The check of a mapping's resources against FHIR R4: their elements, lists, kinds of values, codes.
//!
//! Reports only what is certain to be wrong in what comes out. What a message will hold is not known here; which texts a
//! table or a literal can give is.

use super::super::compile::keys::STEERING;
use super::super::diagnostics::{Problem, did_you_mean, nearest};
use super::super::expression::{Expression, Part, Template};
use super::super::file::{Entry, Item, Kind, Table, Text};
use super::super::names::Names;
use super::super::parse;
use super::super::source::{Place, Sources};
use super::given::{self, Given, Source};
use super::{Element, Json, Model, Type, literal, r4};

/// The check of one mapping.
pub(crate) struct Checker<'c> {
    model: &'static Model,
    sources: &'c Sources,
    names: &'c Names<'c>,
    /// The mapping's `[table]`, for the places of rows.
    tables: Option<&'c Table>,
    problems: Vec<Problem>,
}

/// An element in the type that has it, and the keys that lead to it in the file.
#[derive(Clone, Copy)]
struct Spot<'s> {
    owner: &'s Type,
    element: &'s Element,
    way: &'s str,
}

impl Spot<'_> {
    /// `Patient.gender`.
    fn name(&self) -> String {
        format!("{}.{}", self.owner.name, self.element.name)
    }
}

impl<'c> Checker<'c> {
    /// A check of the mapping whose names are `names`, and whose tree is `root`.
    pub(crate) fn new(sources: &'c Sources, names: &'c Names<'c>, root: &'c Table) -> Self {
        let tables = root.get("table").and_then(|entry| match &entry.item.kind {
            Kind::Table(tables) => Some(tables),
            _ => None,
        });
        Self { model: r4(), sources, names, tables, problems: Vec::new() }
    }

    /// Checks the resource of the type `resource` that stands in `table`, which is called `way` in the file. Resources of
    /// types that are not described are taken as they are.
    pub(crate) fn resource(&mut self, resource: &str, way: &str, table: &Table) {
        if let Some(described) = self.model.named(resource) {
            self.members(described, way, table, &["resourceType", "each"]);
        }
    }

    /// Checks the element of the type `resource` that stands in `entry`, which is called `way` in the file.
    pub(crate) fn element_of(&mut self, resource: &str, way: &str, entry: &Entry) {
        let owner = self.model.named(resource);
        if let Some((owner, element)) = owner.and_then(|owner| Some((owner, self.element(owner, &entry.key)?))) {
            self.value(Spot { owner, element, way }, entry);
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Vec<Problem> {
        self.problems
    }

    fn members(&mut self, owner: &Type, way: &str, table: &Table, aside: &[&str]) {
        for entry in table.entries.iter().filter(|entry| !aside.contains(&entry.key.as_str())) {
            let way = format!("{way}.{}", entry.key);
            match self.element(owner, &entry.key) {
                Some(element) => self.value(Spot { owner, element, way: &way }, entry),
                None if self.is_extension_of_primitive(owner, &entry.key) => {}
                None => self.report_unknown(owner, entry),
            }
        }
        self.report_choices(owner, table);
    }

    fn element(&self, owner: &Type, name: &str) -> Option<&'static Element> {
        let owner = self.model.named(&owner.name)?;
        self.model.elements(owner).find(|element| element.name == name)
    }

    /// `_birthDate` holds the id and the extensions of `birthDate`.
    fn is_extension_of_primitive(&self, owner: &Type, key: &str) -> bool {
        let element = key.strip_prefix('_').and_then(|name| self.element(owner, name));
        element.is_some_and(|element| element.json().is_some())
    }

    fn report_unknown(&mut self, owner: &Type, entry: &Entry) {
        let names = || self.model.elements(owner).map(|element| element.name.as_str());
        let help = match nearest(&entry.key, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("it has: {}", owner.own().iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("{} has no element `{}`", owner.name, entry.key);
        self.problems.push(Problem::new(entry.place, message).help(help));
    }

    /// Of a choice such as `deceased[x]` only one may be there; one that is made empty is not there.
    fn report_choices(&mut self, owner: &Type, table: &Table) {
        let mut found: Vec<(&str, &Entry)> = Vec::new();
        for entry in table.entries.iter().filter(|entry| !is_empty_text(&entry.item.kind)) {
            let Some(choice) = self.element(owner, &entry.key).and_then(|it| it.choice.as_deref()) else { continue };
            let Some((_, other)) = found.iter().find(|(other, _)| *other == choice) else {
                found.push((choice, entry));
                continue;
            };
            self.problems.push(self.rivals(owner, choice, other, entry));
        }
    }

    /// Two of one choice: a mistake where one is always there, else only if a message gives both.
    fn rivals(&self, owner: &Type, choice: &str, one: &Entry, other: &Entry) -> Problem {
        let line = self.sources.origin(one.place);
        let (message, help) = (
            format!("{}.{choice} has one value, and `{}` is there too ({line})", owner.name, one.key),
            "leave out one of the two, or make it empty: \"\"",
        );
        let literal = [one, other].iter().any(|entry| is_literal(&entry.item.kind));
        let problem = match literal {
            true => Problem::new(other.place, message),
            false => Problem::warning(other.place, message),
        };
        problem.help(help)
    }

    fn value(&mut self, spot: Spot<'_>, entry: &Entry) {
        match (&entry.item.kind, spot.element.many) {
            (Kind::Array(items), many) => {
                if !many {
                    self.report_array(spot, entry);
                }
                items.iter().for_each(|item| self.single(spot, item));
            }
            (kind, true) if !is_empty_text(kind) => {
                self.report_no_list(spot, entry);
                self.single(spot, &entry.item);
            }
            _ => self.single(spot, &entry.item),
        }
    }

    fn report_array(&mut self, spot: Spot<'_>, entry: &Entry) {
        let help = match spot.element.json() {
            Some(_) => "write it without brackets".to_owned(),
            None => format!("write it without brackets: [{}]", spot.way),
        };
        self.problems.push(Problem::new(entry.place, format!("{} is no list", spot.name())).help(help));
    }

    fn report_no_list(&mut self, spot: Spot<'_>, entry: &Entry) {
        let help = match (spot.element.json(), &entry.item.kind) {
            (Some(_), _) | (None, Kind::Text(_)) => format!("write it in brackets: {} = [ … ]", entry.key),
            (None, _) => format!("write [[{}]]", spot.way),
        };
        self.problems.push(Problem::new(entry.place, format!("{} is a list", spot.name())).help(help));
    }

    /// One value, or one element of a list.
    fn single(&mut self, spot: Spot<'_>, item: &Item) {
        match &item.kind {
            Kind::Array(_) => {
                self.problems.push(Problem::new(item.place, "FHIR has no lists of lists"));
            }
            Kind::Scalar(json) => self.scalar(spot, item.place, json),
            Kind::Table(table) => self.table(spot, item.place, table),
            Kind::Text(text) => self.text(spot, text),
        }
    }

    fn table(&mut self, spot: Spot<'_>, place: Place, table: &Table) {
        if spot.element.json().is_some() {
            return self.report_kind(spot, place, "a table");
        }
        let contained = table.get("resourceType").filter(|_| spot.element.kind == "Resource");
        match contained.map(|entry| &entry.item.kind) {
            Some(Kind::Text(resource)) => self.resource(&resource.text, spot.way, table),
            _ if spot.element.kind == "Resource" => {}
            _ => {
                if let Some(described) = self.model.named(&spot.element.kind) {
                    self.members(described, spot.way, table, &STEERING);
                }
            }
        }
    }

    fn scalar(&mut self, spot: Spot<'_>, place: Place, json: &str) {
        let kind = &spot.element.kind;
        match (spot.element.json(), json) {
            (_, "null") => {}
            (Some(Json::Boolean), "true" | "false") => {}
            (Some(Json::Text), date) if date.starts_with('"') => {
                self.report_form(spot, place, date.trim_matches('"'));
            }
            (Some(Json::Number), number)
                if number.starts_with(|first: char| first == '-' || first.is_ascii_digit()) =>
            {
                if let Some(expected) = literal::expected_number(kind, number) {
                    let message = format!("`{number}` is no {kind}, as {} has to be", spot.name());
                    self.problems.push(Problem::new(place, message).help(expected));
                }
            }
            (_, "true" | "false") => self.report_kind(spot, place, "a truth value"),
            (_, date) if date.starts_with('"') => self.report_kind(spot, place, "a date"),
            _ => self.report_kind(spot, place, "a number"),
        }
    }

    fn text(&mut self, spot: Spot<'_>, text: &Text) {
        // What cannot be read is reported where it is compiled.
        let Ok(template) = parse::template(&text.text, self.names) else { return };
        let Template { parts, .. } = &template;
        match parts.as_slice() {
            [] => {}
            [Part::Literal(literal)] => self.literal(spot, text.whole(), literal),
            [Part::Expression(expression)] => {
                self.warn_of_gaps(spot, text, expression);
                for given in Given::all(expression) {
                    self.given(spot, text, &given);
                }
            }
            _ => self.given_text(spot, text.whole()),
        }
    }

    /// A code that no row lists leaves the element out: where it has to be there, that is seldom meant.
    fn warn_of_gaps(&mut self, spot: Spot<'_>, text: &Text, expression: &Expression) {
        let wanted = (spot.element.required && !spot.element.many) || spot.element.name == "status";
        let Some(span) = given::gap(expression).filter(|_| wanted) else { return };
        let needed = if spot.element.required { ", which has to be there" } else { "" };
        let message = format!("a code that is not in the table leaves out {}{needed}", spot.name());
        let help = "give the table a row \"*\", or write `| default '…'` behind it";
        self.problems.push(Problem::warning(text.place(span), message).help(help));
    }

    fn given(&mut self, spot: Spot<'_>, text: &Text, given: &Given<'_>) {
        let place = text.place(given.span.clone());
        match &given.source {
            Source::Object(object) => {
                if spot.element.kind != *object {
                    let message =
                        format!("{} is {}, and this gives a {object}", spot.name(), article(&spot.element.kind));
                    self.problems.push(Problem::new(place, message));
                }
            }
            Source::Literal(literal) => self.literal(spot, place, literal),
            Source::Rows(table) => {
                self.given_text(spot, place);
                self.rows(spot, table);
            }
            Source::Date if spot.element.kind == "instant" => {
                self.problems
                    .push(Problem::new(place, format!("{} is an instant, and `date` gives no time", spot.name())));
            }
            Source::DateTime if spot.element.kind == "date" => {
                let message = format!("{} is a date, and `datetime` gives a time too", spot.name());
                self.problems.push(Problem::new(place, message).help("write `date`"));
            }
            Source::Date | Source::DateTime | Source::Text => self.given_text(spot, place),
        }
    }

    /// A text that only the message knows.
    fn given_text(&mut self, spot: Spot<'_>, place: Place) {
        match spot.element.json() {
            Some(Json::Text) => {}
            Some(_) => {
                let message =
                    format!("{} is {}, and an expression gives text", spot.name(), article(&spot.element.kind));
                self.problems.push(Problem::new(place, message));
            }
            None => self.report_kind(spot, place, "a text"),
        }
    }

    fn literal(&mut self, spot: Spot<'_>, place: Place, literal: &str) {
        if spot.element.json() != Some(Json::Text) {
            return self.report_kind(spot, place, "a text");
        }
        if let Some(problem) = self.forbidden(spot, place, literal) {
            self.problems.push(problem);
        }
        self.report_form(spot, place, literal);
    }

    /// Every row of a table whose texts become the element's value.
    fn rows(&mut self, spot: Spot<'_>, table: &super::super::table::LookupTable) {
        let name = self.names.tables.iter().find(|(_, known)| known.is(table)).map(|(name, _)| name);
        let rows = name.and_then(|name| self.tables?.get(name));
        let Some(Entry { item: Item { kind: Kind::Table(rows), .. }, .. }) = rows else { return };
        for row in &rows.entries {
            let Kind::Text(text) = &row.item.kind else { continue };
            if let Some(problem) = self.forbidden(spot, text.whole(), &text.text) {
                self.problems.push(problem);
            }
        }
    }

    fn forbidden(&self, spot: Spot<'_>, place: Place, text: &str) -> Option<Problem> {
        let codes = self.model.codes(spot.element)?;
        let allowed = text.is_empty() || codes.iter().any(|code| code == text);
        (!allowed).then(|| {
            let help = did_you_mean(text, codes.iter().map(String::as_str));
            Problem::new(place, format!("`{text}` is no code of {}", spot.name())).help(help)
        })
    }

    fn report_form(&mut self, spot: Spot<'_>, place: Place, text: &str) {
        let kind = &spot.element.kind;
        if let Some(expected) = literal::expected(kind, text).filter(|_| !text.is_empty()) {
            let message = format!("`{text}` is no {kind}, as {} has to be", spot.name());
            self.problems.push(Problem::new(place, message).help(expected));
        }
    }

    fn report_kind(&mut self, spot: Spot<'_>, place: Place, found: &str) {
        let Element { name, kind, .. } = spot.element;
        let help = match (spot.element.json(), kind.as_str()) {
            (Some(Json::Boolean), _) => "write true or false, without quotes".to_owned(),
            (Some(Json::Number), _) => "write a number, without quotes".to_owned(),
            (Some(Json::Text), _) => "write it in quotes".to_owned(),
            (None, "CodeableConcept") => format!("write {name}.text = …, or {name}.coding = [{{ … }}]"),
            (None, "Coding") => "write { system = …, code = … }, or use `map-to-code`".to_owned(),
            (None, "HumanName") => "write { family = …, given = [ … ] }, or use `name`".to_owned(),
            (None, "Identifier" | "Quantity" | "Age" | "Duration") => format!("write {name}.value = …"),
            (None, "Period") => format!("write {name}.start = …"),
            (None, "Reference") => format!("write {name}.reference = …"),
            (None, "Annotation") => "write { text = … }".to_owned(),
            (None, _) => format!("write [{}] and its elements", spot.way),
        };
        let message = format!("{} is {}, not {found}", spot.name(), article(kind));
        self.problems.push(Problem::new(place, message).help(help));
    }
}

/// The name of a type with its article; parts of a resource have no type of their own.
fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['A', 'E', 'I', 'a', 'e', 'i', 'o']) || kind.starts_with("un");
    match kind {
        part if part.contains('.') => "an object".to_owned(),
        other => format!("{} {other}", if vowel { "an" } else { "a" }),
    }
}

/// Whether it is the same in every message.
fn is_literal(kind: &Kind) -> bool {
    match kind {
        Kind::Scalar(_) => true,
        Kind::Text(text) => !text.text.contains("${"),
        Kind::Array(_) | Kind::Table(_) => false,
    }
}

fn is_empty_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text(text) if text.text.is_empty())
}
