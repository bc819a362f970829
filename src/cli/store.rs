//! `store`: is the database whole, and a copy of it.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::{Args, Subcommand};

use super::{Failure, configured};
use crate::config::{Layers, Problems};
use crate::store::{StoreError, back_up, check, database_file};

/// Arguments of `store`.
#[derive(Args)]
pub(super) struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Read the whole database, and say whether everything in it fits together
    ///
    /// The gateway may be running meanwhile. Exit code 0: it is whole; 1: it is not, or cannot be read.
    Check,
    /// Copy the database to a new file, as it is at one moment
    ///
    /// The gateway may be running meanwhile. The copy holds patients' data, and is readable by its owner only.
    ///
    /// To restore it: stop the gateway, delete gateway.db, gateway.db-wal and gateway.db-shm in `store.directory`, copy FILE there
    /// as gateway.db, and start the gateway.
    ///
    /// Keep site.key of that directory with the copy: without it every topic becomes another, and webhooks' secrets cannot be read.
    Backup {
        /// The new file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn store(arguments: &StoreArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let config = configured(layers, problems)?;
    let directory = &config.store.directory;
    let database = found(directory)?;
    match &arguments.command {
        StoreCommand::Check => {
            check(directory).map_err(|error| failed(&error))?;
            println!("{} is whole ({}).", database.display(), size(&database));
        }
        StoreCommand::Backup { file } => {
            back_up(directory, file).map_err(|error| match error {
                StoreError::Io { path, source } => {
                    Failure::Failed(format!("error: cannot write {}: {source}", path.display()))
                }
                error => failed(&error),
            })?;
            println!("{} is copied to {} ({}).", database.display(), file.display(), size(file));
            println!(
                "Keep {} with it. `fhircast-gateway store backup --help` says how to restore both.",
                directory.join("site.key").display()
            );
        }
    }
    Ok(())
}

/// The database of the store in `directory`, where there is one and this user may read it.
pub(super) fn found(directory: &Path) -> Result<PathBuf, Failure> {
    let path = database_file(directory);
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::Failed(format!(
            "error: there is no store in {}: no gateway has run with it yet\n  = help: give this command the same --config and \
             --set as the gateway; where `store.directory` is relative, run it in the same directory too",
            directory.display()
        ))),
        Err(error) => Err(Failure::Failed(format!(
            "error: cannot read {}: {error}\n  = help: it is readable by its owner only: run this command as the user that the \
             gateway runs as",
            path.display()
        ))),
    }
}

/// What the store says.
pub(super) fn failed(error: &StoreError) -> Failure {
    Failure::Failed(match error {
        StoreError::Damaged { .. } => {
            format!("error: {error}\n  = help: `fhircast-gateway store backup --help` says how to restore one")
        }
        _ => format!("error: {error}\n  = help: `fhircast-gateway store check` looks the whole database through"),
    })
}

fn size(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(|error| error.to_string(), |file| ByteSize(file.len()).to_string())
}
