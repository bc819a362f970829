//! Every kind of mistake that a mapping file can hold, each file of `wrong/` with what is shown for it.

use std::fs;
use std::path::Path;

use super::super::{MappingSet, SourceFile, shipped};
use crate::adapters::GRAMMARS;

/// What is shown for `text` beside the shipped mappings: mistakes, else warnings.
fn diagnose(name: &str, text: &str) -> String {
    let files: Vec<SourceFile> = shipped().into_iter().chain([SourceFile::named(name, text)]).collect();
    match MappingSet::load(&files, &GRAMMARS) {
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
        assert!(!shown.is_empty(), "{name}: nothing is shown");
        insta::assert_snapshot!(name, shown);
    }
}
