//! A committed change as a message: what the context was, what it is, and who changed it. Sections 9 and 11.
//!
//! Its text, as it stands in the journal and as an analyst writes a sample, is a line for each path that has a value:
//!
//! ```text
//! # lines that start with # say nothing
//! session.application=AppA
//! change.Patient=set
//! before.Patient.Id.MRN.General=11111
//! Patient.Id.MRN.General=12345
//! Patient.Co.PatientName=EXAMPLE^ANN MARY^^^^
//! ```
//!
//! Where no line says what changed, it is told from the two contexts. Line ends and per cent signs inside values are written
//! `%0A`, `%0D` and `%25`. What is never passed on (section 12) stands in no commit.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fhircast_gateway_adapter_api::{Fields, Inbound, Path, Value};

use crate::items::{Item, ItemName, Items, Subject};
use crate::path::{ContextPath, EMPTIED, Relative, SESSION_WORDS, SET, What};

/// A change of context that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    before: Items,
    after: Items,
    changed: BTreeSet<Subject>,
    /// By word, of those that paths know.
    session: Vec<(&'static str, String)>,
}

/// A text that is no commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CommitError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, without any value.
    pub reason: String,
}

impl Commit {
    /// The change from one context to another, which was of these subjects. `session` are words that paths know.
    pub fn new(
        before: &Items,
        after: &Items,
        changed: BTreeSet<Subject>,
        session: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let passed_on = |items: &Items| items.iter().filter(|item| !item.name.is_withheld()).cloned().collect();
        let session = session.into_iter().filter(|(word, value)| SESSION_WORDS.contains(word) && !value.is_empty());
        Self { before: passed_on(before), after: passed_on(after), changed, session: session.collect() }
    }

    /// Reads its text.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn read(text: &str) -> Result<Self, CommitError> {
        let (mut commit, mut says_changes) = (Self::default(), false);
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |reason: String| CommitError { line: index + 1, reason };
            let (path, value) = line.split_once('=').ok_or_else(|| error("it is not path=value".to_owned()))?;
            commit.line(path.trim(), unescape(value), &mut says_changes).map_err(error)?;
        }
        if !says_changes {
            commit.changed = commit.differing();
        }
        Ok(commit)
    }

    fn line(&mut self, path: &str, value: String, says_changes: &mut bool) -> Result<(), String> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        if first.eq_ignore_ascii_case("session") {
            let word = SESSION_WORDS.iter().find(|word| word.eq_ignore_ascii_case(rest));
            self.session.push((word.ok_or("there is no such word about a session")?, value));
            return Ok(());
        }
        if first.eq_ignore_ascii_case("change") {
            *says_changes = true;
            self.changed.insert(Subject::parse(rest).ok_or("it names no subject")?);
            return Ok(());
        }
        let (items, name) = match first.eq_ignore_ascii_case("before") {
            true => (&mut self.before, rest),
            false => (&mut self.after, path),
        };
        let name = ItemName::parse(name).map_err(|exception| exception.message)?;
        if !name.is_withheld() {
            items.set(name, value);
        }
        Ok(())
    }

    fn differing(&self) -> BTreeSet<Subject> {
        let all = self.before.subjects().into_iter().chain(self.after.subjects());
        all.filter(|subject| !self.before.of(subject).eq(self.after.of(subject))).cloned().collect()
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |path: String, value: &str| {
            text.push_str(&path);
            text.push('=');
            text.push_str(&escape(value));
            text.push('\n');
        };
        self.session.iter().for_each(|(word, value)| line(format!("session.{word}"), value));
        self.changed.iter().for_each(|subject| line(format!("change.{}", subject.text()), self.change(subject)));
        self.before.iter().for_each(|item| line(format!("before.{}", item.name.text()), &item.value));
        self.after.iter().for_each(|item| line(item.name.text().to_owned(), &item.value));
        text
    }

    /// What the gateway's sink takes, from the adapter called `source`. Commits have no identifier of the peer's, so none is
    /// ever a duplicate of another.
    pub fn inbound(self, source: &Arc<str>) -> Inbound {
        let raw = Bytes::from(self.text());
        let application = self.session_word("application").unwrap_or_default().to_owned();
        Inbound {
            source: Arc::clone(source),
            sender: application,
            control_id: String::new(),
            kind: "PublishChangesDecision".to_owned(),
            fields: Arc::new(self),
            raw,
        }
    }

    fn change(&self, subject: &Subject) -> &'static str {
        if self.after.has(subject) { SET } else { EMPTIED }
    }

    fn session_word(&self, word: &str) -> Option<&str> {
        self.session.iter().find(|(own, _)| *own == word).map(|(_, value)| &**value)
    }

    fn items<'m>(&'m self, before: bool, what: &What) -> Vec<&'m Item> {
        let items = if before { &self.before } else { &self.after };
        match what {
            What::Item(key) => items.iter().filter(|item| item.name.key() == key).collect(),
            What::Items(start, _) => items.iter().filter(|item| item.name.key().starts_with(start.as_str())).collect(),
            What::Subject(_) => Vec::new(),
        }
    }

    fn values<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        let found = match path.compiled::<ContextPath>() {
            None | Some(ContextPath::Relative(_)) => Vec::new(),
            Some(ContextPath::Change(subject)) => {
                self.changed.contains(subject).then(|| text(self.change(subject))).into_iter().collect()
            }
            Some(ContextPath::Session(word)) => self.session_word(word).map(text).into_iter().collect(),
            Some(ContextPath::Context { before, what: What::Subject(subject) }) => {
                let items = if *before { &self.before } else { &self.after };
                items.has(subject).then(|| Value::Text(Cow::Owned(subject.text().to_owned()))).into_iter().collect()
            }
            Some(ContextPath::Context { before, what }) => {
                self.items(*before, what).into_iter().map(|item| text(&item.value)).collect()
            }
        };
        found.into_iter().filter(|value| *value != Value::Absent).collect()
    }
}

