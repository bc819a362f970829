//! What came of it.

use std::fmt;
use std::time::Duration;

use super::Plan;

pub(crate) struct Report {
    seed: u64,
    rounds: usize,
    power_cut: bool,
    /// Messages that were acknowledged.
    pub(crate) acknowledged: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    recovery: Vec<Duration>,
}

/// Mistakes that are shown of each kind.
const SHOWN: usize = 10;

impl Report {
    pub(crate) fn new(plan: &Plan) -> Self {
        let Plan { seed, rounds, power_cut, .. } = *plan;
        Self { seed, rounds, power_cut, acknowledged: 0, lost: Vec::new(), doubled: Vec::new(), recovery: Vec::new() }
    }

    pub(crate) fn lost(&mut self, what: String) {
        self.lost.push(what);
    }

    pub(crate) fn doubled(&mut self, what: String) {
        self.doubled.push(what);
    }

    pub(crate) fn recovered(&mut self, time: Duration) {
        self.recovery.push(time);
    }

    /// Nothing lost, nothing twice.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.power_cut { "power cuts" } else { "kills" };
        let slowest = self.recovery.iter().max().copied().unwrap_or_default();
        writeln!(formatter, "{how:<14} {} (seed {})", self.rounds, self.seed)?;
        writeln!(formatter, "acknowledged   {}", self.acknowledged)?;
        writeln!(formatter, "lost           {}", self.lost.len())?;
        writeln!(formatter, "duplicated     {}", self.doubled.len())?;
        writeln!(formatter, "recovery       {} ms at the most, from start to serving", slowest.as_millis())?;
        for mistake in self.lost.iter().take(SHOWN).chain(self.doubled.iter().take(SHOWN)) {
            writeln!(formatter, "  {mistake}")?;
        }
        Ok(())
    }
}
