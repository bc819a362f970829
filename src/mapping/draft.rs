//! `mapping new`: a mapping to start from, guessed from sample messages of HL7 v2. Each guess says from which field it comes,
//! and what else was there.
//!
//! Shows values of the header and of status fields only: what names a person stands in the samples, not in the mapping.

mod cases;
mod events;
mod hl7v2;
mod toml;

use fhircast_gateway_adapter_api::{Fields, Grammar, Value};

use super::set::{Mapping, MappingSet};
use hl7v2::Candidate;

pub use cases::first_cases;

/// A sample message.
pub struct Sample<'s> {
    /// What it is called in what is written: its file's name may name a patient.
    pub number: usize,
    /// As text, segments on lines of their own.
    pub text: &'s str,
    /// As read.
    pub fields: &'s dyn Fields,
}

/// A mapping to start from.
pub struct Draft {
    /// The file.
    pub text: String,
    /// What was guessed, a line each, for whoever asked for it. May name users: it is for the terminal.
    pub guesses: Vec<String>,
}

/// The protocol of the messages that can be drafted from.
pub const PROTOCOL: &str = "hl7v2";

/// Guesses a mapping for `samples`, to lie beside those of `set`.
pub fn draft(set: &MappingSet, samples: &[Sample<'_>], grammar: &dyn Grammar) -> Draft {
    let drafter = Drafter { set, samples, grammar };
    let mut file = File::default();
    match drafter.spoken_for() {
        Some(mapping) => drafter.extend(mapping, &mut file),
        None => drafter.start(&mut file),
    }
    Draft { text: file.text, guesses: file.guesses }
}

/// The file as written so far, and what is told of it.
#[derive(Default)]
struct File {
    text: String,
    guesses: Vec<String>,
}

impl File {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment, in lines that can be read.
    fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&std::mem::replace(&mut line, String::from("#")));
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn guess(&mut self, what: &str, text: &str) {
        self.guesses.push(format!("{what:<12}{text}"));
    }
}

const WIDTH: usize = 118;

struct Drafter<'d> {
    set: &'d MappingSet,
    samples: &'d [Sample<'d>],
    grammar: &'d dyn Grammar,
}

