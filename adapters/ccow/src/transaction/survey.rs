//! A survey of the participants: who is awaited, what they say, and what becomes of it. Section 5.

use std::collections::BTreeSet;

use super::change::{State, Transaction};
use super::{Answer, Effect, Moment, Session};
use crate::callback::Vote;

/// A survey under way.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) awaited: BTreeSet<u32>,
    no_continue: bool,
    responses: Vec<String>,
}

impl Session {
    pub(super) fn voted(&mut self, participant: u32, context: u32, vote: Vote, now: Moment, effects: &mut Vec<Effect>) {
        if vote == Vote::NoAnswer {
            self.suspect(participant, now, effects);
        } else if let Some(participant) = self.participants.get_mut(&participant) {
            participant.has_answered();
        }
        let Some(Transaction { coupon, state: State::Surveying { survey, .. }, .. }) = &mut self.transaction else {
            return;
        };
        if *coupon != context || !survey.awaited.remove(&participant) {
            return;
        }
        match vote {
            Vote::Accept => {}
            Vote::Conditional(reason) => survey.responses.push(reason),
            Vote::NoAnswer => survey.no_continue = true,
        }
        self.finish_survey(now, effects);
    }

    /// Counts who has not voted in time as giving no answer.
    pub(super) fn close_survey(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some(Transaction { state: State::Surveying { survey, .. }, .. }) = &mut self.transaction else { return };
        let silent = std::mem::take(&mut survey.awaited);
        survey.no_continue |= !silent.is_empty();
        silent.into_iter().for_each(|participant| self.suspect(participant, now, effects));
        self.finish_survey(now, effects);
    }

    fn finish_survey(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if let Some(answer) = self.conclude(now)
            && let Some(Transaction { coupon, .. }) = &self.transaction
        {
            effects.push(Effect::Finished { context: *coupon, result: Ok(answer) });
        }
    }

    /// The survey's result, once nobody is awaited.
    pub(super) fn conclude(&mut self, now: Moment) -> Option<Answer> {
        let (lease, next_ping) = (now + self.rules.lease, now + self.rules.silence);
        let transaction = self.transaction.as_mut()?;
        let State::Surveying { merged, survey, .. } = &mut transaction.state else { return None };
        if !survey.awaited.is_empty() {
            return None;
        }
        let Survey { no_continue, responses, .. } = std::mem::take(survey);
        transaction.state = State::Surveyed { merged: std::mem::take(merged), no_continue };
        (transaction.lease, transaction.next_ping) = (lease, next_ping);
        Some(Answer::Surveyed { no_continue, responses })
    }

    /// What a transaction loses with a participant that goes or no longer follows: its instigator, or a vote, which then
    /// counts as acceptance.
    pub(super) fn withdraw(&mut self, participant: u32, now: Moment, effects: &mut Vec<Effect>) {
        let Some(transaction) = &mut self.transaction else { return };
        transaction.surveyed.remove(&participant);
        match &mut transaction.state {
            // What was handed over cannot be taken back.
            State::Committing { .. } => {}
            _ if transaction.instigator == participant => {
                self.cancel("the application that began the change has gone", effects)
            }
            State::Surveying { survey, .. } => {
                if survey.awaited.remove(&participant) {
                    self.finish_survey(now, effects);
                }
            }
            State::Changing { .. } | State::Surveyed { .. } => {}
        }
    }
}
