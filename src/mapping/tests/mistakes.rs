//! Every kind of mistake that a mapping file can hold, each file of `wrong/` with what is shown for it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::{Diagnostics, MappingSet, SourceFile, shipped};
use crate::adapters::GRAMMARS;

/// The mapping `name` beside those that it can extend: `site`, which extends `base`.
fn load(name: &str, text: &str) -> Result<MappingSet, Diagnostics> {
    let files = [("base", include_str!("base.toml")), ("site", include_str!("site.toml")), (name, text)];
    MappingSet::load(&files.map(|(name, text)| SourceFile::named(name, text)), &GRAMMARS)
}

/// What is shown for it: mistakes, else warnings.
fn diagnose(name: &str, text: &str) -> String {
    match load(name, text) {
        Ok(set) => set.warnings().to_string(),
        Err(mistakes) => mistakes.to_string(),
    }
}

#[test]
fn every_kind_of_mistake_is_shown_where_it_stands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mapping/tests/wrong");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let shown = diagnose(&name, &fs::read_to_string(&path).unwrap());
        assert!(shown.contains(&format!("mappings/{name}.toml:")), "{name}: nothing is shown");
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn the_shipped_mappings_have_neither_mistakes_nor_warnings() {
    let set = MappingSet::load(&shipped(), &GRAMMARS).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(set.warnings().count(), 0, "{}", set.warnings());
}

#[test]
fn mistakes_and_warnings_are_shown_together_and_only_mistakes_refuse_a_load() {
    let warned = load("x", "extends = 'base'\n[session]\nuser = '${ORC-12.1}'\n").unwrap();
    assert_eq!(warned.warnings().count(), 1);
    assert!(warned.mapping("x").is_some());
    let both = load("x", "extends = 'base'\n[session]\nuser = '${ORC-12.1}'\nsuer = ''\n").unwrap_err();
    let shown = both.to_string();
    assert!(shown.contains("warning: ORC-12.1") && shown.contains("error: [session] has no key"), "{shown}");
    assert_eq!(both.count(), 2);
}

#[test]
fn a_definition_that_only_an_extending_file_uses_is_used() {
    let base =
        "protocol = 'hl7v2'\n[table.wards]\nW = 'west'\n[constant]\nx = 'north'\n[expression]\ny = '${PV1-3.1}'\n";
    let child = "extends = 'base'\n[session]\nuser = '${y | lookup wards | suffix x}'\n";
    let warnings = |files: &[(&str, &str)]| {
        let files: Vec<SourceFile> = files.iter().map(|(name, text)| SourceFile::named(name, text)).collect();
        MappingSet::load(&files, &GRAMMARS).unwrap().warnings().count()
    };
    assert_eq!(warnings(&[("base", base)]), 3);
    assert_eq!(warnings(&[("base", base), ("child", child)]), 0);
}

/// A shipped mapping with some of its text taken out, doubled or replaced.
fn mutated() -> impl Strategy<Value = Vec<SourceFile>> {
    let piece = prop_oneof![
        "[\\[\\]{}\"'=.,|$() \n]{1,3}",
        Just("${".to_owned()),
        Just(" or ".to_owned()),
        Just("[[context.patient.name]]\n".to_owned()),
        Just("append = true\n".to_owned()),
        Just("extends = \"vendors/acme-ris\"\n".to_owned()),
        Just("é\u{0}".to_owned()),
        "[A-Za-z0-9-]{1,6}",
    ];
    let change = (any::<prop::sample::Index>(), 0..40usize, prop::option::of(piece));
    (any::<prop::sample::Index>(), prop::collection::vec(change, 1..6)).prop_map(|(which, changes)| {
        let mut files = shipped();
        let text = &mut which.get_mut(&mut files).text;
        for (at, length, piece) in changes {
            let floor = |mut index: usize| {
                while !text.is_char_boundary(index) {
                    index -= 1;
                }
                index
            };
            let start = floor(at.index(text.len() + 1));
            let end = floor((start + length).min(text.len())).max(start);
            text.replace_range(start..end, &piece.unwrap_or_default());
        }
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_change_of_a_shipped_mapping_panics_and_every_problem_can_be_shown(files in mutated()) {
        match MappingSet::load(&files, &GRAMMARS) {
            Ok(set) => prop_assert_eq!(set.warnings().to_string().matches("warning: ").count(), set.warnings().count()),
            Err(mistakes) => prop_assert!(mistakes.to_string().contains("error: ")),
        }
    }
}
