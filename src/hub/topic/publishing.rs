//! What an event does to its topic, and who is sent what of it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::command::{Action, Change, Effects, Outcome, Recipient, Refusal, Told, Unopened};
use super::contexts::{Context, Contexts};
use super::history::Past;
use super::{Topic, later};
use crate::fhircast::selection::Selection;
use crate::fhircast::subject::{Closing, Opening};
use crate::fhircast::update::{ContentChange, Update};
use crate::fhircast::{Event, ResourceKey, Subject, Version, Versions};
use crate::hub::policy::{AnchorNotOpen, Policy, Resend};

/// By so much the clock of a system that tells a close may be behind, where an open told no time of its own.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_secs(60);

impl Topic {
    /// REQ-06, REQ-11. A refusal changes nothing.
    pub(super) fn publish(
        &mut self,
        event: Arc<Event>,
        version: Version,
        policy: &Policy,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if policy.session_required && !self.is_session() {
            return Err(Refusal::SessionUnknown);
        }
        let past = self.history.find(&event).cloned();
        if let Some(past) = past.as_ref().filter(|past| policy.resend == Resend::Answer && !past.failed) {
            effects.outcome = past.outcome;
            return Ok(());
        }
        let id_was_taken = past.is_none() && self.history.id_is_taken(&event);
        let told = match &event.subject {
            Subject::Close(closing) => self.close(&event, closing, policy, effects)?,
            Subject::Home => self.leave(&event),
            Subject::Logout => self.clear(&event, effects),
            Subject::Nothing => Told::as_it_came(&event, None),
            Subject::Open(opening) => self.open(&event, opening, version, past.as_ref(), now, effects),
            Subject::Select(selection) => self.select(&event, selection, policy)?,
            Subject::Update(update) => self.update(&event, update, version, past.as_ref(), policy, effects)?,
        };
        self.touched = now;
        effects.outcome =
            Outcome { version: told.versions.map(|versions| versions.current), partial: told.partial, id_was_taken };
        self.history.note(&event, self.sequence, told.versions, effects.outcome);
        effects.changes.push(Change::Accepted);
        self.sequence += 1;
        effects.told = Some(told);
        Ok(())
    }

