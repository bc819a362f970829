//! `mapping reference`: the language's reference, or what it says of a word.

use clap::Args;

use super::super::Failure;
use super::failed;
use crate::mapping::{function_names, reference};

/// Arguments of `mapping reference`.
#[derive(Args)]
pub(in crate::cli) struct ReferenceArguments {
    /// A heading, a function, a key; without it, the whole page
    #[arg(value_name = "WORD")]
    word: Option<String>,
}

pub(in crate::cli) fn show(arguments: &ReferenceArguments) -> Result<(), Failure> {
    let Some(word) = &arguments.word else {
        print!("{}", reference::REFERENCE);
        return Ok(());
    };
    let found = reference::about(word).ok_or_else(|| {
        let headings: Vec<&str> = reference::headings().collect();
        let functions: Vec<&str> = function_names().collect();
        let (headings, functions) = (headings.join(", "), functions.join(", "));
        failed(format!(
            "the reference says nothing of `{word}`\n  = help: sections: {headings}\n  = help: functions: {functions}"
        ))
    })?;
    print!("{found}");
    Ok(())
}
