//! `mapping diff`.

use serde_json::Value;

use super::{DESK, Site};

const MESSAGE: &str = "MSH|^~\\&|DESK|MAIN|||20260504081530||ADT^A04|1|P|2.3.1\nEVN|A04|20260504|||mlindqv\n\
                       PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n";

/// Two versions of one mapping, each in a directory of its own, and three messages.
fn site() -> Site {
    let newer = DESK
        .replace(
            "Patient-open\"\nwhen = 'MSH-9.2 == \"A04\"'",
            "Patient-open\"\nwhen = 'MSH-9.2 in [\"A04\", \"A05\"]'",
        )
        .replace("[accept]", "[context.patient]\ngender = \"\"\n\n[accept]");
    Site::new(&[
        ("old/desk.toml", DESK),
        ("new/desk.toml", &newer),
        ("messages/a.hl7", MESSAGE),
        ("messages/b.hl7", &MESSAGE.replace("A04", "A05")),
        ("messages/c.hl7", &MESSAGE.replace("A04", "A31")),
    ])
}

/// Runs it where the site has no mappings of its own.
fn diff(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let own = format!("mappings.directory={}", site.path("own"));
    site.run(&[&["--set", &own, "mapping", "diff"], arguments].concat())
}

#[test]
fn what_would_change_is_shown_for_each_message_and_summed_up() {
    let site = site();
    let messages = site.path("messages");
    let (code, said, errors) = diff(&site, &[&site.path("old"), &site.path("new"), &messages]);
    assert_eq!((code, errors.as_str()), (1, ""));
    insta::assert_snapshot!(said);
}

#[test]
fn where_nothing_would_change_the_exit_code_says_so() {
    let site = site();
    let messages = site.path("messages");
    let (code, said, _) = diff(&site, &[&site.path("old"), &site.path("old"), &messages]);
    assert_eq!((code, said.as_str()), (0, "3 messages: nothing would change\n"));
}

#[test]
fn mappings_of_one_directory_are_compared_by_name() {
    let other = DESK.replace("\"DESK\"", "\"OTHER\"");
    let site = Site::new(&[("a.toml", DESK), ("b.toml", &other), ("one.hl7", MESSAGE)]);
    let (code, said, _) = site.run(&["mapping", "diff", "a", "b", &site.path("one.hl7"), "--format", "json"]);
    assert_eq!(code, 1);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["summary"]["events_removed"], 1);
    assert_eq!(said["messages"][0]["message"], "SITE/one.hl7");
    assert_eq!(said["messages"][0]["changes"][0]["path"], "accepted");
}

#[test]
fn a_listeners_mapping_is_compared_in_two_directories() {
    let unbound = |text: &str| text.replace("[accept]\nwhen = 'MSH-3.1 == \"DESK\"'\n", "");
    let (old, new) = (unbound(DESK), unbound(DESK).replace("EVN-5.1", "EVN-5.2"));
    let site = Site::new(&[("old/desk.toml", &old), ("new/desk.toml", &new), ("one.hl7", MESSAGE)]);
    let (from, to, message) = (site.path("old"), site.path("new"), site.path("one.hl7"));
    let (code, said, _) = site.run(&["mapping", "diff", &from, &to, &message, "--mapping", "desk"]);
    assert_eq!(code, 1);
    assert!(said.contains("- session.user  \"mlindqv\""), "{said}");
}

#[test]
fn what_is_neither_a_mapping_nor_a_directory_is_told() {
    let site = site();
    let (code, _, errors) = diff(&site, &["dusk", "hl7v2/patient", &site.path("messages")]);
    assert_eq!(code, 1);
    assert!(errors.contains("there is no mapping and no directory `dusk`"), "{errors}");
}