impl Fields for Commit {
    fn first<'m>(&'m self, path: &Path) -> Value<'m> {
        self.values(path).into_iter().next().unwrap_or(Value::Absent)
    }

    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        self.values(path)
    }

    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        let Some(ContextPath::Context { before, what }) = path.compiled() else { return Vec::new() };
        let filled = self.items(*before, what).into_iter().filter(|item| !item.value.is_empty());
        filled.map(|item| Box::new(Part { commit: self, item }) as Box<dyn Fields + 'm>).collect()
    }
}

/// A commit, seen from one of its items.
struct Part<'m> {
    commit: &'m Commit,
    item: &'m Item,
}

impl<'m> Part<'m> {
    fn relative(&self, relative: Relative) -> Value<'m> {
        match relative {
            Relative::Name => text(self.item.name.text()),
            Relative::Suffix => text(self.item.name.suffix()),
            Relative::Value => text(&self.item.value),
            Relative::Component(component, below) => {
                let nth = |value: &'m str, separator, number: u16| value.split(separator).nth(usize::from(number) - 1);
                let component = nth(&self.item.value, '^', component).unwrap_or_default();
                text(nth(component, '&', below.unwrap_or(1)).unwrap_or_default())
            }
        }
    }
}

impl Fields for Part<'_> {
    fn first<'m>(&'m self, path: &Path) -> Value<'m> {
        match path.compiled() {
            Some(ContextPath::Relative(relative)) => self.relative(*relative),
            _ => self.commit.first(path),
        }
    }

    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        match path.compiled() {
            Some(ContextPath::Relative(relative)) => {
                Some(self.relative(*relative)).into_iter().filter(|value| *value != Value::Absent).collect()
            }
            _ => self.commit.all(path),
        }
    }

    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        match path.compiled() {
            // The present item again.
            Some(ContextPath::Relative(_)) if self.first(path) != Value::Absent => {
                vec![Box::new(Part { commit: self.commit, item: self.item })]
            }
            _ => self.commit.each(path),
        }
    }
}

fn text(value: &str) -> Value<'_> {
    if value.is_empty() { Value::Absent } else { Value::Text(Cow::Borrowed(value)) }
}

fn escape(value: &str) -> String {
    value.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D")
}

