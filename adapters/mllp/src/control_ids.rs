//! MSH-10 of our own answers: at most 20 characters, and never the same twice, over restarts too. HL7 v2 reference, section
//! 3.1.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

/// Gives control ids: ten characters of time, ten that count on from a random number.
#[derive(Debug)]
pub(crate) struct ControlIds(AtomicU64);

impl ControlIds {
    /// Counts on from a number that no other start has.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Uuid::new_v4().as_u64_pair().1))
    }

    pub(crate) fn next(&self, now: Timestamp) -> String {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(2 * HALF);
        push(&mut id, now.as_millisecond().unsigned_abs());
        push(&mut id, count);
        id
    }
}

const HALF: usize = 10;
/// Base 32 without letters that are taken for digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes the lowest 50 bits.
fn push(id: &mut String, number: u64) {
    let digit = |place: usize| char::from(DIGITS[(number >> (5 * place)) as usize & 31]);
    id.extend((0..HALF).rev().map(digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_sortable_by_time_and_never_the_same() {
        let [now, later] = [1_767_268_800, 1_767_268_801].map(|second| Timestamp::from_second(second).unwrap());
        let ids = ControlIds::new();
        let [a, b, c] = [ids.next(now), ids.next(now), ids.next(later)];
        assert!([&a, &b, &c].iter().all(|id| id.len() == 20));
        assert_ne!(a, b);
        assert_eq!(a[..10], b[..10]);
        assert!(a[..10] < c[..10]);
        assert_ne!(ControlIds::new().next(now), ControlIds::new().next(now), "another start counts on from elsewhere");
    }
}
