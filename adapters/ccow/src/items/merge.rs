//! What becomes of a context when a transaction ends: whole subjects are replaced, and those that depend on them follow.
//! Section 5.

use std::collections::BTreeSet;

use super::{Item, Items, Role, Subject};
use crate::exception::{Exception, ExceptionName};

/// A context that a transaction proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// All items, none of them empty.
    pub items: Items,
    /// What the transaction touched: set items, and the identifiers of emptied subjects with nothing in them.
    pub changes: Items,
    /// The subjects that were set or emptied.
    pub changed: BTreeSet<Subject>,
}

/// The context that `pending` makes of `current`: touched subjects are replaced whole, all others stay, and what depended
/// on a subject that is another now, or gone, goes unless it was set as well.
///
/// # Errors
/// [`ExceptionName::InvalidTransaction`]: a subject would have no identifier, or lack the one that it depends on.
pub fn merge(current: &Items, pending: &Items) -> Result<Merged, Exception> {
    let touched: BTreeSet<Subject> = pending.subjects().into_iter().cloned().collect();
    let mut merged = Merged { changed: touched.clone(), ..Merged::default() };
    for subject in &touched {
        replace(pending, current, subject, &mut merged)?;
    }
    for subject in current.subjects() {
        if touched.contains(subject) {
            continue;
        }
        if subject.parent().is_some_and(|parent| touched.contains(&parent) && !is_same(current, &merged.items, &parent))
        {
            merged.changed.insert(subject.clone());
            empty(current, subject, &mut merged.changes);
        } else {
            current.of(subject).for_each(|item| merged.items.set(item.name.clone(), item.value.clone()));
        }
    }
    for subject in merged.items.subjects() {
        if let Some(parent) = subject.parent().filter(|parent| !merged.items.has(parent)) {
            return Err(invalid(format!("{subject:?} cannot be set while there is no {parent:?}")));
        }
    }
    Ok(merged)
}

/// Puts into `merged` what `pending` says of `subject`.
fn replace(pending: &Items, current: &Items, subject: &Subject, merged: &mut Merged) -> Result<(), Exception> {
    let filled = |item: &&Item| !item.value.trim().is_empty();
    let is_identifier = |item: &&Item| item.name.role() == Role::Identifier;
    if !pending.of(subject).filter(is_identifier).any(|item| filled(&item)) {
        let says_nothing =
            pending.of(subject).find(is_identifier).is_none() && pending.of(subject).any(|item| filled(&item));
        if says_nothing && subject.is_identity() {
            return Err(invalid(format!("{subject:?} is set without an identifier: it needs an Id item")));
        }
        if !says_nothing {
            empty(pending, subject, &mut merged.changes);
            empty(current, subject, &mut merged.changes);
            return Ok(());
        }
    }
    for Item { name, value } in pending.of(subject) {
        merged.changes.set(name.clone(), value.clone());
        if !value.trim().is_empty() {
            merged.items.set(name.clone(), value.clone());
        }
    }
    Ok(())
}

/// The identifiers that `items` has of `subject`, with nothing in them.
fn empty(items: &Items, subject: &Subject, changes: &mut Items) {
    for item in items.of(subject).filter(|item| item.name.role() == Role::Identifier) {
        changes.set(item.name.clone(), String::new());
    }
}

/// Whether `subject` is the same in both, as its identifiers say; what merely corroborates does not count. Section 10.
pub(crate) fn is_same(one: &Items, other: &Items, subject: &Subject) -> bool {
    identity(one, subject) == identity(other, subject)
}

fn identity(items: &Items, subject: &Subject) -> BTreeSet<(String, String)> {
    let comparable = |item: &Item| {
        let value = item.value.trim();
        if item.name.value_has_case() { value.to_owned() } else { value.to_lowercase() }
    };
    let identifiers = items.of(subject).filter(|item| item.name.role() == Role::Identifier);
    identifiers.map(|item| (item.name.key().to_owned(), comparable(item))).collect()
}

