//! What time brings about: surveys end, leases lapse, participants are pinged. Section 7.

use super::change::{State, Transaction};
use super::{Effect, Moment, Session};

impl Session {
    /// When time will bring something about next, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Moment> {
        let transaction = self.transaction.as_ref().and_then(|transaction| match &transaction.state {
            State::Surveying { until, .. } => Some(*until),
            State::Committing { .. } => None,
            State::Changing { .. } | State::Surveyed { .. } => Some(transaction.lease.min(transaction.next_ping)),
        });
        let pinged = self.participants.values().filter(|participant| participant.address.is_some());
        pinged.map(|participant| participant.next_ping).chain(transaction).min()
    }

    pub(super) fn expire(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        match &self.transaction {
            Some(Transaction { state: State::Surveying { until, .. }, .. }) if *until <= now => {
                self.close_survey(now, effects);
            }
            Some(Transaction { state: State::Changing { .. } | State::Surveyed { .. }, lease, .. })
                if *lease <= now =>
            {
                self.cancel("the change has lapsed", effects);
            }
            Some(Transaction {
                state: State::Changing { .. } | State::Surveyed { .. }, next_ping, instigator, ..
            }) if *next_ping <= now => {
                let instigator = *instigator;
                self.suspect(instigator, now, effects);
                let next_ping = now + self.rules.silence;
                self.transaction.iter_mut().for_each(|transaction| transaction.next_ping = next_ping);
            }
            _ => {}
        }
        self.ping_all(now, effects);
    }

    fn ping_all(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let due = self.participants.iter().filter(|(_, participant)| participant.next_ping <= now);
        let due: Vec<u32> = due.map(|(coupon, _)| *coupon).collect();
        for coupon in due {
            // A ping that is not answered by the time of the next is missed.
            let unanswered = self.participants.get(&coupon).is_some_and(|participant| participant.pinging);
            if unanswered {
                self.pinged(coupon, false, now, effects);
            }
            self.ping(coupon, now, effects);
        }
    }
}