impl Drafter<'_> {
    /// The value at `path` of a message.
    fn value(&self, fields: &dyn Fields, path: &str) -> Option<String> {
        match fields.first(&self.grammar.path(path).ok()?) {
            Value::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// The values at `path` of all samples, each once.
    fn values(&self, path: &str) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for value in self.samples.iter().filter_map(|sample| self.value(sample.fields, path)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// `ADT^A04`
    fn kind(&self, sample: &Sample<'_>) -> String {
        let parts = ["MSH-9.1", "MSH-9.2"].into_iter().filter_map(|path| self.value(sample.fields, path));
        parts.collect::<Vec<_>>().join("^")
    }

    /// The mapping that speaks for one of the samples already.
    fn spoken_for(&self) -> Option<&Mapping> {
        self.samples.iter().find_map(|sample| self.set.select(None, PROTOCOL, sample.fields))
    }

    /// A file that starts from the mapping that speaks for these messages already.
    fn extend(&self, mapping: &Mapping, file: &mut File) {
        let name = mapping.name();
        file.comment(&format!(
            "Made from samples. {name} speaks for such messages already, so this file starts from it: it has its events, its \
             session and its [accept], and what is written here adds to them or replaces them."
        ));
        file.line("");
        file.line(&format!("extends = {}", toml::string(name)));
        file.line("about   = \"Made from samples: say here what it is\"");
        file.guess("extends", &format!("{name}, which speaks for such messages already"));
        self.accept(file);
    }

    fn start(&self, file: &mut File) {
        file.comment("Made from samples. Everything here is a guess: keep what is right, and prove it by cases.");
        file.line("");
        self.base(file);
        self.accept(file);
        self.session(file);
        self.events(file);
        self.systems(file);
    }

    fn base(&self, file: &mut File) {
        let base = hl7v2::base(&self.values("MSH-9.1"), |path| !self.values(path).is_empty());
        for (convention, events) in self.conventions() {
            file.comment(&format!(
                "{convention} makes {events} of these samples: extend that instead, and leave out [[event]], if it is right."
            ));
        }
        file.line(&format!("extends = {}", toml::string(base)));
        file.line("about   = \"Made from samples: say here what it is\"");
        file.guess("extends", base);
        let offset = |time: &String| time.contains(['+', '-']);
        if self.values("MSH-7").iter().any(|time| !offset(time)) {
            file.line(
                "# zone  = \"Europe/Berlin\"   # the samples' times (MSH-7) tell no offset: name the sender's zone",
            );
        }
    }

    /// The conventions that would make events of the samples, and which.
    fn conventions(&self) -> Vec<(String, String)> {
        let candidates = self.set.mappings().filter(|it| it.protocol() == PROTOCOL && !it.speaks_by_itself());
        let events = |mapping: &Mapping| {
            let mut names: Vec<String> = Vec::new();
            for mapped in self.samples.iter().filter_map(|sample| mapping.apply(sample.fields).ok()) {
                names.extend(mapped.events.iter().map(|event| event.name.as_str().to_owned()));
            }
            names.sort();
            names.dedup();
            (!names.is_empty()).then(|| (mapping.name().to_owned(), names.join(", ")))
        };
        candidates.filter(|mapping| mapping.has_events()).filter_map(events).collect()
    }

    fn accept(&self, file: &mut File) {
        let sender = [("MSH-3.1", "sending application"), ("MSH-4.1", "sending facility")];
        let said: Vec<(String, &str)> =
            sender.iter().filter_map(|(path, is)| Some((toml::condition(path, &self.values(path))?, *is))).collect();
        file.line("");
        if said.is_empty() {
            file.comment("MSH-3 and MSH-4 of the samples are empty: name this mapping at its listener, with `adapter.NAME.mapping`.");
            file.guess("accept", "nothing, as MSH-3 and MSH-4 are empty: name the mapping at its listener");
            return;
        }
        let conditions: Vec<&str> = said.iter().map(|(condition, _)| condition.as_str()).collect();
        let names: Vec<&str> = said.iter().map(|(_, is)| *is).collect();
        file.comment(&format!("The samples' {}.", names.join(" and ")));
        file.line("[accept]");
        file.line(&format!("when = {}", toml::string(&conditions.join(" and "))));
        file.guess("accept", &conditions.join(" and "));
    }

    fn session(&self, file: &mut File) {
        file.line("");
        let own: Vec<String> = self.own_fields();
        let (users, workstations) = (self.filled(&hl7v2::USERS), self.filled(&hl7v2::WORKSTATIONS));
        let sure: Vec<&Candidate> = hl7v2::WORKSTATIONS[..hl7v2::SURE_WORKSTATIONS].iter().collect();
        let taken: Vec<&Candidate> =
            workstations.iter().copied().filter(|it| sure.iter().any(|sure| sure.path == it.path)).collect();
        file.comment(&format!("Who: {}.", listed(&users, "no field that could name the user has a value")));
        file.comment("ORC-12, OBR-16 and PV1-7 are never the user: those doctors sit elsewhere.");
        file.comment(&format!(
            "Where: {}.",
            listed(&workstations, "no field that could name the workstation has a value")
        ));
        if !own.is_empty() {
            file.comment(&format!(
                "Fields of the sender's own that have a value, and may say either, or what happens: {}.",
                whole_fields(&own).join(", ")
            ));
        }
        file.line("[session]");
        file.line(&session_line("user       ", &users, " | lower"));
        file.line(&session_line("workstation", &taken, ""));
        self.tell("user", &users, file);
        self.tell("workstation", &taken, file);
        for (index, field) in own.iter().enumerate() {
            let what = if index == 0 { "own fields" } else { "" };
            file.guess(what, &format!("{field}: {}", self.values(field).join(", ")));
        }
    }

    fn own_fields(&self) -> Vec<String> {
        let mut own: Vec<String> = self.samples.iter().flat_map(|sample| hl7v2::own_fields(sample.text)).collect();
        let mut seen = std::collections::BTreeSet::new();
        own.retain(|field| seen.insert(field.clone()));
        own
    }

    /// Those of `candidates` that have a value in any sample.
    fn filled(&self, candidates: &'static [Candidate]) -> Vec<&'static Candidate> {
        candidates.iter().filter(|candidate| !self.values(candidate.path).is_empty()).collect()
    }

    fn tell(&self, what: &str, candidates: &[&Candidate], file: &mut File) {
        for candidate in candidates {
            let values = self.values(candidate.path).join(", ");
            file.guess(what, &format!("{} ({}): {values}", candidate.path, candidate.is));
        }
        if candidates.is_empty() {
            file.guess(what, "no field says it: see the comment in the file");
        }
    }

    /// What the identifiers of the samples need that no message says.
    fn systems(&self, file: &mut File) {
        let authorities = self.authorities();
        if authorities.is_empty() {
            return;
        }
        file.line("");
        file.comment(
            "Who assigned the patients' numbers (PID-3.4); give each the system that your applications use for it.",
        );
        file.line("[table.authority]");
        for authority in authorities {
            file.line(&format!("# {} = \"http://hospital.example/patient-number\"", toml::key(&authority)));
        }
    }

    fn authorities(&self) -> Vec<String> {
        let Ok(path) = self.grammar.path("PID-3[*].4.1") else { return Vec::new() };
        let mut found: Vec<String> = Vec::new();
        for value in self.samples.iter().flat_map(|sample| sample.fields.all(&path)) {
            match value {
                Value::Text(text) if !found.iter().any(|it| *it == *text) && !text.chars().any(char::is_control) => {
                    found.push(text.into_owned());
                }
                _ => {}
            }
        }
        found
    }
}

/// `ORC-19.1 (action by), EVN-5.1 (operator) have values`
fn listed(candidates: &[&Candidate], none: &str) -> String {
    let names: Vec<String> = candidates.iter().map(|it| format!("{} ({})", it.path, it.is)).collect();
    match names.as_slice() {
        [] => none.to_owned(),
        [only] => format!("{only} has a value"),
        several => format!("{} have values", several.join(", ")),
    }
}

/// Fields without their components, each once.
fn whole_fields(fields: &[String]) -> Vec<&str> {
    let mut whole: Vec<&str> = fields.iter().map(|field| field.split('.').next().unwrap_or(field)).collect();
    whole.dedup();
    whole
}

/// The line of `[session]`; a comment where nothing is known.
fn session_line(key: &str, candidates: &[&Candidate], functions: &str) -> String {
    let paths: Vec<&str> = candidates.iter().map(|candidate| candidate.path).collect();
    match paths.as_slice() {
        [] => format!("# {key} = \"${{ZXX-1 | trim{functions}}}\""),
        [only] => format!("{key} = \"${{{only} | trim{functions}}}\""),
        several => format!("{key} = \"${{({}) | trim{functions}}}\"", several.join(" or ")),
    }
}
