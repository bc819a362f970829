//! The mappings that come with the program, on whole messages: every case of every mapping, and what their reference says.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fhircast_gateway::loading::load;
use fhircast_gateway::mapping::cases::{self, CaseFile};
use fhircast_gateway::mapping::{Diagnostics, MappingSet, SourceFile, shipped};
use fhircast_gateway::{CASES, GRAMMARS};
use fhircast_gateway_adapter_api::Fields;
use fhircast_gateway_mllp::charset::Policy;
use fhircast_gateway_mllp::message::Message;
use serde_json::Value;

pub(crate) fn hl7(message: &[u8]) -> Result<Arc<dyn Fields>, String> {
    let message = Message::read(Bytes::copy_from_slice(message), Policy::default());
    message.map(|message| Arc::new(message) as Arc<dyn Fields>).map_err(|refusal| format!("{refusal:?}"))
}

pub(crate) fn shipped_set() -> MappingSet {
    MappingSet::load(&shipped(), &GRAMMARS).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
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
    let report = cases::run(&set, &files, &CASES);
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
    let message =
        |sender: &str| hl7(format!("MSH|^~\\&|{sender}|MAIN|||20260504||ORM^O01|1|P|2.3.1\r").as_bytes()).unwrap();
    let selected = |configured, sender: &str| {
        set.select(configured, "hl7v2", &*message(sender)).map(|mapping| mapping.name().to_owned())
    };
    assert_eq!(selected(None, "ACME_RIS").as_deref(), Some("vendors/acme-ris"));
    assert_eq!(selected(Some("vendors/acme-ris"), "ACME_RIS").as_deref(), Some("vendors/acme-ris"));
    assert_eq!(selected(Some("hl7v2/radiology"), "ACME_RIS").as_deref(), Some("hl7v2/radiology"));
    assert_eq!(selected(None, "OTHER"), None);
    assert_eq!(selected(Some("vendors/acme-ris"), "OTHER"), None);
}

#[test]
fn a_sites_folder_holds_mappings_and_the_tables_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    let text = "protocol = \"hl7v2\"\n[session]\nuser = \"${ZDS-1 | lookup users}\"\n[table]\nusers = \"users.csv\"\n";
    fs::write(folder.path().join("site/desk.toml"), text).unwrap();
    fs::write(folder.path().join("site/users.csv"), "from,to\nA17,drjones\n").unwrap();
    let set = load(folder.path()).unwrap_or_else(|error| panic!("{error}")).set;
    let message = hl7(b"MSH|^~\\&|A|B|||2026||ORM|1|P|2.3\rZDS|A17\r").unwrap();
    assert_eq!(set.mapping("site/desk").unwrap().outcome(&*message)["session"]["user"], "drjones");
    fs::write(folder.path().join("site/users.csv"), "from,to\nA17\n").unwrap();
    let wrong = load(folder.path()).err().unwrap().to_string();
    assert!(wrong.contains("site/users.csv:2:1"), "{wrong}");
}

/// The mapping language's reference: its fences are executed in order.
const REFERENCE: &str = include_str!("../../mappings/README.md");

/// What the fences of the reference have said so far.
#[derive(Default)]
struct Page {
    /// The latest mapping file: name and text.
    mapping: Option<(String, String)>,
    /// CSV files: name and text.
    tables: Vec<(String, String)>,
    /// The latest message, and the protocol that its fence names.
    message: String,
    protocol: String,
    executed: usize,
}

#[test]
fn every_example_of_the_reference_is_as_it_says() {
    let mut page = Page::default();
    for fence in cases::fences(REFERENCE) {
        page.execute(fence.language, fence.content);
    }
    assert!(page.executed > 60, "{} examples", page.executed);
}

#[test]
fn every_function_has_an_example_in_the_reference() {
    for function in fhircast_gateway::mapping::function_names() {
        assert!(REFERENCE.contains(&format!("| {function}")), "{function}");
    }
}

impl Page {
    fn execute(&mut self, language: &str, content: &str) {
        self.executed += 1;
        match language {
            "toml" | "toml wrong" => {
                let name = content.strip_prefix("# mappings/").and_then(|rest| rest.split_once(".toml")).unwrap().0;
                self.mapping = Some((name.to_owned(), content.to_owned()));
                assert_eq!(self.load().is_err(), language == "toml wrong", "{content}");
            }
            "text" => assert!(self.load().unwrap_err().to_string().starts_with(content.trim_end()), "{content}"),
            "hl7" | "ccow" => {
                content.clone_into(&mut self.message);
                language.clone_into(&mut self.protocol);
            }
            "json" => self.check_case(content),
            "examples" => content.lines().for_each(|line| self.check_example(line)),
            "conditions" => content.lines().for_each(|line| self.check_condition(line)),
            table if table.starts_with("csv mappings/") => {
                self.tables.push((table["csv mappings/".len()..].to_owned(), content.to_owned()));
            }
            other => panic!("the reference has a fence that nobody executes: {other}"),
        }
    }

    /// All shipped mappings, and the latest of the page, with its tables.
    fn load(&self) -> Result<MappingSet, Diagnostics> {
        let own = self.mapping.iter().chain(&self.tables).map(|(name, text)| SourceFile::named(name, text));
        MappingSet::load(&shipped().into_iter().chain(own).collect::<Vec<_>>(), &GRAMMARS)
    }

    fn check_case(&self, expectation: &str) {
        let text = format!("```{}\n{}```\n```json\n{expectation}```\n", self.protocol, self.message);
        let mapping = self.mapping.as_ref().unwrap().0.clone();
        let report = cases::run(&self.load().unwrap(), &[CaseFile { mapping, path: "README.md".into(), text }], &CASES);
        assert!(report.passed(), "{report}");
    }

    /// `expression → json`, or `expression → nothing`.
    fn check_example(&mut self, line: &str) {
        let (expression, expected) = line.split_once('→').unwrap();
        let text = format!(
            "extends = \"hl7v2/radiology\"\n[[event]]\nname = \"Basic-open\"\ncontext = [\"thing\"]\n[context.thing]\nresourceType = \"Basic\"\nid = \"1\"\nextension = '''${{{}}}'''\n",
            expression.trim()
        );
        let outcome = self.outcome(&text);
        let found = &outcome["events"][0]["context"][0]["resource"]["extension"];
        let expected = if expected.trim() == "nothing" { Value::Null } else { serde_json::from_str(expected).unwrap() };
        assert_eq!(*found, expected, "{line}");
    }

    /// `condition → yes`, or `condition → no`.
    fn check_condition(&mut self, line: &str) {
        let (condition, expected) = line.split_once('→').unwrap();
        let text = format!(
            "extends = \"hl7v2/radiology\"\n[[event]]\nname = \"UserLogout\"\nwhen = '''{}'''\n",
            condition.trim()
        );
        let holds = self.outcome(&text)["events"].as_array().unwrap().len() == 1;
        assert_eq!(if holds { "yes" } else { "no" }, expected.trim(), "{line}");
    }

    fn outcome(&mut self, text: &str) -> Value {
        self.executed += 1;
        self.mapping = Some(("example".into(), text.to_owned()));
        let set = self.load().unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        set.mapping("example").unwrap().outcome(&*hl7(self.message.as_bytes()).unwrap())
    }
}
