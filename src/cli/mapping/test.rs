//! `test`: whether the cases of the mappings hold; and, where they are to, what they say instead.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Failure;
use super::super::terminal::Terminal;
use super::{case_files, count, failed, load, named};
use crate::adapters::CASES;
use crate::config::{Layers, Problems};
use crate::mapping::MappingSet;
use crate::mapping::cases::{self, CaseFile, Ink, Report, Update};

/// Arguments of `test`.
#[derive(Args)]
pub(in crate::cli) struct TestArguments {
    /// Only the cases of these mappings
    #[arg(value_name = "NAME")]
    mappings: Vec<String>,
    /// Write a report for a build server, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Rewrite the expectations that do not hold to what the mappings make now; ask before, at a terminal
    #[arg(long)]
    update: bool,
    /// Do not ask
    #[arg(long, requires = "update")]
    yes: bool,
}

pub(in crate::cli) fn test(arguments: &TestArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let (config, set) = load(layers, problems)?;
    let files = files(arguments, &set, &config.mappings.directory)?;
    let report = cases::run(&set, &files, &CASES);
    show(&report);
    if let Some(path) = &arguments.junit {
        write(path, &cases::junit(&report))?;
    }
    let updates = if arguments.update { cases::updates(&set, &files, &CASES) } else { Vec::new() };
    match report.failed() {
        0 => Ok(()),
        _ if !updates.is_empty() => update(arguments, &updates, &report),
        _ if arguments.update => Err(failed("none of these expectations can be rewritten: mend the cases by hand")),
        _ => Err(Failure::Shown),
    }
}

fn files(arguments: &TestArguments, set: &MappingSet, directory: &Path) -> Result<Vec<CaseFile>, Failure> {
    arguments.mappings.iter().try_for_each(|name| named(set, name).map(drop))?;
    let mut files = case_files(directory).map_err(failed)?;
    files.retain(|file| arguments.mappings.is_empty() || arguments.mappings.contains(&file.mapping));
    if files.is_empty() {
        let name = arguments.mappings.first().map_or("NAME", String::as_str);
        return Err(failed(format!(
            "there are no cases: they are looked for in {}/{name}/cases/*.md",
            directory.display()
        )));
    }
    Ok(files)
}

fn show(report: &Report) {
    let terminal = Terminal::of_stdout();
    let paint = |ink, text: &str| match ink {
        Ink::Good => terminal.green(text),
        Ink::Bad => terminal.red(text),
        Ink::Faint => terminal.dim(text),
    };
    println!("{}", report.text(paint));
}

/// Rewrites the files, once whoever runs this agrees.
fn update(arguments: &TestArguments, updates: &[Update], report: &Report) -> Result<(), Failure> {
    let cases: usize = updates.iter().map(|update| update.titles.len()).sum();
    println!("\nWhat was found above becomes what is expected:");
    for Update { path, titles, .. } in updates {
        titles.iter().for_each(|title| println!("  {path}: {title}"));
    }
    if !arguments.yes && !agreed(&format!("Rewrite {}?", count(cases, "expectation")))? {
        return Err(Failure::Failed("Nothing was rewritten.".to_owned()));
    }
    updates.iter().try_for_each(|update| write(Path::new(&update.path), &update.text))?;
    println!("Rewrote {} in {}.", count(cases, "expectation"), count(updates.len(), "file"));
    match report.failed().saturating_sub(cases) {
        0 => Ok(()),
        left => Err(failed(format!("{} cannot be rewritten: mend by hand", count(left, "case")))),
    }
}

/// The answer of whoever sits at the terminal.
fn agreed(question: &str) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(failed(
            "nobody is there to ask: add --yes to rewrite the expectations, or look at the changes first",
        ));
    }
    print!("{question} [y/N] ");
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| failed(format!("cannot write {}: {error}", path.display())))
}
