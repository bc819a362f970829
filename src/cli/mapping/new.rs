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
use crate::adapters::{Anonymized, GRAMMARS, HL7_CASES, anonymized, message_text, read_message};
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
    /// Put invented people, patients and staff, in the place of those in the samples, and tell which fields were left
    #[arg(long)]
    anonymize: bool,
}

/// A sample as it goes into the cases.
struct Owned {
    number: usize,
    text: String,
    fields: Arc<dyn Fields>,
}

/// All samples, and what is told of them.
struct Samples {
    owned: Vec<Owned>,
    /// Where each comes from.
    labels: Vec<String>,
    /// What was replaced and what was left, if people were.
    anonymized: Option<Anonymized>,
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
    let read = arguments.samples()?;
    let samples: Vec<Sample<'_>> = read.owned.iter().map(Owned::as_sample).collect();
    let grammar = GRAMMARS.into_iter().find(|it| it.protocol() == draft::PROTOCOL);
    let grammar = grammar.ok_or_else(|| failed("HL7 v2 is not spoken here"))?;
    let draft = draft::draft(&set, &samples, grammar);
    let cases = proved_cases(directory, &mapping_path, &cases_path, name, &draft, &samples)?;
    write_new(&mapping_path, &draft.text)?;
    write_new(&cases_path, &cases)?;
    show(name, &draft, &read, [&mapping_path, &cases_path]);
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

    fn samples(&self) -> Result<Samples, Failure> {
        let (labels, texts): (Vec<String>, Vec<String>) =
            message_files::read(&self.from)?.into_iter().map(as_text).collect::<Result<_, Failure>>()?;
        let mut anonymized = self.anonymize.then(|| anonymized(&texts));
        let texts = anonymized.as_mut().map_or(texts, |done| std::mem::take(&mut done.messages));
        let sample = |((number, text), label): ((usize, String), &String)| {
            let fields = read_message(draft::PROTOCOL, text.as_bytes()).map_err(|reason| unusable(label, &reason))?;
            Ok(Owned { number, text, fields })
        };
        let owned = (1..).zip(texts).zip(&labels).map(sample).collect::<Result<_, Failure>>()?;
        Ok(Samples { owned, labels, anonymized })
    }
}

fn as_text(message: message_files::Message) -> Result<(String, String), Failure> {
    match message_text(&message.bytes) {
        Ok(text) => Ok((message.label, text)),
        Err(reason) => Err(unusable(&message.label, &reason)),
    }
}

fn unusable(label: &str, reason: &str) -> Failure {
    failed(format!(
        "{label} cannot be a sample: {reason}\n  = help: a sample is a text file with messages of HL7 v2 as they are sent; each \
         begins with a line `MSH|…`"
    ))
}

impl Owned {
    fn as_sample(&self) -> Sample<'_> {
        Sample { number: self.number, text: &self.text, fields: &*self.fields }
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

fn show(name: &str, draft: &Draft, samples: &Samples, paths: [&PathBuf; 2]) {
    for path in paths {
        println!("wrote {}", path.display());
    }
    println!("\nguessed");
    draft.guesses.iter().for_each(|guess| println!("  {guess}"));
    match &samples.anonymized {
        Some(anonymized) => show_anonymized(anonymized),
        None => show_samples(&samples.labels),
    }
    println!(
        "\nnext: read the comments in {}, mend what is wrong, then `fhircast-gateway test {name}`",
        paths[0].display()
    );
}

fn show_samples(labels: &[String]) {
    println!("\nsamples, as they are, with the people in them");
    labels.iter().zip(1..).for_each(|(label, number)| println!("  {number:<3} {label}"));
    println!("Keep the cases where patient data may be, or make them again with --anonymize.");
}

/// Names no file, as a file may have the name of a patient.
fn show_anonymized(anonymized: &Anonymized) {
    let listed = |fields: &[String]| if fields.is_empty() { "nothing".to_owned() } else { fields.join(", ") };
    println!("\nanonymized");
    println!("  replaced    {}", listed(&anonymized.replaced));
    println!("  left        MSH, {}", listed(&anonymized.left));
    println!(
        "Results (OBX-5) were replaced where their type is a text or a person. Names, numbers and dates of four characters or more \
         that\nstand in a replaced field were replaced in the others, too, and nothing else was: look at those before you hand the \
         files on.\nNo file name of a sample is written anywhere."
    );
}
