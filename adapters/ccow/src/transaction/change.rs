//! A change, from its start to its commit. Section 5.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::survey::Survey;
use super::{Addressee, Answer, Caller, Effect, Moment, Proposal, Session, invalid_coupon};
use crate::callback::Callback;
use crate::exception::{Exception, ExceptionName};
use crate::items::{Item, ItemName, Items, Merged, Role, merge};

/// A context with its coupon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// 0 for the empty one that every session starts with.
    pub coupon: u32,
    /// All items; none is empty.
    pub items: Items,
    /// What its transaction touched; emptied subjects with nothing in their identifiers.
    pub changes: Items,
}

/// A change in progress.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) coupon: u32,
    pub(super) instigator: u32,
    pub(super) state: State,
    /// When it is cancelled, but for a call; nothing in the states that others have to end.
    pub(super) lease: Moment,
    /// When the instigator is asked whether it is there.
    pub(super) next_ping: Moment,
    /// Who was asked, and is told if it is cancelled.
    pub(super) surveyed: BTreeSet<u32>,
}

#[derive(Debug)]
pub(super) enum State {
    Changing { pending: Items },
    Surveying { merged: Merged, survey: Survey, until: Moment },
    Surveyed { merged: Merged, no_continue: bool },
    Committing { merged: Merged },
}

/// Coupons grow by up to so much, so that the next one is not known.
const COUPON_STEP: u32 = 64;
/// The first coupon is at most this.
const FIRST_COUPON: u32 = 1 << 30;

impl Transaction {
    /// The context as far as it has come.
    pub(super) fn context(&self, current: &Context) -> Arc<Context> {
        let (items, changes) = match &self.state {
            State::Changing { pending } => match merge(&current.items, pending) {
                Ok(Merged { items, changes, .. }) => (items, changes),
                Err(_) => (pending.clone(), pending.clone()),
            },
            State::Surveying { merged, .. } | State::Surveyed { merged, .. } | State::Committing { merged } => {
                (merged.items.clone(), merged.changes.clone())
            }
        };
        Arc::new(Context { coupon: self.coupon, items, changes })
    }
}

impl Session {
    pub(super) fn start(
        &mut self,
        participant: u32,
        entropy: u32,
        caller: Caller,
        now: Moment,
    ) -> Result<Answer, Exception> {
        let suspended = self.member(participant, caller)?.suspended;
        if suspended {
            let message = "the application is suspended; it changes its own context alone, or resumes first";
            return Err(Exception::new(ExceptionName::InvalidTransaction, message));
        }
        if self.is_busy() {
            return Err(Exception::new(ExceptionName::TransactionInProgress, "another change is in progress"));
        }
        let coupon = self.next_coupon(entropy)?;
        self.last_coupon = coupon;
        self.transaction = Some(Transaction {
            coupon,
            instigator: participant,
            state: State::Changing { pending: Items::default() },
            lease: now + self.rules.lease,
            next_ping: now + self.rules.silence,
            surveyed: BTreeSet::new(),
        });
        Ok(Answer::Context(coupon))
    }

    /// Greater than every coupon before, of cancelled transactions too.
    fn next_coupon(&self, entropy: u32) -> Result<u32, Exception> {
        let step = if self.last_coupon == 0 { entropy % FIRST_COUPON } else { entropy % COUPON_STEP };
        let next = self.last_coupon.checked_add(step + 1).filter(|coupon| i32::try_from(*coupon).is_ok());
        next.ok_or_else(|| {
            Exception::new(ExceptionName::GeneralFailure, "this session's coupons are used up; join anew")
        })
    }

