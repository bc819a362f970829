//! Tables from CSV files, in whole mappings.

use super::testing::{Note, load};

const USERS: &str = "from,to\njdoe,drjones\nmlin,drlin\n";

/// Extends nothing; its users stand in `site/users.csv`.
const BASE: &str = r#"
protocol = "notes"
[session]
user = "${USER | lookup users}"
[table]
users = "site/users.csv"
"#;

/// The user of a message of `user`, by the mapping `child` that extends [`BASE`].
fn user(child: &str, user: &str) -> Option<String> {
    let files = [
        ("base", BASE),
        ("vendors/child", &format!("extends = \"base\"\n{child}")),
        ("site/users.csv", USERS),
        ("vendors/users.csv", "from,to\njdoe,drdoe\n"),
    ];
    let set = load(&files).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let outcome = set.mapping("vendors/child").unwrap().outcome(&Note::new(&format!("USER: {user}")));
    outcome["session"]["user"].as_str().map(str::to_owned)
}

#[test]
fn a_file_stands_for_a_table_and_children_add_to_it_or_replace_it() {
    for (child, name, expected) in [
        ("", "jdoe", Some("drjones")),
        ("", "other", None),
        ("[table.users]\nother = 'drother'", "other", Some("drother")),
        ("[table.users]\nother = 'drother'", "mlin", Some("drlin")),
        ("[table.users]\njdoe = 'drnew'", "jdoe", Some("drnew")),
        ("[table]\nusers = 'users.csv'", "jdoe", Some("drdoe")),
        ("[table]\nusers = 'users.csv'", "mlin", None),
        ("[table]\nusers = '../site/users.csv'", "mlin", Some("drlin")),
    ] {
        assert_eq!(user(child, name).as_deref(), expected, "{name}: {child}");
    }
}

#[test]
fn a_merged_table_shows_the_line_of_the_file_that_each_row_comes_from() {
    let set = load(&[("base", BASE), ("site/users.csv", USERS)]).unwrap();
    let shown = set.mapping("base").unwrap().show();
    let line = shown.lines().find(|line| line.contains("mlin")).unwrap();
    assert!(
        line.starts_with("table.users.mlin = \"drlin\" ") && line.ends_with("# mappings/site/users.csv:3"),
        "{line}"
    );
}

#[test]
fn codes_from_a_file_are_the_same_as_codes_in_a_table() {
    let text = "protocol = 'notes'\n[[event]]\nname = 'Patient-close'\n[context.patient]\nid = '1'\nmaritalStatus.coding = ['${A | map-to-code codes}']\n[table]\ncodes = 'codes.csv'\n";
    let codes = "from,system,code,display\nS,v3-MaritalStatus,S,\"Never, ever\"\n";
    let set = load(&[("test", text), ("codes.csv", codes)]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let outcome = set.mapping("test").unwrap().outcome(&Note::new("A: S"));
    let coding = &outcome["events"][0]["context"][0]["resource"]["maritalStatus"]["coding"][0];
    let system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus";
    assert_eq!(*coding, serde_json::json!({ "system": system, "code": "S", "display": "Never, ever" }));
}

#[test]
fn mistakes_with_tables_from_files_are_shown_where_they_stand() {
    let wrong = r#"
protocol = "notes"
[table]
missing  = "site/user.csv"
outside  = "../users.csv"
absolute = "/etc/users.csv"
not-csv  = "site/users"
wrong    = "wrong.csv"
"#;
    let rows = "from,to\njdoe,drjones\njdoe,drdoe\nmlin\n\"open,x\n";
    insta::assert_snapshot!(load(&[("wrong", wrong), ("site/users.csv", USERS), ("wrong.csv", rows)]).unwrap_err());
}
