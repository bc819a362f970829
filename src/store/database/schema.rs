//! The tables, and how those of an older release become today's.
//!
//! An operator may read them with `sqlite3`: names are the field's words, times are texts in UTC, and what is JSON says so.

use rusqlite::Connection;

use super::StoreError;

/// What each release has added, oldest first: the number of the last one is the database's `user_version`. Those that have been
/// released never change.
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

/// Brings the tables of `connection` to this release's.
///
/// # Errors
/// When the database was written by a later release, or cannot be changed; then it is as it was.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))?;
    let missing = MIGRATIONS.get(found..).ok_or(StoreError::Later { found, known: MIGRATIONS.len() })?;
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(transaction.commit()?)
}

/// Writes what is written already, to see whether the disk takes it.
pub(super) fn write_version_again(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64)
}
