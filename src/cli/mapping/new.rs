//! `mapping new`: a mapping to start from, and its first cases, guessed from sample messages.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use fhircast_gateway_adapter_api::Fields;

use super::super::Failure;
use super::super::message_files;
use super::{failed, load};
use crate::adapters::{GRAMMARS, HL7_CASES, anonymized, message_text, read_message};
use crate::config::{Layers, Problems};
use crate::loading::load_with;
use crate::mapping::SourceFile;
use crate::mapping::cases::{self, CaseFile};
use crate::mapping::draft::{self, Draft, Sample};

/// Arguments of `mapping new`.
#[derive(Args)]
pub(in crate::cli) struct NewArguments {
    /// The new mapping's name, such as `vendors/site-ris`
    #[arg(value_name = "NAME")]
    name: String,
    /// HL7 v2 messages that it is to be made of; repeatable
    #[arg(long, value_name = "FILE", required = true)]
    from: Vec<PathBuf>,
    /// Put invented patients in the place of those in the samples
    #[arg(long)]
    anonymize: bool,
}

/// A sample as it goes into the cases.
struct Owned {
    label: String,
    text: String,
    fields: Arc<dyn Fields>,
}

pub(in crate::cli) fn new(arguments: &NewArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (config, set) = load(layers, problems)?;
    let directory = &config.mappings.directory;
    let name = arguments.name()?;
    if set.mapping(name).is_some() {
        return Err(failed(format!(
            "there is a mapping `{name}` already\n  = help: choose another name, or edit its file"
        )));
    }
    let mapping_path = directory.join(format!("{name}.toml"));
    let cases_path = directory.join(name).join("cases").join("first.md");
    for path in [&mapping_path, &cases_path] {
        if path.exists() {
            return Err(failed(format!("{} is there already, and nothing is overwritten", path.display())));
        }
    }
    let owned = arguments.samples()?;
    let samples: Vec<Sample<'_>> = owned.iter().map(Owned::as_sample).collect();
    let grammar = GRAMMARS.into_iter().find(|it| it.protocol() == draft::PROTOCOL);
    let grammar = grammar.ok_or_else(|| failed("HL7 v2 is not spoken here"))?;
    let draft = draft::draft(&set, &samples, grammar);
    let cases = proved_cases(directory, &mapping_path, &cases_path, name, &draft, &samples)?;
    write_new(&mapping_path, &draft.text)?;
    write_new(&cases_path, &cases)?;
    show(arguments, &draft, [&mapping_path, &cases_path]);
    Ok(())
}

impl NewArguments {
    /// The name, if a file can have it.
    fn name(&self) -> Result<&str, Failure> {
        let part = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
        };
        match self.name.split('/').all(part) && !self.name.ends_with(".toml") {
            true => Ok(&self.name),
            false => Err(failed(format!(
                "`{}` cannot be a mapping's name\n  = help: write letters, digits, - and _, with / between folders: vendors/site-ris",
                self.name
            ))),
        }
    }

    fn samples(&self) -> Result<Vec<Owned>, Failure> {
        let messages = message_files::read(&self.from)?;
        if messages.is_empty() {
            return Err(failed("there is no message in these files"));
        }
        let text = |message: &message_files::Message| {
            message_text(&message.bytes).map_err(|reason| failed(format!("{}: {reason}", message.label)))
        };
        let texts = messages.iter().map(text).collect::<Result<Vec<String>, Failure>>()?;
        let texts = if self.anonymize { anonymized(&texts) } else { texts };
        let sample = |(message, text): (message_files::Message, String)| {
            let fields = read_message(draft::PROTOCOL, text.as_bytes())
                .map_err(|reason| failed(format!("{}: {reason}", message.label)))?;
            Ok(Owned { label: message.label, text, fields })
        };
        messages.into_iter().zip(texts).map(sample).collect()
    }
}

impl Owned {
    fn as_sample(&self) -> Sample<'_> {
        Sample { label: &self.label, text: &self.text, fields: &*self.fields }
    }
}

/// The first cases, once it is sure that the new mapping loads beside the others, and passes them.
fn proved_cases(
    directory: &Path,
    mapping_path: &Path,
    cases_path: &Path,
    name: &str,
    draft: &Draft,
    samples: &[Sample<'_>],
) -> Result<String, Failure> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let file = SourceFile { name: name.to_owned(), path: path(mapping_path), text: draft.text.clone() };
    let unusable = |why: &dyn std::fmt::Display| {
        failed(format!("the mapping that these samples give would not do, so nothing was written\n\n{why}"))
    };
    let set = load_with(directory, file).map_err(|error| unusable(&error))?.set;
    let mapping = set.mapping(name).ok_or_else(|| unusable(&"it was not loaded"))?;
    let text = draft::first_cases(mapping, samples, HL7_CASES.fence);
    let file = CaseFile { mapping: name.to_owned(), path: path(cases_path), text: text.clone() };
    let report = cases::run(&set, &[file], &[HL7_CASES]);
    if report.passed() { Ok(text) } else { Err(unusable(&report)) }
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|error| failed(format!("cannot write {}: {error}", path.display())))
}

fn show(arguments: &NewArguments, draft: &Draft, paths: [&PathBuf; 2]) {
    for path in paths {
        println!("wrote {}", path.display());
    }
    println!("\nguessed");
    draft.guesses.iter().for_each(|guess| println!("  {guess}"));
    if arguments.anonymize {
        println!(
            "\nThe cases hold the samples with invented patients. Notes, results and fields of the sender's own were searched for \
             what other fields name: look at them before you hand the file on."
        );
    } else {
        println!(
            "\nThe cases hold the samples as they are, with their patients: keep the file where patient data may be, or make it \
             again with --anonymize."
        );
    }
    println!(
        "\nnext: read the comments in {}, mend what is wrong, then `fhircast-gateway test {}`",
        paths[0].display(),
        arguments.name
    );
}
