//! `mapping schema`: a JSON Schema of mapping files, for editors.

use super::super::Failure;
use super::failed;
use crate::adapters::GRAMMARS;
use crate::mapping::schema;

pub(in crate::cli) fn show() -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(&schema(&GRAMMARS)).map_err(failed)?);
    Ok(())
}
