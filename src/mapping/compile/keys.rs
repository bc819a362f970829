//! The keys that mean something in a mapping file, by the table in which they stand. `schema` tells them to editors.

/// The keys of a file.
pub(crate) const FILE: [&str; 15] = [
    "extends",
    "protocol",
    "about",
    "zone",
    "occurred",
    "not_after",
    "events",
    "accept",
    "session",
    "constant",
    "expression",
    "event",
    "merge",
    "context",
    "table",
];

/// The keys of `[accept]`.
pub(crate) const ACCEPT: [&str; 1] = ["when"];

/// The keys of `[session]`.
pub(crate) const SESSION: [&str; 2] = ["user", "workstation"];

/// The keys of `[[event]]`.
pub(crate) const EVENT: [&str; 6] = ["name", "each", "when", "not_after", "session", "context"];

/// The keys of `[[merge]]`.
pub(crate) const MERGE: [&str; 4] = ["each", "when", "identifier", "append"];

/// The keys of a table's row that is a code.
pub(crate) const CODE: [&str; 3] = ["system", "code", "display"];

/// Keys in resources that steer the language, and are no members of the resource: those of the elements of an array.
pub(crate) const STEERING: [&str; 3] = ["append", "each", "when"];
