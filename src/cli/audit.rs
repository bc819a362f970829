//! `audit verify`: whether the audit log is as it was written.

use std::path::Path;

use clap::{Args, Subcommand};

use super::{Failure, configured};
use crate::audit::{FIRST, verify};
use crate::config::{Layers, Problems};
use crate::node::audit_directory;
use crate::store::audit_files;

/// Arguments of `audit`.
#[derive(Args)]
pub(super) struct AuditArguments {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check that no line was changed, added or taken away
    Verify,
}

pub(super) fn audit(arguments: &AuditArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let config = configured(layers, problems)?;
    match arguments.command {
        AuditCommand::Verify => verify_all(&audit_directory(&config)),
    }
}

fn verify_all(directory: &Path) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| Failure::Failed(format!("error: {}: {error}", path.display()));
    let files = audit_files(directory).map_err(|error| failed(directory, &error))?;
    let (mut previous, mut count) = (FIRST, 0);
    for (path, _) in &files {
        let text = std::fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        previous = verify(text.lines(), previous).map_err(|error| failed(path, &error))?;
        count += text.lines().count();
    }
    println!("{count} audit events in {} files of {}: none was changed.", files.len(), directory.display());
    println!(
        "The last one's digest is {previous}: kept elsewhere, it shows later whether any were cut off at the end."
    );
    Ok(())
}
