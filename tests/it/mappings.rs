//! The mappings that come with the program, on whole messages: every case of every mapping, and what their reference says.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fhircast_gateway::mapping::cases::{self, CaseFile, MessageReader};
use fhircast_gateway::mapping::{MappingSet, Selection, shipped};
use fhircast_gateway_adapter_api::Fields;
use fhircast_gateway_mllp::Hl7v2;
use fhircast_gateway_mllp::charset::Policy;
use fhircast_gateway_mllp::message::Message;

const READERS: [MessageReader; 1] = [MessageReader { fence: "hl7", read: hl7 }];

fn hl7(message: &[u8]) -> Result<Arc<dyn Fields>, String> {
    let message = Message::read(Bytes::copy_from_slice(message), Policy::default());
    message.map(|message| Arc::new(message) as Arc<dyn Fields>).map_err(|refusal| format!("{refusal:?}"))
}

fn shipped_set() -> MappingSet {
    MappingSet::load(&shipped(), &[&Hl7v2]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// Every Markdown file in the `cases` folder of `mapping`.
fn case_files(mapping: &str) -> Vec<CaseFile> {
    let Ok(entries) = fs::read_dir(folder().join(mapping).join("cases")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        CaseFile { mapping: mapping.to_owned(), path: format!("mappings/{mapping}/cases/{name}"), text }
    };
    paths.into_iter().map(file).collect()
}

#[test]
fn every_case_of_every_shipped_mapping_passes() {
    let set = shipped_set();
    let files: Vec<CaseFile> = set.names().flat_map(case_files).collect();
    let report = cases::run(&set, &files, &READERS);
    assert!(report.passed(), "{report}");
    assert!(report.results.len() > 15, "{report}");
}

#[test]
fn every_shipped_mapping_with_events_has_cases() {
    for mapping in shipped_set().mappings().filter(|mapping| mapping.has_events()) {
        assert!(!case_files(mapping.name()).is_empty(), "{}", mapping.name());
    }
}

#[test]
fn a_message_finds_the_one_mapping_that_accepts_it() {
    let set = shipped_set();
    let message = |sender: &str| hl7(format!("MSH|^~\\&|{sender}|MAIN|||20260504||ORM^O01|1|P|2.3.1\r").as_bytes()).unwrap();
    let selected = |configured, sender: &str| match set.select(configured, "hl7v2", &*message(sender)) {
        Selection::One(mapping) => Some(mapping.name().to_owned()),
        Selection::None | Selection::Several(_) => None,
    };
    assert_eq!(selected(None, "ACME_RIS").as_deref(), Some("vendors/acme-ris"));
    assert_eq!(selected(Some("vendors/acme-ris"), "ACME_RIS").as_deref(), Some("vendors/acme-ris"));
    assert_eq!(selected(Some("hl7v2/radiology"), "ACME_RIS").as_deref(), Some("hl7v2/radiology"));
    assert_eq!(selected(None, "OTHER"), None);
    assert_eq!(selected(Some("vendors/acme-ris"), "OTHER"), None);
}