    /// CTX-05, UPD-01. An open that was accepted before the one that made the current context is told again and moves nothing:
    /// subscribers ignore what is older than their context (CLI-35).
    fn open(
        &mut self,
        event: &Arc<Event>,
        opening: &Opening,
        version: Version,
        past: Option<&Past>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Told {
        let current = self.contexts.current();
        let overtaken = past.filter(|past| current.is_some_and(|current| past.sequence < current.opened_at));
        if let Some(past) = overtaken {
            let known = self.contexts.get(&opening.anchor).map(|context| context.version.into());
            return Told::as_it_came(event, known.or(past.versions));
        }
        let since = event.occurred.or(now.checked_sub(TOLERATED_SKEW).ok()).unwrap_or(now);
        let gone = self.contexts.open(&opening.anchor, Arc::clone(event), version, self.sequence, since);
        effects.changes.extend(gone.map(Change::Closed));
        effects.changes.push(Change::Opened);
        Told::as_it_came(event, Some(version.into()))
    }

    /// CTX-03, CTX-04, CTX-06, UPD-10. A close that happened before the open that now stands was meant for an earlier one: a system
    /// that was cut off tells what it has kept.
    fn close(
        &mut self,
        event: &Arc<Event>,
        closing: &Closing,
        policy: &Policy,
        effects: &mut Effects,
    ) -> Result<Told, Refusal> {
        let anchor = closing.anchor.clone().or_else(|| self.current_of(&closing.resource_type));
        let standing = anchor.as_ref().and_then(|anchor| self.contexts.get(anchor));
        if standing.zip(event.occurred).is_some_and(|(context, occurred)| occurred < context.since) {
            return Err(Refusal::Outdated);
        }
        if let Some(closed) = anchor.filter(|anchor| self.contexts.close(anchor)) {
            effects.changes.push(Change::Closed(closed));
        } else if policy.close_of_unopened != AnchorNotOpen::Accept {
            return Err(Refusal::AnchorNotOpen(Unopened::Close));
        }
        Ok(Told::as_it_came(event, None))
    }

    /// CTX-08.
    fn leave(&mut self, event: &Arc<Event>) -> Told {
        self.contexts.leave();
        Told::as_it_came(event, None)
    }

    /// CTX-08.
    fn clear(&mut self, event: &Arc<Event>, effects: &mut Effects) -> Told {
        self.contexts = Contexts::new(self.limits.max_contexts);
        effects.changes.push(Change::Cleared);
        Told::as_it_came(event, None)
    }

    /// SEL-01: in the current context only.
    fn select(&self, event: &Arc<Event>, selection: &Selection, policy: &Policy) -> Result<Told, Refusal> {
        let anchor = selection.anchor.clone().or_else(|| self.current_of(&selection.resource_type));
        let context = anchor.as_ref().and_then(|anchor| self.contexts.get(anchor));
        let context = context.ok_or(Refusal::AnchorNotOpen(Unopened::Select))?;
        if !self.is_current(&context.anchor) {
            return Err(Refusal::NotCurrent);
        }
        let known = |key: &ResourceKey| context.holds(key);
        if policy.selection_is_checked && !selection.selected.iter().all(known) {
            let event = Arc::new(event.selecting_only(known));
            return Ok(Told { event, versions: None, partial: true });
        }
        Ok(Told::as_it_came(event, None))
    }

    /// UPD-02 to UPD-07, UPD-11 to UPD-14. One that was applied before is told again, and not applied again (CLI-35).
    fn update(
        &mut self,
        event: &Arc<Event>,
        update: &Update,
        version: Version,
        past: Option<&Past>,
        policy: &Policy,
        effects: &mut Effects,
    ) -> Result<Told, Refusal> {
        if let Some(past) = past {
            return Ok(Told::as_it_came(event, past.versions));
        }
        let anchor = update.anchor.clone().or_else(|| self.current_of(&update.resource_type));
        let context = anchor.as_ref().and_then(|anchor| self.contexts.get(anchor));
        let context = context.ok_or(Refusal::AnchorNotOpen(Unopened::Update))?;
        if !policy.non_current_updates && !self.is_current(&context.anchor) {
            return Err(Refusal::NotCurrent);
        }
        if update.version.as_ref().is_some_and(|version| *version != context.version.to_string()) {
            return Err(Refusal::StaleVersion);
        }
        if policy.identity_is_fixed && context.event.is_contradicted_by(&update.changes) {
            return Err(Refusal::IdentityFixed);
        }
        if update.changes.iter().any(|change| context.forbids(change)) {
            return Err(Refusal::HeldByOpen);
        }
        let limits = &self.limits;
        let content = context.content.changed(&update.changes, limits.max_content, limits.max_content_bytes);
        let content = content.map_err(|_| Refusal::ContentTooLarge)?;
        let (anchor, prior) = (context.anchor.clone(), context.version);
        if let Some(context) = self.contexts.get_mut(&anchor) {
            context.content = content;
            context.version = version;
            context.prior = Some(prior);
        }
        effects.changes.push(Change::Updated(anchor, update.changes.clone()));
        Ok(Told::as_it_came(event, Some(Versions { current: version, prior: Some(prior) })))
    }

    fn is_current(&self, anchor: &ResourceKey) -> bool {
        self.contexts.current().is_some_and(|current| current.anchor == *anchor)
    }

    /// What the current context is about, if that is of this type: what an event means that names nothing (CLI-47, CLI-50).
    fn current_of(&self, resource_type: &str) -> Option<ResourceKey> {
        let current = self.contexts.current()?;
        current.anchor.is_a(resource_type).then(|| current.anchor.clone())
    }

    /// The event to whoever asked for it; the open that it implies to whoever asked for that instead (NOT-11).
    pub(in crate::hub) fn distribute(&mut self, told: &Told, now: Timestamp) -> Vec<Action> {
        let event = &told.event;
        // A SyncError needs no answer, nor does a Heartbeat (NOT-08).
        let answered = !event.name.is("SyncError") && !event.name.is("Heartbeat");
        let due = answered.then(|| later(now, self.limits.response_time));
        let mut implied = None;
        let mut to: Vec<Recipient> = Vec::new();
        let mut derived: Vec<(usize, Vec<Recipient>)> = Vec::new();
        for subscription in &mut self.subscriptions {
            let Some(notice) = subscription.notice(event, &mut implied) else { continue };
            let place = notice.derived;
            let chosen = Arc::clone(notice.event(event, &implied));
            let Some(recipient) = subscription.recipient(&chosen, notice.spelling, due) else { continue };
            match place {
                None => to.push(recipient),
                Some(index) => match derived.iter_mut().find(|(other, _)| *other == index) {
                    Some((_, others)) => others.push(recipient),
                    None => derived.push((index, vec![recipient])),
                },
            }
        }
        let versions = told.versions;
        let mut actions = vec![Action::Deliver { to, event: Arc::clone(event), versions }];
        for (index, to) in derived {
            if let Some(event) = implied.as_ref().and_then(|implied| implied.get(index)) {
                actions.push(Action::Deliver { to, event: Arc::clone(event), versions });
            }
        }
        actions
    }
}

impl Told {
    fn as_it_came(event: &Arc<Event>, versions: Option<Versions>) -> Self {
        Self { event: Arc::clone(event), versions, partial: false }
    }
}

impl Context {
    /// Whether there is such a resource in the open's context or in what has been shared since.
    fn holds(&self, key: &ResourceKey) -> bool {
        self.opened_with(key) || self.content.holds(key)
    }

    /// A resource of the open's own context cannot be removed (UPD-07).
    fn forbids(&self, change: &ContentChange) -> bool {
        matches!(change, ContentChange::Delete(key) if self.opened_with(key))
    }

    fn opened_with(&self, key: &ResourceKey) -> bool {
        matches!(&self.event.subject, Subject::Open(opening) if opening.resources.contains(key))
    }
}