fn invalid(message: String) -> Exception {
    Exception::new(ExceptionName::InvalidTransaction, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{items, lines};
    use super::*;

    const ANN: [&str; 3] = ["Patient.Id.MRN.a=1", "Patient.Co.PatientName=EXAMPLE^ANN", "Patient.Co.Sex=F"];

    fn check(current: &[&str], pending: &[&str], expected: &[&str], changed: &[&str]) -> Merged {
        let merged = merge(&items(current), &items(pending)).unwrap();
        let mut found = lines(&merged.items);
        found.sort();
        assert_eq!(found, expected, "{current:?} {pending:?}");
        assert_eq!(merged.changed.iter().map(Subject::key).collect::<Vec<_>>(), changed, "{current:?} {pending:?}");
        merged
    }

    #[test]
    fn section_5_touched_subjects_are_replaced_whole_and_others_stay() {
        check(
            &[ANN[0], ANN[1], ANN[2], "User.Id.Logon.ad=ann"],
            &["patient.id.mrn.a=2"],
            &["User.Id.Logon.ad=ann", "patient.id.mrn.a=2"],
            &["patient"],
        );
    }

    #[test]
    fn section_5_a_subject_whose_identifiers_are_all_empty_is_removed() {
        let merged = check(&ANN, &["Patient.Id.MRN.b=", "Patient.Co.Sex=F"], &[], &["patient"]);
        assert_eq!(lines(&merged.changes), ["Patient.Id.MRN.b=", "Patient.Id.MRN.a="]);
        check(&[], &["User.Id.Logon.ad= "], &[], &["user"]);
    }

    #[test]
    fn section_5_one_filled_identifier_is_enough_and_empty_items_are_absent() {
        check(
            &[],
            &["Patient.Id.MRN.a=", "Patient.Id.MRN.b=2", "Patient.Co.Sex="],
            &["Patient.Id.MRN.b=2"],
            &["patient"],
        );
    }

    #[test]
    fn section_5_dependent_subjects_go_with_their_patient() {
        let current = [ANN[0], "Encounter.Id.VisitNumber.a=7", "DICOMStudy.Id.InstanceUID=1.2", "User.Id.Logon.ad=ann"];
        let all = ["dicomstudy", "encounter", "patient"];
        let merged = check(&current, &["Patient.Id.MRN.a=2"], &["Patient.Id.MRN.a=2", "User.Id.Logon.ad=ann"], &all);
        let mut changes = lines(&merged.changes);
        changes.sort();
        assert_eq!(changes, ["DICOMStudy.Id.InstanceUID=", "Encounter.Id.VisitNumber.a=", "Patient.Id.MRN.a=2"]);
        check(&current, &["Patient.Id.MRN.a="], &["User.Id.Logon.ad=ann"], &all);
    }

    #[test]
    fn section_5_dependent_subjects_stay_with_the_same_patient_and_when_set_beside_another() {
        let current = [ANN[0], "Encounter.Id.VisitNumber.a=7"];
        check(&current, &["patient.id.mrn.A=1"], &["Encounter.Id.VisitNumber.a=7", "patient.id.mrn.A=1"], &["patient"]);
        check(
            &current,
            &["Patient.Id.MRN.a=2", "Encounter.Id.VisitNumber.a=8"],
            &["Encounter.Id.VisitNumber.a=8", "Patient.Id.MRN.a=2"],
            &["encounter", "patient"],
        );
        check(&current, &["Encounter.Id.VisitNumber.a=8"], &["Encounter.Id.VisitNumber.a=8", ANN[0]], &["encounter"]);
    }

    #[test]
    fn section_9_logon_names_have_case_and_other_values_none() {
        let current =
            ["User.Id.Logon.ad=ann", "Certificate.An.x=y", "Patient.Id.MRN.a=ab", "Encounter.Id.VisitNumber.a=7"];
        check(
            &current,
            &["User.Id.Logon.ad=Ann", "Patient.Id.MRN.a=AB"],
            &["Encounter.Id.VisitNumber.a=7", "Patient.Id.MRN.a=AB", "User.Id.Logon.ad=Ann"],
            &["certificate", "patient", "user"],
        );
    }

    #[test]
    fn section_8_contexts_that_cannot_be_are_refused() {
        let refuse = |current: &[&str], pending: &[&str]| {
            let exception = merge(&items(current), &items(pending)).unwrap_err();
            assert_eq!(exception.name, ExceptionName::InvalidTransaction, "{pending:?}");
        };
        refuse(&[], &["Encounter.Id.VisitNumber.a=7"]);
        refuse(&[ANN[0]], &["Patient.Id.MRN.a=", "Encounter.Id.VisitNumber.a=7"]);
        refuse(&[], &["Patient.Co.PatientName=EXAMPLE^ANN"]);
        refuse(&[], &["Certificate.An.x=y"]);
    }

    #[test]
    fn a_custom_subject_needs_no_identifier() {
        check(&[], &["[v.example]Payer.Co.Name=A"], &["[v.example]Payer.Co.Name=A"], &["[v.example]payer"]);
    }

    fn some_items() -> impl Strategy<Value = Items> {
        let name = prop::sample::select(vec![
            "Patient.Id.MRN.a",
            "Patient.Id.MRN.b",
            "Patient.Co.Sex",
            "User.Id.Logon.a",
            "Encounter.Id.VisitNumber.a",
            "DICOMStudy.Id.InstanceUID",
            "Certificate.An.x",
            "[v]P.Id",
        ]);
        prop::collection::vec((name, "[12]?"), 0..6).prop_map(|pairs| {
            items(
                &pairs
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            )
        })
    }

    proptest! {
        #[test]
        fn a_merged_context_is_whole_and_says_all_that_changed(first in some_items(), second in some_items()) {
            let Ok(Merged { items: current, .. }) = merge(&Items::default(), &first) else { return Ok(()) };
            let Ok(merged) = merge(&current, &second) else { return Ok(()) };
            for item in merged.items.iter() {
                prop_assert!(!item.value.is_empty());
                prop_assert!(item.name.subject().parent().is_none_or(|parent| merged.items.has(&parent)));
            }
            for subject in current.subjects().into_iter().chain(merged.items.subjects()) {
                let same = current.of(subject).eq(merged.items.of(subject));
                prop_assert!(same || merged.changed.contains(subject), "{subject:?}");
                prop_assert!(merged.changed.contains(subject) || !second.has(subject));
            }
            // What was set is what is there.
            for item in second.iter().filter(|item| !item.value.is_empty()) {
                let kept = merged.items.item(&item.name).map(|item| &item.value);
                prop_assert!(kept.is_none_or(|value| *value == item.value));
            }
            // The same change again is taken again, and changes nothing but the coupon.
            let again = merge(&merged.items, &second).unwrap();
            for subject in merged.items.subjects() {
                prop_assert!(is_same(&merged.items, &again.items, subject));
            }
        }
    }
}
