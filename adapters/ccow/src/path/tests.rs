use proptest::prelude::*;

use super::*;

fn check(text: &str, canonical: &str) {
    let path = Ccow.path(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
    assert_eq!(path.text(), canonical, "{text}");
    assert_eq!(Ccow.path(canonical).unwrap(), path, "the canonical spelling reads back");
    assert_eq!(Ccow.path_length(text), text.len(), "{text}");
    assert!(Ccow.looks_like_path(text), "{text}");
}

fn refuse(text: &str, message: &str, suggestion: Option<&str>) {
    let error = Ccow.path(text).expect_err(text);
    assert!(error.message.contains(message), "{text}: {}", error.message);
    assert_eq!(error.suggestion.as_deref(), suggestion, "{text}");
    if let Some(suggestion) = suggestion {
        assert_eq!(Ccow.path(suggestion).unwrap().text(), suggestion);
    }
}

#[test]
fn section_9_paths_are_item_names_in_the_standards_spelling() {
    check("Patient.Id.MRN.General", "Patient.Id.MRN.General");
    check("patient.id.mrn.General", "Patient.Id.MRN.General");
    check("patient.id.mrn.*", "Patient.Id.MRN.*");
    check("Patient.Id.*", "Patient.Id.*");
    check("patient.co.patientname", "Patient.Co.PatientName");
    check("dicomstudy.id.instanceuid", "DICOMStudy.Id.InstanceUID");
    check("User.Id.Cpr.Number", "User.Id.Cpr.Number");
    check("Patient.Co.[vendor.example]Current_medications", "Patient.Co.[vendor.example]Current_medications");
    check("[vendor.example]Payer.Id", "[vendor.example]payer.Id");
    check("Patient", "Patient");
    check("Site.Id.Ward", "site.Id.Ward");
}

#[test]
fn changes_the_context_before_and_the_session_have_paths() {
    check("change.Patient", "change.Patient");
    check("change.dicomstudy", "change.DICOMStudy");
    check("before.patient.id.mrn.*", "before.Patient.Id.MRN.*");
    check("before.Patient", "before.Patient");
    check("session.clienthostname", "session.clientHostName");
    check("session.application", "session.application");
}

#[test]
fn relative_paths_read_the_present_item() {
    for path in [".value", ".name", ".suffix", ".1", ".4.2"] {
        check(path, path);
    }
    check(".04", ".4");
    for path in [".", ".0", ".x", ".1.0", ".1.2.3", ".99999", ".4.", ".Suffix"] {
        refuse(path, "a relative path is", None);
    }
}

#[test]
fn wrong_paths_are_refused_with_the_right_spelling() {
    refuse("Pateint.Id.MRN.a", "no subject", Some("Patient.Id.MRN.a"));
    refuse("Patient.MRN.a", "no role", None);
    refuse("Patient.*", "no role", Some("Patient.Id.*"));
    refuse("Patient.Id", "ends with its role", None);
    refuse("Patient.Id.MRN*", "last part alone", None);
    refuse("Patient.Id.*.a", "last part alone", None);
    refuse("Patient.Id.*.*", "last part alone", None);
    refuse("Patient.Id..a", "empty part", None);
    refuse("change.Patient.Id.MRN.a", "as a whole", Some("change.Patient"));
    refuse("change.Patient.Id.*", "as a whole", Some("change.Patient"));
    refuse("change.", "missing", None);
    refuse("before", "missing", None);
    refuse("session.aplication", "goes on with", Some("session.application"));
    refuse("session.", "goes on with", None);
    refuse("[vendor.example", "bracket", None);
    refuse("", "missing", None);
    refuse("Ward", "no subject", None);
}

#[test]
fn section_12_what_is_never_passed_on_has_no_path() {
    for path in [
        "Patient.Co.SSN",
        "patient.id.mrn.ssn",
        "before.Patient.Co.SSN",
        "Patient.Co.SSN.*",
        "User.Id.Logon.vistatoken",
    ] {
        refuse(path, "never passed on", None);
    }
}

#[test]
fn a_path_ends_where_the_expression_goes_on() {
    let check = |text: &str, path: &str| assert_eq!(&text[..Ccow.path_length(text)], path, "{text}");
    check("Patient.Id.MRN.* | first", "Patient.Id.MRN.*");
    check("Patient.Id.MRN.a|lower", "Patient.Id.MRN.a");
    check("change.Patient == \"set\"", "change.Patient");
    check("change.Patient==\"set\"", "change.Patient");
    check("Patient.Id.MRN.a) or", "Patient.Id.MRN.a");
    check("Patient.Co.[v.example]Name or", "Patient.Co.[v.example]Name");
    check("Patient in [\"a\"]", "Patient");
    check(".4.2}", ".4.2");
    check(" Patient", "");
}

#[test]
fn other_words_of_the_mapping_language_are_no_paths() {
    for word in ["lower", "v2-0203", "first", "patient", "\"Patient.Id\"", "", "12", "or", "SCT", "1.2.840"] {
        assert!(!Ccow.looks_like_path(word), "{word}");
    }
    for path in ["Patient.", "Patient.MRN", "pateint.Id.MRN", "before.x", "change.", "session.x", "[x", ".x"] {
        assert!(Ccow.looks_like_path(path), "{path}");
    }
}

#[test]
fn of_an_emptied_subject_nothing_is_left_but_what_was() {
    let path = |text: &str| Ccow.path(text).unwrap();
    let (change, mrn) = (path("change.Patient"), path("Patient.Id.MRN.*"));
    let reason = Ccow.never_has(&mrn, &[(&change, vec!["emptied"])]).unwrap();
    assert!(reason.contains("before.Patient.Id.MRN.*"), "{reason}");
    for (path, known) in [
        (mrn.clone(), vec![(&change, vec!["set", "emptied"])]),
        (mrn, vec![]),
        (path("before.Patient.Id.MRN.a"), vec![(&change, vec!["emptied"])]),
        (path("User.Id.Logon.ad"), vec![(&change, vec!["emptied"])]),
    ] {
        assert_eq!(Ccow.never_has(&path, &known), None, "{path:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Ccow.path(&text);
        let _ = Ccow.looks_like_path(&text);
        prop_assert!(text.get(..Ccow.path_length(&text)).is_some());
    }

    #[test]
    fn near_paths_do_not_panic_and_what_is_read_reads_back(text in "(before|change|session|Patient|User|\\[a\\.b\\]X|é)?(\\.(Id|co|MRN|\\*|\\[a\\.b\\]Y|4|é|value|desktop)?){0,4}") {
        match Ccow.path(&text) {
            Ok(path) => prop_assert_eq!(Ccow.path(path.text()), Ok(path)),
            Err(error) => prop_assert!(text.get(error.span).is_some()),
        }
    }
}
