//! Who has joined: joining, leaving, suspending, pinging, evicting. Section 7.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Addressee, Answer, Caller, Effect, Endpoint, Farewell, Joining, Moment, Session};
use crate::callback::Callback;
use crate::exception::{Exception, ExceptionName};
use crate::items::Subject;

/// An application that has joined.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) application: Arc<str>,
    pub(super) endpoint: Endpoint,
    /// Where it joined from; none of the gateway's own.
    pub(super) address: Option<IpAddr>,
    pub(super) survey: bool,
    pub(super) suspended: bool,
    pub(super) sets_secure: bool,
    pub(super) filter: Option<BTreeSet<Subject>>,
    pub(super) next_ping: Moment,
    /// Whether a ping has not been answered yet.
    pub(super) pinging: bool,
    /// Pings in a row that were not answered.
    pub(super) missed: u32,
    /// Whether it has failed where it mattered, so that one missed ping is enough.
    pub(super) suspect: bool,
}

/// The greatest participant coupon: one client takes ten digits, others a signed number of 32 bits. Section 2.2.
const GREATEST_COUPON: u32 = i32::MAX as u32;
/// In bytes; a person has to read it.
const LONGEST_APPLICATION: usize = 128;

impl Participant {
    /// How it is called; the gateway's own participant is not.
    pub(super) fn addressee(&self, participant: u32) -> Option<Addressee> {
        let (Endpoint::Application(url), Some(address)) = (&self.endpoint, self.address) else { return None };
        Some(Addressee { participant, application: Arc::clone(&self.application), url: url.clone(), address })
    }

    /// Whether a change of these subjects concerns it.
    pub(super) fn follows(&self, changed: &BTreeSet<Subject>) -> bool {
        !self.suspended && self.filter.as_ref().is_none_or(|filter| !filter.is_disjoint(changed))
    }

    pub(super) fn has_answered(&mut self) {
        self.missed = 0;
        self.suspect = false;
    }
}

