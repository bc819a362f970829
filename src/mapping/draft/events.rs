//! Which events the samples may mean: guessed from what kind of message they are, and from its status.

use super::hl7v2::{Meaning, SIGNALS, Signal};
use super::{Drafter, File, Sample, toml};

/// The samples that mean one event, for one reason.
struct Guess {
    kind: String,
    event: &'static str,
    why: &'static str,
    /// Each field that holds the status, and its values.
    status: Vec<(&'static str, Vec<String>)>,
    /// The samples, by their numbers.
    samples: Vec<usize>,
}

impl Drafter<'_> {
    pub(super) fn events(&self, file: &mut File) {
        let mut guesses: Vec<Guess> = Vec::new();
        // By their kind.
        let mut unknown: Vec<(String, Vec<&Sample<'_>>)> = Vec::new();
        for sample in self.samples {
            match self.meaning(sample) {
                Some((signal, meaning)) => self.note(&mut guesses, sample, signal, meaning),
                None => {
                    let kind = self.kind(sample);
                    match unknown.iter_mut().find(|(known, _)| *known == kind) {
                        Some((_, samples)) => samples.push(sample),
                        None => unknown.push((kind, vec![sample])),
                    }
                }
            }
        }
        // Closes come first: a message that ends one thing and begins the next must leave the next on the screen.
        guesses.sort_by_key(|guess| guess.event.ends_with("-open"));
        guesses.iter().for_each(|guess| guess.write(file));
        unknown.iter().for_each(|(kind, samples)| self.write_unknown(kind, samples, file));
    }

    fn meaning(&self, sample: &Sample<'_>) -> Option<(&'static Signal, &'static Meaning)> {
        let kind = self.value(sample.fields, "MSH-9.1")?;
        let signal = SIGNALS.iter().find(|signal| signal.kinds.contains(&kind.as_str()))?;
        let fits = |meaning: &&Meaning| {
            let value = self.value(sample.fields, meaning.path).unwrap_or_default();
            meaning.values.contains(&value.to_uppercase().as_str())
        };
        signal.meanings.iter().find(fits).map(|meaning| (signal, meaning))
    }

    fn note(&self, guesses: &mut Vec<Guess>, sample: &Sample<'_>, signal: &Signal, meaning: &'static Meaning) {
        let kind = self.value(sample.fields, "MSH-9.1").unwrap_or_default();
        let same = |guess: &&mut Guess| guess.kind == kind && guess.event == meaning.event && guess.why == meaning.why;
        let guess = match guesses.iter_mut().find(same) {
            Some(guess) => guess,
            None => {
                let status = signal.status.iter().map(|path| (*path, Vec::new())).collect();
                let (event, why) = (meaning.event, meaning.why);
                guesses.push(Guess { kind, event, why, status, samples: Vec::new() });
                let Some(guess) = guesses.last_mut() else { return };
                guess
            }
        };
        guess.samples.push(sample.number);
        for (path, values) in &mut guess.status {
            let value = self.value(sample.fields, path);
            values.extend(value.filter(|value| !values.contains(value)));
        }
    }

    /// Samples that say nothing plainly, and what to write if they do here.
    fn write_unknown(&self, kind: &str, samples: &[&Sample<'_>], file: &mut File) {
        let Some(sample) = samples.first() else { return };
        let numbers = listed(samples.iter().map(|sample| sample.number));
        let parts = ["MSH-9.1", "MSH-9.2"].into_iter();
        let conditions = parts
            .filter_map(|path| toml::condition(path, &self.value(sample.fields, path).into_iter().collect::<Vec<_>>()));
        let conditions: Vec<String> = conditions.collect();
        file.line("");
        file.comment(&format!(
            "Sample {numbers} ({kind}): that does not say by itself that somebody opens or closes anything. If it does here:"
        ));
        file.line("# [[event]]");
        file.line("# name = \"Patient-open\"");
        file.line(&format!("# when = {}", toml::string(&conditions.join(" and "))));
        file.guess("event", &format!("none for sample {numbers} ({kind})"));
    }
}

impl Guess {
    fn write(&self, file: &mut File) {
        let mut conditions: Vec<String> =
            toml::condition("MSH-9.1", std::slice::from_ref(&self.kind)).into_iter().collect();
        conditions.extend(self.status.iter().filter_map(|(path, values)| toml::condition(path, values)));
        let condition = conditions.join(" and ");
        file.line("");
        file.comment(&format!(
            "Sample {}: {}. That it is on somebody's screen is a guess.",
            listed(self.samples.iter().copied()),
            self.why
        ));
        file.line("[[event]]");
        file.line(&format!("name = \"{}\"", self.event));
        file.line(&format!("when = {}", toml::string(&condition)));
        file.guess("event", &format!("{} when {condition} ({})", self.event, self.why));
    }
}

/// `1, 2`
fn listed(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
}
