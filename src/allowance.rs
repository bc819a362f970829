//! How often something may be done (T18), publishing on a topic or asking for a token: a burst, and then so many a second.

use jiff::Timestamp;

/// What is left of an allowance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// How long it takes until nothing is used of it, in milliseconds, as of `since`.
    used: i64,
    since: Timestamp,
}

impl Allowance {
    /// Whether nothing of it is used: what is forgotten before that, a topic say, would be given another one.
    pub(crate) fn is_unused(&self, now: Timestamp) -> bool {
        now.as_millisecond().saturating_sub(self.since.as_millisecond()) >= self.used
    }

    /// Uses one act of it, if there is one left.
    pub(crate) fn take(&mut self, now: Timestamp, per_second: u32, burst: u32) -> bool {
        let cost = 1000 / i64::from(per_second.max(1));
        let recovered = now.as_millisecond().saturating_sub(self.since.as_millisecond()).max(0);
        let used = self.used.saturating_sub(recovered).max(0);
        (self.used, self.since) = (used, now);
        let fits = used + cost <= cost.saturating_mul(i64::from(burst.max(1)));
        if fits {
            self.used = used + cost;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t18_a_burst_passes_and_then_so_many_a_second() {
        let (mut allowance, start) = (Allowance::default(), Timestamp::from_second(1_000_000).unwrap());
        let mut passed = |milliseconds: i64| {
            let now = start + jiff::SignedDuration::from_millis(milliseconds);
            (0..100).take_while(|_| allowance.take(now, 20, 50)).count()
        };
        assert_eq!(passed(0), 50);
        assert_eq!(passed(1000), 20);
        assert_eq!(passed(1010), 0);
        assert_eq!(passed(1050), 1);
        assert_eq!(passed(100_000), 50);
        assert_eq!(passed(0), 0, "a clock that steps back gives nothing");
    }
}