impl Session {
    pub(super) fn join(
        &mut self,
        joining: Joining,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Exception> {
        let refuse = |name, message: &str| Err(Exception::new(name, message));
        let application = joining.application.trim();
        if application.is_empty() || application.len() > LONGEST_APPLICATION || application.contains(char::is_control) {
            return refuse(ExceptionName::GeneralFailure, "applicationName is missing, too long or not printable");
        }
        let application = self.numbered(application, joining.entropy);
        self.replace_stale(&application, &joining.endpoint, caller, now, effects);
        if let Some(holder) = self.rules.unique_names.then(|| self.holder(&application)).flatten() {
            // If the holder has died, the next attempt succeeds.
            self.suspect(holder, now, effects);
            return refuse(ExceptionName::AlreadyJoined, "an application of this name has joined already");
        }
        if self.is_busy() {
            return refuse(ExceptionName::TransactionInProgress, "a change is in progress; join when it has ended");
        }
        if self.participants.len() >= self.rules.max_participants {
            return refuse(ExceptionName::TooManyParticipants, "as many applications have joined as may");
        }
        let coupon = self.free_coupon(joining.entropy);
        let address = match caller {
            Caller::Gateway => None,
            Caller::Peer(address) => Some(address),
        };
        let participant = Participant {
            application: application.into(),
            endpoint: joining.endpoint,
            address,
            survey: joining.survey,
            suspended: false,
            sets_secure: joining.sets_secure,
            filter: None,
            next_ping: now + self.rules.ping_interval,
            pinging: false,
            missed: 0,
            suspect: false,
        };
        self.participants.insert(coupon, participant);
        Ok(Answer::Participant(coupon))
    }

    /// A name that ends in `#` with a number of four digits instead, so that copies of an application can join.
    fn numbered(&self, application: &str, entropy: u32) -> String {
        let Some(start) = application.strip_suffix('#') else { return application.to_owned() };
        let numbers = (0..10_000).map(|step| format!("{start}#{:04}", (u64::from(entropy) + step) % 10_000));
        numbers.into_iter().find(|name| self.holder(name).is_none()).unwrap_or_else(|| application.to_owned())
    }

    /// An application that joins from where it has joined before was restarted. Another machine's is another one, whatever
    /// address it gives.
    fn replace_stale(
        &mut self,
        application: &str,
        endpoint: &Endpoint,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let is_stale = |participant: &Participant| {
            participant.application.eq_ignore_ascii_case(application)
                && participant.endpoint == *endpoint
                && self.may_use(participant.address, caller)
        };
        let stale = self.participants.iter().find(|(_, participant)| is_stale(participant)).map(|(coupon, _)| *coupon);
        if let Some(coupon) = stale {
            self.evict(coupon, Farewell::Replaced, now, effects);
        }
    }

    fn holder(&self, application: &str) -> Option<u32> {
        let holds = |participant: &Participant| participant.application.eq_ignore_ascii_case(application);
        self.participants.iter().find(|(_, participant)| holds(participant)).map(|(coupon, _)| *coupon)
    }

    /// A coupon that cannot be guessed and that nobody has.
    fn free_coupon(&self, entropy: u32) -> u32 {
        let first = entropy % GREATEST_COUPON;
        let candidates = (0..=self.rules.max_participants as u32).map(|step| (first + step) % GREATEST_COUPON + 1);
        candidates.into_iter().find(|coupon| !self.participants.contains_key(coupon)).unwrap_or(GREATEST_COUPON)
    }

    pub(super) fn leave(
        &mut self,
        coupon: u32,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Exception> {
        self.member(coupon, caller)?;
        self.evict(coupon, Farewell::Left, now, effects);
        Ok(())
    }

    pub(super) fn suspend(
        &mut self,
        coupon: u32,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Exception> {
        self.member(coupon, caller)?.suspended = true;
        self.withdraw(coupon, now, effects);
        Ok(())
    }

    pub(super) fn resume(&mut self, coupon: u32, caller: Caller) -> Result<(), Exception> {
        let busy = self.is_busy();
        let participant = self.member(coupon, caller)?;
        if busy && participant.suspended {
            let message = "a change is in progress; resume when it has ended";
            return Err(Exception::new(ExceptionName::TransactionInProgress, message));
        }
        participant.suspended = false;
        Ok(())
    }

    pub(super) fn filter(
        &mut self,
        coupon: u32,
        subjects: Option<BTreeSet<Subject>>,
        caller: Caller,
        now: Moment,
    ) -> Result<(), Exception> {
        let too_many = subjects.as_ref().is_some_and(|subjects| subjects.len() > self.rules.max_items);
        if too_many {
            return Err(Exception::new(ExceptionName::GeneralFailure, "a filter of so many subjects is not kept"));
        }
        self.member(coupon, caller)?.filter = subjects;
        self.refresh(coupon, now);
        Ok(())
    }

    pub(super) fn pinged(&mut self, coupon: u32, alive: bool, now: Moment, effects: &mut Vec<Effect>) {
        let most = self.rules.max_missed;
        let Some(participant) = self.participants.get_mut(&coupon) else { return };
        participant.pinging = false;
        if alive {
            return participant.has_answered();
        }
        participant.missed += 1;
        if participant.suspect || participant.missed >= most {
            self.evict(coupon, Farewell::Unreachable, now, effects);
        }
    }

    /// Asks at once whether a participant is there, for it has failed where it mattered; one miss will be enough.
    pub(super) fn suspect(&mut self, coupon: u32, now: Moment, effects: &mut Vec<Effect>) {
        if let Some(participant) = self.participants.get_mut(&coupon) {
            participant.suspect = true;
            self.ping(coupon, now, effects);
        }
    }

    pub(super) fn ping(&mut self, coupon: u32, now: Moment, effects: &mut Vec<Effect>) {
        let interval = self.rules.ping_interval;
        let Some(participant) = self.participants.get_mut(&coupon) else { return };
        participant.next_ping = now + interval;
        let Some(to) = participant.addressee(coupon) else { return };
        if !std::mem::replace(&mut participant.pinging, true) {
            effects.push(Effect::Ping { to });
        }
    }

    /// Takes a participant out, and its part in the transaction with it.
    pub(super) fn evict(&mut self, coupon: u32, why: Farewell, now: Moment, effects: &mut Vec<Effect>) {
        let Some(participant) = self.participants.remove(&coupon) else { return };
        self.withdraw(coupon, now, effects);
        effects.push(Effect::Gone { participant: coupon, application: participant.application, why });
    }

    pub(super) fn terminate(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let coupons: Vec<u32> = self.participants.keys().copied().collect();
        for (coupon, participant) in &self.participants {
            effects
                .extend(participant.addressee(*coupon).map(|to| Effect::Tell { to, callback: Callback::Terminated }));
        }
        coupons.into_iter().for_each(|coupon| self.evict(coupon, Farewell::Terminated, now, effects));
    }
}
