//! The first cases of a new mapping: the samples, and what it makes of them.

use super::super::cases::laid_out;
use super::super::set::Mapping;
use super::Sample;

/// A file of cases of `mapping`: each of `samples` in a fence of `fence`, and what it becomes now.
pub fn first_cases(mapping: &Mapping, samples: &[Sample<'_>], fence: &str) -> String {
    let mut text = format!(
        "# First cases of {}\n\nWhat the mapping gave when it was made of these samples. Nobody has looked at it yet: mend the \
         mapping or the\nexpectation, and keep of each expectation what matters.\n",
        mapping.name()
    );
    for sample in samples {
        let outcome = mapping.outcome_text(sample.fields);
        // What a mapping makes is JSON, laid out or not.
        let expectation = laid_out(&outcome).unwrap_or(outcome);
        let message = sample.text.trim_end().replace("\r\n", "\n").replace('\r', "\n");
        text.push_str(&format!(
            "\n## Sample {}\n\n```{fence}\n{message}\n```\n\n```json\n{expectation}\n```\n",
            sample.number
        ));
    }
    text
}