    pub(super) fn set(
        &mut self,
        participant: u32,
        context: u32,
        items: Vec<Item>,
        caller: Caller,
        now: Moment,
    ) -> Result<(), Exception> {
        let sets_secure = self.member(participant, caller)?.sets_secure;
        let (max_items, max_size) = (self.rules.max_items, self.rules.max_size);
        let transaction = self.in_progress(context)?;
        if transaction.instigator != participant {
            return Err(Exception::new(ExceptionName::ChangesNotAllowed, "another application began this change"));
        }
        let State::Changing { pending } = &mut transaction.state else {
            return Err(Exception::new(
                ExceptionName::ChangesNotPossible,
                "the change has ended; nothing can be added",
            ));
        };
        let mut changed = pending.clone();
        for Item { name, value } in items {
            check_item(&name, &value, sets_secure)?;
            // Whoever knows it passes for the user: it is kept nowhere.
            if !name.is_bearer_secret() {
                changed.set(name, value);
            }
        }
        if changed.len() > max_items || changed.size() > max_size {
            return Err(Exception::new(ExceptionName::BadItemValue, "the context would be larger than is kept"));
        }
        *pending = changed;
        self.refresh(participant, now);
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        context: u32,
        caller: Caller,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Answer>, Exception> {
        let current = Arc::clone(&self.current);
        let (max_items, max_size, until) = (self.rules.max_items, self.rules.max_size, now + self.rules.survey_time);
        let transaction = self.own_transaction(context, caller)?;
        let State::Changing { pending } = &transaction.state else {
            return Err(Exception::new(ExceptionName::ChangesNotPossible, "the change has ended already"));
        };
        let merged = merge(&current.items, pending)?;
        if merged.items.len() > max_items || merged.items.size() > max_size {
            return Err(Exception::new(ExceptionName::InvalidTransaction, "the context would be larger than is kept"));
        }
        let instigator = transaction.instigator;
        let mut survey = Survey::default();
        for (coupon, participant) in &self.participants {
            let asked = *coupon != instigator && participant.survey && participant.follows(&merged.changed);
            if let Some(to) = participant.addressee(*coupon).filter(|_| asked) {
                survey.awaited.insert(*coupon);
                effects.push(Effect::Ask { to, context });
            }
        }
        let transaction = self.own_transaction(context, caller)?;
        transaction.surveyed.clone_from(&survey.awaited);
        transaction.state = State::Surveying { merged, survey, until };
        self.refresh(instigator, now);
        Ok(self.conclude(now))
    }

    pub(super) fn undo(&mut self, context: u32, caller: Caller, effects: &mut Vec<Effect>) -> Result<(), Exception> {
        let transaction = self.own_transaction(context, caller)?;
        if !matches!(transaction.state, State::Changing { .. }) {
            return Err(Exception::new(ExceptionName::UndoNotPossible, "the change has ended; publish cancel instead"));
        }
        self.cancel("the change was undone", effects);
        Ok(())
    }

    pub(super) fn publish(
        &mut self,
        context: u32,
        accept: bool,
        caller: Caller,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Answer>, Exception> {
        let transaction = self.own_transaction(context, caller)?;
        let instigator = transaction.instigator;
        let merged = match &mut transaction.state {
            State::Changing { .. } | State::Surveying { .. } => {
                let message = "the change has not ended; call EndContextChanges and await its answer first";
                return Err(Exception::new(ExceptionName::ChangesNotEnded, message));
            }
            State::Committing { .. } => {
                return Err(Exception::new(ExceptionName::TransactionInProgress, "the change is being committed"));
            }
            State::Surveyed { .. } if !accept => {
                self.cancel("the change was cancelled", effects);
                return Ok(Some(Answer::Published));
            }
            State::Surveyed { no_continue: true, .. } => {
                let message =
                    "an application gave no answer, so the change cannot be forced; publish cancel, and try again";
                return Err(Exception::new(ExceptionName::AcceptNotPossible, message));
            }
            State::Surveyed { merged, .. } => std::mem::take(merged),
        };
        let application = self.participants.get(&instigator).and_then(|own| own.addressee(instigator));
        let proposal = application.map(|Addressee { application, address, .. }| Proposal {
            context,
            application,
            address,
            before: Arc::clone(&self.current),
            after: merged.items.clone(),
            changed: merged.changed.clone(),
        });
        let transaction = self.own_transaction(context, caller)?;
        transaction.state = State::Committing { merged };
        match proposal {
            Some(proposal) => {
                effects.push(Effect::Commit(proposal));
                Ok(None)
            }
            // The gateway's own changes were kept before they came here.
            None => {
                self.commit(effects);
                Ok(Some(Answer::Published))
            }
        }
    }

    pub(super) fn committed(&mut self, context: u32, kept: Result<(), String>, effects: &mut Vec<Effect>) {
        let Some(Transaction { coupon, state: State::Committing { .. }, .. }) = &self.transaction else { return };
        if *coupon != context {
            return;
        }
        let result = match kept {
            Ok(()) => Ok(Answer::Published),
            Err(reason) => Err(Exception::new(ExceptionName::GeneralFailure, reason)),
        };
        let is_kept = result.is_ok();
        effects.push(Effect::Finished { context, result });
        if is_kept { self.commit(effects) } else { self.discard(effects) }
    }

    /// Swaps the contexts, and only then tells the others: what they read then is the new one.
    fn commit(&mut self, effects: &mut Vec<Effect>) {
        let Some(Transaction { coupon, instigator, state: State::Committing { merged }, .. }) = self.transaction.take()
        else {
            return;
        };
        let Merged { items, changes, changed } = merged;
        self.current = Arc::new(Context { coupon, items, changes });
        for (participant, told) in &self.participants {
            let follows = *participant != instigator && told.follows(&changed);
            let to = told.addressee(*participant).filter(|_| follows);
            effects.extend(to.map(|to| Effect::Tell { to, callback: Callback::ChangesAccepted(coupon) }));
        }
        effects.push(Effect::Free);
    }

    /// Ends the transaction without a change, whatever state it is in, and answers whoever waits for it.
    pub(super) fn cancel(&mut self, why: &str, effects: &mut Vec<Effect>) {
        if let Some(Transaction { coupon, state: State::Surveying { .. }, .. }) = &self.transaction {
            let exception = Exception::new(ExceptionName::NotInTransaction, why);
            effects.push(Effect::Finished { context: *coupon, result: Err(exception) });
        }
        self.discard(effects);
    }

    /// Forgets the transaction, and tells those who were asked.
    fn discard(&mut self, effects: &mut Vec<Effect>) {
        let Some(Transaction { coupon, surveyed, .. }) = self.transaction.take() else { return };
        for participant in surveyed {
            let to = self.participants.get(&participant).and_then(|asked| asked.addressee(participant));
            effects.extend(to.map(|to| Effect::Tell { to, callback: Callback::ChangesCanceled(coupon) }));
        }
        effects.push(Effect::Free);
    }

    /// Renews the lease of a transaction whose instigator has called.
    pub(super) fn refresh(&mut self, participant: u32, now: Moment) {
        let (lease, next_ping) = (now + self.rules.lease, now + self.rules.silence);
        if let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.instigator == participant)
        {
            (transaction.lease, transaction.next_ping) = (lease, next_ping);
        }
    }

    fn in_progress(&mut self, context: u32) -> Result<&mut Transaction, Exception> {
        let none = || Exception::new(ExceptionName::NotInTransaction, "no change is in progress; it may have lapsed");
        let transaction = self.transaction.as_mut().ok_or_else(none)?;
        if transaction.coupon == context { Ok(transaction) } else { Err(invalid_coupon(context)) }
    }

    /// The transaction, for whoever calls from where its instigator is.
    fn own_transaction(&mut self, context: u32, caller: Caller) -> Result<&mut Transaction, Exception> {
        let instigator = self.in_progress(context)?.instigator;
        // An instigator that has gone leaves a transaction only while it commits.
        self.member(instigator, caller).map_err(|_| invalid_coupon(context))?;
        self.in_progress(context)
    }
}

fn check_item(name: &ItemName, value: &str, sets_secure: bool) -> Result<(), Exception> {
    if name.subject().is_secure() && !sets_secure {
        let message =
            format!("{:?} is secure: only applications that the gateway is told to trust set it", name.subject());
        return Err(Exception::new(ExceptionName::SignatureRequired, message));
    }
    if matches!(name.role(), Role::Input | Role::Output) {
        return Err(Exception::new(ExceptionName::BadItemType, "the items of actions are no part of a context"));
    }
    if value.contains(|character: char| character.is_control() && !"\t\r\n".contains(character)) {
        return Err(Exception::new(ExceptionName::BadItemValue, "a value holds a control character"));
    }
    Ok(())
}
