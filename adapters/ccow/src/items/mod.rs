//! The items of a context: their names, the subjects that they belong to, and how a change of some makes a new context of
//! all. Sections 5 and 9.
//!
//! Knows no participant, no coupon, no wire.

mod merge;
mod name;
mod subject;

use indexmap::IndexMap;

pub use merge::{Merged, merge};
pub use name::{ItemName, Role};
pub(crate) use name::{ROLES, parts, undescribed};
pub(crate) use subject::STANDARD;
pub use subject::Subject;

/// Items by name, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items(IndexMap<String, Item>);

/// One item.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name, as first spelt.
    pub name: ItemName,
    /// Its value; empty where it says that there is none.
    pub value: String,
}

/// A value may be a patient's, so it stays out of logs.
impl std::fmt::Debug for Item {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}=[phi]", self.name.text())
    }
}

impl Items {
    /// The items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.values()
    }

    /// The items of one subject, in order.
    pub fn of<'i>(&'i self, subject: &'i Subject) -> impl Iterator<Item = &'i Item> {
        self.iter().filter(move |item| item.name.subject() == subject)
    }

    /// The item of this name, in any case.
    pub fn item(&self, name: &ItemName) -> Option<&Item> {
        self.0.get(name.key())
    }

    /// Whether anything is set of `subject`.
    pub fn has(&self, subject: &Subject) -> bool {
        self.of(subject).next().is_some()
    }

    /// Every subject once, in order.
    pub fn subjects(&self) -> Vec<&Subject> {
        let mut subjects: Vec<&Subject> = Vec::new();
        for item in self.iter() {
            if !subjects.contains(&item.name.subject()) {
                subjects.push(item.name.subject());
            }
        }
        subjects
    }

    /// The items that are asked for by name or, with a `*` at its end, by how their names start; each once, in the order
    /// in which they are asked for. What nobody has set is left out. Section 4, reading rules.
    pub fn matching<'i>(&'i self, requested: &[&str]) -> Vec<&'i Item> {
        let mut found: IndexMap<&str, &Item> = IndexMap::new();
        for request in requested {
            let request = request.to_ascii_lowercase();
            match request.strip_suffix('*') {
                Some(start) => {
                    found.extend(
                        self.0.iter().filter(|(key, _)| key.starts_with(start)).map(|(key, item)| (&**key, item)),
                    );
                }
                None => {
                    let key = ItemName::parse(&request).map_or(request, |name| name.key().to_owned());
                    found.extend(self.0.get_key_value(&key).map(|(key, item)| (&**key, item)));
                }
            }
        }
        found.into_values().collect()
    }

    /// Sets an item; its first spelling stays.
    pub fn set(&mut self, name: ItemName, value: String) {
        match self.0.get_mut(name.key()) {
            Some(item) => item.value = value,
            None => drop(self.0.insert(name.key().to_owned(), Item { name, value })),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all names and values.
    pub fn size(&self) -> usize {
        self.iter().map(|item| item.name.text().len() + item.value.len()).sum()
    }
}

impl FromIterator<Item> for Items {
    fn from_iter<T: IntoIterator<Item = Item>>(items: T) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|Item { name, value }| all.set(name, value));
        all
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Items from lines of `name=value`.
    pub(crate) fn items(lines: &[&str]) -> Items {
        let item = |line: &&str| {
            let (name, value) = line.split_once('=').unwrap();
            Item { name: ItemName::parse(name).unwrap(), value: value.to_owned() }
        };
        lines.iter().map(item).collect()
    }

    pub(crate) fn lines(items: &Items) -> Vec<String> {
        items.iter().map(|item| format!("{}={}", item.name.text(), item.value)).collect()
    }

    #[test]
    fn section_4_items_are_asked_for_by_name_or_start_in_any_case() {
        let items = items(&["patient.id.mrn.site1=12345", "Patient.Co.Sex=F", "User.Id.Logon.ad=ann"]);
        let check = |requested: &[&str], expected: &[&str]| {
            let found: Vec<&str> = items.matching(requested).iter().map(|item| item.name.text()).collect();
            assert_eq!(found, expected, "{requested:?}");
        };
        check(&["Patient.Id.MRN.Site1"], &["patient.id.mrn.site1"]);
        check(&["Patient.*"], &["patient.id.mrn.site1", "Patient.Co.Sex"]);
        check(&["USER.*", "patient.co.*"], &["User.Id.Logon.ad", "Patient.Co.Sex"]);
        check(&["Patient.Co.Sex", "Patient.*"], &["Patient.Co.Sex", "patient.id.mrn.site1"]);
        check(&["*"], &["patient.id.mrn.site1", "Patient.Co.Sex", "User.Id.Logon.ad"]);
        check(&["Patient.Id.MRN", "nonsense", ""], &[]);
        check(&[], &[]);
    }

    #[test]
    fn section_9_the_first_spelling_stays() {
        let items = items(&["patient.co.sex=F", "Patient.Co.Sex=M"]);
        assert_eq!(lines(&items), ["patient.co.sex=M"]);
    }

    #[test]
    fn values_stay_out_of_logs() {
        let text = format!("{:?}", items(&["Patient.Id.MRN.site1=CANARY"]));
        assert!(!text.contains("CANARY") && text.contains("Patient.Id.MRN.site1"), "{text}");
    }
}
