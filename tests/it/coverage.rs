//! Every clause, client requirement and IRA requirement has a test whose name leads with its id.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fhircast_gateway::verify::clause_ids;

#[test]
fn every_clause_and_requirement_has_a_test_that_names_it() {
    let named = named();
    let mut wrong = Vec::new();
    for id in clause_ids() {
        if !named.contains(id) {
            wrong.push(format!("{id} has no test"));
        }
    }
    let known: BTreeSet<_> = clause_ids().collect();
    wrong.extend(named.iter().filter(|id| !known.contains(id.as_str())).map(|id| format!("{id} is no clause")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The families of ids, as they stand in names.
const FAMILIES: [&str; 15] =
    ["disc", "sub", "conf", "uns", "req", "not", "ctx", "upd", "sel", "sco", "sma", "wh", "sec", "cli", "ira"];

/// The ids in the names of all tests.
fn named() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ids = BTreeSet::new();
    for directory in ["src", "tests", "adapters"] {
        visit(&root.join(directory), &mut ids);
    }
    ids
}

/// The checks of `verify` are a tool; what they are worth is for the tests that run them to say.
const NO_TESTS: [&str; 4] = ["node_modules", "target", "verify", "fuzz"];

fn visit(path: &Path, ids: &mut BTreeSet<String>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() {
        if NO_TESTS.contains(&name.as_ref()) {
            return;
        }
        fs::read_dir(path).unwrap().for_each(|entry| visit(&entry.unwrap().path(), ids));
    } else if name.ends_with(".rs") {
        let text = fs::read_to_string(path).unwrap();
        let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        functions.for_each(|function| ids.extend(in_name(function)));
    } else if name.ends_with(".test.mjs") {
        let text = fs::read_to_string(path).unwrap();
        let titles = text.split("it('").skip(1).filter_map(|rest| rest.split(':').next());
        titles.for_each(|title| ids.extend(title.split(' ').filter(|word| is_id(word)).map(str::to_owned)));
    }
}

/// `sub_11_12_a_story` leads with SUB-11 and SUB-12, `not_06_sub_19_...` with one of each.
fn in_name(function: &str) -> Vec<String> {
    let (mut ids, mut family): (Vec<String>, Option<String>) = (Vec::new(), None);
    for word in function.split('_') {
        match &family {
            Some(family) if word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit()) => {
                ids.push(format!("{family}-{word}"));
            }
            _ if FAMILIES.contains(&word) => family = Some(word.to_ascii_uppercase()),
            // Threats and faults of the reliability reference may stand among them.
            _ if word.len() <= 3 && word.starts_with(['t', 'f']) && word[1..].parse::<u8>().is_ok() => family = None,
            _ if word == "pol" => family = None,
            _ if word.parse::<u8>().is_ok() && family.is_none() => {}
            _ => break,
        }
    }
    ids
}

fn is_id(word: &str) -> bool {
    let parts = word.split_once('-');
    parts.is_some_and(|(family, number)| {
        FAMILIES.contains(&family.to_ascii_lowercase().as_str()) && number.len() == 2 && number.parse::<u8>().is_ok()
    })
}