fn unescape(value: &str) -> String {
    value.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use fhircast_gateway_adapter_api::Grammar as _;
    use proptest::prelude::*;

    use super::*;
    use crate::path::Ccow;

    const SAMPLE: &str = "# a nurse goes from one patient to another\n\
        session.application=AppA\n\
        session.clientHostName=WS-0001\n\
        before.Patient.Id.MRN.General=11111\n\
        before.Encounter.Id.VisitNumber.General=7\n\
        \n\
        Patient.Id.MRN.General=12345\n\
        patient.id.mrn.Clinic=C-9\n\
        Patient.Id.IdList.1=0000000000^^^CPR&1.2.3&ISO^PI\n\
        Patient.Co.PatientName=EXAMPLE^ANN MARY^^^^\n\
        Patient.Co.SSN=CANARY\n\
        user.id.logon.ad=Ann\n\
        before.User.Id.Logon.ad=Ann\n";

    fn path(text: &str) -> Path {
        Ccow.path(text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
    }

    /// Told by hand: nothing that is printed of a value by itself shows it.
    fn text_of(value: Value<'_>) -> String {
        match value {
            Value::Absent => "(absent)".to_owned(),
            Value::Deleted => "(deleted)".to_owned(),
            Value::Text(text) => text.into_owned(),
        }
    }

    fn check(fields: &dyn Fields, text: &str, expected: &[&str]) {
        let found: Vec<String> = fields.all(&path(text)).into_iter().map(text_of).collect();
        assert_eq!(found, expected, "{text}");
        let first = expected.first().copied().unwrap_or("(absent)");
        assert_eq!(text_of(fields.first(&path(text))), first, "{text}");
    }

    #[test]
    fn section_9_all_items_have_paths() {
        let commit = Commit::read(SAMPLE).unwrap();
        check(&commit, "Patient.Id.MRN.GENERAL", &["12345"]);
        check(&commit, "Patient.Id.MRN.*", &["12345", "C-9"]);
        check(&commit, "Patient.Id.*", &["12345", "C-9", "0000000000^^^CPR&1.2.3&ISO^PI"]);
        check(&commit, "Patient.Id.MPI", &[]);
        check(&commit, "Patient", &["Patient"]);
        check(&commit, "Encounter", &[]);
        check(&commit, "before.Encounter", &["Encounter"]);
        check(&commit, "before.Patient.Id.MRN.*", &["11111"]);
        check(&commit, "session.application", &["AppA"]);
        check(&commit, "session.clientHostName", &["WS-0001"]);
        check(&commit, "session.desktop", &[]);
        check(&commit, ".value", &[]);
    }

    #[test]
    fn section_11_changes_are_told_by_subject() {
        let commit = Commit::read(SAMPLE).unwrap();
        check(&commit, "change.Patient", &["set"]);
        check(&commit, "change.Encounter", &["emptied"]);
        check(&commit, "change.User", &[]);
        let said =
            Commit::read("change.Patient=set\nbefore.Patient.Id.MPI=1\nPatient.Id.MPI=1\nUser.Id.Logon.a=b").unwrap();
        check(&said, "change.Patient", &["set"]);
        check(&said, "change.User", &[]);
    }

    #[test]
    fn each_goes_through_items_with_suffix_and_components() {
        let commit = Commit::read(SAMPLE).unwrap();
        let suffixes: Vec<String> = commit
            .each(&path("Patient.Id.MRN.*"))
            .iter()
            .map(|part| format!("{} {}", text_of(part.first(&path(".suffix"))), text_of(part.first(&path(".value")))))
            .collect();
        assert_eq!(suffixes, ["General 12345", "Clinic C-9"]);
        let parts = commit.each(&path("Patient.Id.IdList.*"));
        let [part] = &parts[..] else { panic!() };
        for (text, expected) in
            [(".1", "0000000000"), (".4", "CPR"), (".4.2", "1.2.3"), (".5", "PI"), (".name", "Patient.Id.IdList.1")]
        {
            check(&**part, text, &[expected]);
        }
        for text in [".2", ".9", ".5.2"] {
            check(&**part, text, &[]);
        }
        check(&**part, "session.application", &["AppA"]);
        assert_eq!(part.each(&path(".4")).len(), 1);
        assert!(commit.each(&path("Patient")).is_empty());
        assert!(commit.each(&path("Patient.Id.MPI")).is_empty());
    }

    #[test]
    fn section_12_what_is_never_passed_on_is_in_no_commit() {
        assert!(!Commit::read(SAMPLE).unwrap().text().contains("CANARY"));
        let items: Items =
            [("Patient.Co.SSN", "CANARY"), ("User.Id.Logon.vistatoken", "CANARY"), ("User.Id.Logon.a", "b")]
                .map(|(name, value)| Item { name: ItemName::parse(name).unwrap(), value: value.to_owned() })
                .into_iter()
                .collect();
        let inbound = Commit::new(&items, &items, BTreeSet::new(), []).inbound(&"ccow".into());
        let raw = String::from_utf8(inbound.raw.to_vec()).unwrap();
        assert!(!raw.contains("CANARY") && raw.contains("User.Id.Logon.a=b"), "{raw}");
    }

    #[test]
    fn lines_that_cannot_be_read_are_named() {
        for (text, line) in
            [("x", 1), ("\nPatient.MRN=1", 2), ("session.what=1", 1), ("change.=set", 1), ("before=1", 1)]
        {
            assert_eq!(Commit::read(text).unwrap_err().line, line, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_commits_text_reads_back(values in prop::collection::vec("[^\0]{1,12}|[%\r\n0-9A=#]{1,6}", 1..5), before in "\\PC{1,8}") {
            let names = ["Patient.Id.MRN.a", "Patient.Co.Sex", "Encounter.Id.VisitNumber.x", "User.Id.Logon.b"];
            let item = |(name, value): (&&str, &String)| Item { name: ItemName::parse(name).unwrap(), value: value.clone() };
            let after: Items = names.iter().zip(&values).map(item).collect();
            let old: Items = names.iter().zip([&before]).map(item).collect();
            let mut commit = Commit::new(&old, &after, BTreeSet::new(), [("application", before.clone())]);
            commit.changed = commit.differing();
            prop_assert_eq!(Commit::read(&commit.text()).unwrap(), commit);
        }

        #[test]
        fn no_text_panics(text in "(session|change|before|Patient|=|\\.|Id|a|\n|\\PC){0,24}") {
            let _ = Commit::read(&text);
        }
    }
}
