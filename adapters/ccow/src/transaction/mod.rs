//! The common context of one desktop, and the one transaction that may change it. Sections 5 and 7.
//!
//! ```text
//!  idle ──start──► changing ──end──► surveying ──all have voted, or time is up──► surveyed
//!                  │  ▲  │                                                          │
//!              set └──┘  └─undo─► idle             cancel ─► idle ◄─ not kept ─ committing ◄─ accept
//!                                                                                   └─ kept ─► idle
//! ```
//!
//! A state machine without I/O or clock: [`Session::apply`] takes a command and the time, and gives its result and what is
//! to be done, in order. Every call that waits (an end for its survey, an acceptance for its commit) is finished by one later
//! [`Effect::Finished`]. Nobody's silence keeps a session: votes have a time, transactions a lease, participants are pinged
//! and evicted. Only a commit is waited for as long as it takes, since what the gateway has kept cannot be taken back.

mod change;
mod command;
mod participant;
mod survey;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use change::Context;
use change::Transaction;
pub use command::{Addressee, Answer, Applied, Caller, Command, Effect, Endpoint, Farewell, Joining, Proposal};
use participant::Participant;

use crate::exception::{Exception, ExceptionName};
use crate::items::Subject;

/// A point in time, since whatever moment the session's owner counts from.
pub type Moment = Duration;

/// What a session is bounded by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Applications that may have joined at once.
    pub max_participants: usize,
    /// Items of a context.
    pub max_items: usize,
    /// Bytes of a context's names and values.
    pub max_size: usize,
    /// Time in which participants vote.
    pub survey_time: Duration,
    /// Time without a call after which a transaction is cancelled.
    pub lease: Duration,
    /// Time without a call after which an instigator is asked whether it is there.
    pub silence: Duration,
    /// Between two pings of a participant.
    pub ping_interval: Duration,
    /// Pings without an answer after which a participant is evicted.
    pub max_missed: u32,
    /// Refuse a second application of a name.
    pub unique_names: bool,
    /// Take a coupon only from the address that joined with it.
    pub coupons_have_addresses: bool,
}

impl Default for Rules {
    /// Section 7, its table of timers.
    fn default() -> Self {
        Self {
            max_participants: 64,
            max_items: 256,
            max_size: 64 << 10,
            survey_time: Duration::from_secs(8),
            lease: Duration::from_secs(60),
            silence: Duration::from_secs(15),
            ping_interval: Duration::from_secs(45),
            max_missed: 2,
            unique_names: true,
            coupons_have_addresses: true,
        }
    }
}

/// The common context of one desktop.
#[derive(Debug)]
pub struct Session {
    rules: Rules,
    participants: BTreeMap<u32, Participant>,
    /// The context committed last.
    current: Arc<Context>,
    transaction: Option<Transaction>,
    /// The greatest context coupon given out.
    last_coupon: u32,
    /// Since when nobody has joined.
    empty_since: Option<Moment>,
}

impl Session {
    /// An empty context that nobody has joined.
    pub fn new(rules: Rules, now: Moment) -> Self {
        Self {
            rules,
            participants: BTreeMap::new(),
            current: Arc::default(),
            transaction: None,
            last_coupon: 0,
            empty_since: Some(now),
        }
    }

    /// Does what `command` says, after what time has brought about.
    pub fn apply(&mut self, command: Command, caller: Caller, now: Moment) -> Applied {
        let mut effects = Vec::new();
        self.expire(now, &mut effects);
        let result = self.obey(command, caller, now, &mut effects);
        match (self.participants.is_empty(), self.empty_since) {
            (true, None) => self.empty_since = Some(now),
            (false, Some(_)) => self.empty_since = None,
            _ => {}
        }
        Applied { result, effects }
    }

