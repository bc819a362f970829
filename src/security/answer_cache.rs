//! What was answered about tokens, for a short while and a bounded number of them.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

/// The SHA-256 of a token: the cache is no place to steal tokens from.
pub(super) type TokenHash = [u8; 32];

/// Answers by token, the oldest giving way.
pub(super) struct AnswerCache<T> {
    most: usize,
    answers: HashMap<TokenHash, Answer<T>>,
    /// In the order in which they came.
    order: VecDeque<TokenHash>,
}

struct Answer<T> {
    from: Timestamp,
    until: Timestamp,
    value: T,
}

impl<T: Clone> AnswerCache<T> {
    /// Room for `most` answers.
    pub(super) fn new(most: usize) -> Self {
        Self { most, answers: HashMap::new(), order: VecDeque::new() }
    }

    /// What was answered about `token`, if that holds at `now`: not after its end, nor before it was answered, as a clock
    /// that is set back must not make an answer last.
    pub(super) fn get(&self, token: &TokenHash, now: Timestamp) -> Option<T> {
        let answer = self.answers.get(token)?;
        (answer.from <= now && now < answer.until).then(|| answer.value.clone())
    }

    /// Keeps `value` from `from` until `until`.
    pub(super) fn put(&mut self, token: TokenHash, value: T, from: Timestamp, until: Timestamp) {
        if self.answers.insert(token, Answer { from, until, value }).is_none() {
            self.order.push_back(token);
        }
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn t16_an_answer_holds_for_its_time_even_when_the_clock_is_set_back() {
        let mut cache = AnswerCache::new(2);
        cache.put([1; 32], "one", second(100), second(160));
        let at = |now| cache.get(&[1; 32], second(now));
        assert_eq!((at(100), at(159), at(160), at(99)), (Some("one"), Some("one"), None, None));
    }

    #[test]
    fn t16_the_oldest_answer_gives_way() {
        let mut cache = AnswerCache::new(2);
        for token in [1, 2, 2, 3] {
            cache.put([token; 32], token, second(0), second(9));
        }
        assert_eq!([1, 2, 3].map(|token| cache.get(&[token; 32], second(1))), [None, Some(2), Some(3)]);
        assert_eq!((cache.answers.len(), cache.order.len()), (2, 2));
    }
}
