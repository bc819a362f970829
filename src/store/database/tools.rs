//! What an operator does with the database beside a gateway that may be running: is it whole, and a copy of it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY, StoreError, database_file, load};

/// Findings of a check that are shown.
const SHOWN: usize = 20;

/// Reads the whole database of the store in `directory`, and whether everything in it fits together.
///
/// # Errors
/// What does not.
pub fn check(directory: &Path) -> Result<(), StoreError> {
    let path = database_file(directory);
    let connection = beside(&path)?;
    let mut findings: Vec<String> = connection
        .prepare(&format!("PRAGMA integrity_check({SHOWN})"))?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    findings.retain(|finding| finding != "ok");
    let orphans: Vec<String> = connection
        .prepare("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    findings.extend(load::stored_topics(&connection, None).err().map(|error| error.to_string()));
    findings.extend(load::sessions(&connection).err().map(|error| error.to_string()));
    findings.extend(orphans.into_iter().map(|table| format!("rows of {table} belong to nothing")));
    match findings.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Damaged { path: path.display().to_string(), findings: findings.join("; ") }),
    }
}

/// Copies the database of the store in `directory` to the new file `to`, as it is at one moment, while the gateway goes on.
///
/// # Errors
/// When `to` is there already, or cannot be written.
pub fn back_up(directory: &Path, to: &Path) -> Result<(), StoreError> {
    let io = |source| StoreError::Io { path: to.to_owned(), source };
    let connection = beside(&database_file(directory))?;
    // Made first, so that nobody else can read it at any time.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(io)?;
    let copied = connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
    if copied.is_err() {
        // What is not whole is no backup.
        fs::remove_file(to).map_err(io)?;
    }
    copied?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).map_err(io)?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(io)
}

fn beside(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