    fn obey(
        &mut self,
        command: Command,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Answer>, Exception> {
        match command {
            Command::Join(joining) => return self.join(joining, caller, now, effects).map(Some),
            Command::Leave { participant } => self.leave(participant, caller, now, effects)?,
            Command::Suspend { participant } => self.suspend(participant, caller, now, effects)?,
            Command::Resume { participant } => self.resume(participant, caller)?,
            Command::Filter { participant, subjects } => self.filter(participant, subjects, caller, now)?,
            Command::Start { participant, entropy } => return self.start(participant, entropy, caller, now).map(Some),
            Command::Set { participant, context, items } => self.set(participant, context, items, caller, now)?,
            Command::End { context } => return self.end(context, caller, now, effects),
            Command::Undo { context } => self.undo(context, caller, effects)?,
            Command::Publish { context, accept } => return self.publish(context, accept, caller, effects),
            Command::Voted { participant, context, vote } => self.voted(participant, context, vote, now, effects),
            Command::Committed { context, kept } => self.committed(context, kept, effects),
            Command::Pinged { participant, alive } => self.pinged(participant, alive, now, effects),
            Command::Lost { participant } => self.evict(participant, Farewell::Lost, now, effects),
            Command::Tick => {}
            Command::Terminate => self.terminate(now, effects),
        }
        Ok(Some(Answer::Void))
    }

    /// The coupon of the context committed last; 0 as long as nothing was.
    pub fn most_recent(&self) -> u32 {
        self.current.coupon
    }

    /// The context of a coupon: the committed one, or the one of the transaction as far as it has come.
    ///
    /// # Errors
    /// [`ExceptionName::InvalidContextCoupon`].
    pub fn context(&self, coupon: u32) -> Result<Arc<Context>, Exception> {
        if coupon == self.current.coupon {
            return Ok(Arc::clone(&self.current));
        }
        let pending = self.transaction.as_ref().filter(|transaction| transaction.coupon == coupon);
        pending.map(|transaction| transaction.context(&self.current)).ok_or_else(|| invalid_coupon(coupon))
    }

    /// The filter of a participant.
    ///
    /// # Errors
    /// It has not joined, or set none.
    pub fn subjects_of_interest(&self, participant: u32, caller: Caller) -> Result<&BTreeSet<Subject>, Exception> {
        let filter = self.participant(participant, caller)?.filter.as_ref();
        filter.ok_or_else(|| {
            Exception::new(ExceptionName::FilterNotSet, "no filter is set; all subjects are of interest")
        })
    }

    /// The applications that have joined, with their coupons.
    pub fn applications(&self) -> impl Iterator<Item = (u32, &str)> {
        self.participants.iter().map(|(coupon, participant)| (*coupon, &*participant.application))
    }

    /// The participants whose page has opened its socket under this key. Section 6.3.
    pub fn pages(&self, key: &str) -> Vec<u32> {
        let is_page = |participant: &Participant| match &participant.endpoint {
            Endpoint::Application(url) => url.page_key().as_deref() == Some(key),
            Endpoint::Gateway => false,
        };
        self.participants.iter().filter(|(_, participant)| is_page(participant)).map(|(coupon, _)| *coupon).collect()
    }

    /// Whether a change is under way.
    pub fn is_busy(&self) -> bool {
        self.transaction.is_some()
    }

    /// Since when nobody has joined; `None` while somebody has.
    pub fn empty_since(&self) -> Option<Moment> {
        self.empty_since.filter(|_| self.transaction.is_none())
    }

    fn participant(&self, coupon: u32, caller: Caller) -> Result<&Participant, Exception> {
        let found = self.participants.get(&coupon);
        found.filter(|participant| self.may_use(participant.address, caller)).ok_or_else(|| unknown_participant(coupon))
    }

    /// A participant that has just called, and so is alive.
    fn member(&mut self, coupon: u32, caller: Caller) -> Result<&mut Participant, Exception> {
        self.participant(coupon, caller)?;
        let participant = self.participants.get_mut(&coupon).ok_or_else(|| unknown_participant(coupon))?;
        participant.has_answered();
        Ok(participant)
    }

    /// Whether `caller` may use what was given to `owner`. A machine's own addresses are all one.
    fn may_use(&self, owner: Option<IpAddr>, caller: Caller) -> bool {
        match (owner, caller) {
            (_, Caller::Gateway) => true,
            (None, Caller::Peer(_)) => false,
            (Some(owner), Caller::Peer(address)) => {
                let (owner, address) = (owner.to_canonical(), address.to_canonical());
                !self.rules.coupons_have_addresses || owner == address || (owner.is_loopback() && address.is_loopback())
            }
        }
    }
}

fn unknown_participant(coupon: u32) -> Exception {
    Exception::new(ExceptionName::UnknownParticipant, format!("no application has joined with the coupon {coupon}"))
}

fn invalid_coupon(coupon: u32) -> Exception {
    let message = format!("{coupon} is the coupon of neither the most recent context nor the transaction in progress");
    Exception::new(ExceptionName::InvalidContextCoupon, message)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
