//! `test`.

use super::{CASE, DESK, Site};
use crate::command_line::run;

/// The case, expecting what is not so.
fn wrong() -> String {
    CASE.replace("\"user\": \"*\"", "\"user\": \"nobody\"").replace("\"female\"", "\"male\"")
}

#[test]
fn the_shipped_mappings_pass_their_cases() {
    let (code, shown, errors) = run(&["test"]);
    assert_eq!(code, 0, "{shown}{errors}");
    assert!(shown.contains("vendors/acme-ris"), "{shown}");
}

#[test]
fn what_differs_is_shown_by_its_path_and_without_colours_where_nobody_sees_them() {
    let site = Site::new(&[("desk.toml", DESK), ("desk/cases/first.md", &wrong())]);
    let (code, said, errors) = site.run(&["test", "desk"]);
    assert_eq!((code, errors.as_str()), (1, ""));
    insta::assert_snapshot!(said);
}

#[test]
fn a_build_server_gets_a_report() {
    let site = Site::new(&[("desk.toml", DESK), ("desk/cases/first.md", &wrong()), ("desk/cases/second.md", CASE)]);
    let (code, ..) = site.run(&["test", "--junit", &site.path("report.xml")]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(site.anonymous(&site.read("report.xml")));
}

#[test]
fn update_rewrites_what_no_longer_holds_and_nothing_else() {
    let site = Site::new(&[("desk.toml", DESK), ("desk/cases/first.md", &wrong())]);
    let (code, said, errors) = site.run(&["test", "--update"]);
    assert_eq!(code, 1, "{said}");
    assert!(errors.contains("add --yes"), "{errors}");
    assert_eq!(site.read("desk/cases/first.md"), wrong());
    insta::assert_snapshot!(site.succeed(&["test", "--update", "--yes"]));
    assert_eq!(site.read("desk/cases/first.md"), CASE.replace("\"user\": \"*\"", "\"user\": \"mlindqv\""));
    site.succeed(&["test"]);
}

#[test]
fn update_gives_a_message_without_an_expectation_one() {
    let (message, _) = CASE.split_once("```json").unwrap();
    let site = Site::new(&[("desk.toml", DESK), ("desk/cases/first.md", message)]);
    site.succeed(&["test", "--update", "--yes"]);
    insta::assert_snapshot!(site.read("desk/cases/first.md"));
    site.succeed(&["test"]);
}

#[test]
fn what_cannot_be_rewritten_is_told_and_stays_a_failure() {
    let no_message = CASE.replace("MSH|", "MSX|");
    let site = Site::new(&[("desk.toml", DESK), ("desk/cases/first.md", &no_message)]);
    let (code, said, errors) = site.run(&["test", "--update", "--yes"]);
    assert_eq!(code, 1, "{said}");
    assert!(errors.contains("mend the cases by hand"), "{errors}");
    assert_eq!(site.read("desk/cases/first.md"), no_message);
}

#[test]
fn a_mapping_without_cases_and_a_name_that_is_none_are_told() {
    let site = Site::new(&[("desk.toml", DESK)]);
    let (code, _, errors) = site.run(&["test", "desk"]);
    assert_eq!(code, 1);
    assert!(errors.contains("SITE/desk/cases/*.md"), "{errors}");
    let (code, _, errors) = site.run(&["test", "dusk"]);
    assert_eq!(code, 1);
    assert!(errors.contains("there is no mapping `dusk`"), "{errors}");
}
