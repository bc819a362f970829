//! What a session is told, what it answers, and what it wants done. Sections 4 and 5.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::Context;
use crate::callback::{Callback, ParticipantUrl, Vote};
use crate::exception::Exception;
use crate::items::{Item, Items, Subject};

/// Who gives a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The gateway itself, for its own participant or for what it was asked to do.
    Gateway,
    /// An application, from this address.
    Peer(IpAddr),
}

/// What a session can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An application joins.
    Join(Joining),
    /// It leaves.
    Leave {
        /// Its coupon.
        participant: u32,
    },
    /// It is neither surveyed nor told until it resumes.
    Suspend {
        /// Its coupon.
        participant: u32,
    },
    /// It follows again.
    Resume {
        /// Its coupon.
        participant: u32,
    },
    /// It is interested in these subjects alone; in all where there is no filter.
    Filter {
        /// Its coupon.
        participant: u32,
        /// `None` clears the filter.
        subjects: Option<BTreeSet<Subject>>,
    },
    /// A change begins.
    Start {
        /// The instigator.
        participant: u32,
        /// Any number, for a coupon that cannot be guessed.
        entropy: u32,
    },
    /// Items of the change.
    Set {
        /// The instigator.
        participant: u32,
        /// The transaction.
        context: u32,
        /// In order.
        items: Vec<Item>,
    },
    /// The change is complete: ask the participants.
    End {
        /// The transaction.
        context: u32,
    },
    /// Forget the change, before its end.
    Undo {
        /// The transaction.
        context: u32,
    },
    /// The instigator's decision.
    Publish {
        /// The transaction.
        context: u32,
        /// Or cancel.
        accept: bool,
    },
    /// What became of an [`Effect::Ask`].
    Voted {
        /// Who was asked.
        participant: u32,
        /// The transaction.
        context: u32,
        /// The answer, or that there was none.
        vote: Vote,
    },
    /// What became of an [`Effect::Commit`].
    Committed {
        /// The transaction.
        context: u32,
        /// Or the reason why nothing was, fit for the instigator.
        kept: Result<(), String>,
    },
    /// What became of an [`Effect::Ping`].
    Pinged {
        /// Who was asked.
        participant: u32,
        /// Whether there was any answer.
        alive: bool,
    },
    /// A participant has gone, as a closed socket shows.
    Lost {
        /// Who.
        participant: u32,
    },
    /// Nothing but that time has passed.
    Tick,
    /// The session ends.
    Terminate,
}

/// An application that joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// Its name; one that ends in `#` is given a number.
    pub application: String,
    /// Where it is called.
    pub endpoint: Endpoint,
    /// Whether it wants to be asked before a change, rather than only told after it.
    pub survey: bool,
    /// Whether it may set secure subjects.
    pub sets_secure: bool,
    /// Any number, for a coupon that cannot be guessed.
    pub entropy: u32,
}

/// Where a participant is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An application, at its address or by the socket that its page has opened.
    Application(ParticipantUrl),
    /// The gateway: its changes are kept already, and others' reach it by their commits.
    Gateway,
}

/// The result of a command, and what is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// The answer; none while the call has to wait for an [`Effect::Finished`].
    pub result: Result<Option<Answer>, Exception>,
    /// What is to be done, also when the command itself has failed.
    pub effects: Vec<Effect>,
}

/// What a call is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A transaction's coupon.
    Context(u32),
    /// A participant's coupon.
    Participant(u32),
    /// The decision is taken.
    Published,
    /// What the participants said.
    Surveyed {
        /// Somebody gave no answer, so the change cannot be forced.
        no_continue: bool,
        /// Why others had rather not.
        responses: Vec<String>,
    },
    /// It is done.
    Void,
}

/// What a session wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a participant whether the context may come, and say what became of it: [`Command::Voted`].
    Ask {
        /// Whom.
        to: Addressee,
        /// The transaction.
        context: u32,
    },
    /// Hand a change to the gateway, and say what became of it: [`Command::Committed`].
    Commit(Proposal),
    /// A call that waited has this result.
    Finished {
        /// The transaction of the call.
        context: u32,
        /// What its caller is answered.
        result: Result<Answer, Exception>,
    },
    /// No transaction is in progress any more.
    Free,
    /// A participant is none any more: forget where it is called, after what it was told before.
    Gone {
        /// Who.
        participant: u32,
        /// Its name.
        application: Arc<str>,
        /// Why.
        why: Farewell,
    },
    /// Ask a participant whether it is there, and say what became of it: [`Command::Pinged`].
    Ping {
        /// Whom.
        to: Addressee,
    },
    /// Tell a participant, whatever comes of it; after all that it was told before.
    Tell {
        /// Whom.
        to: Addressee,
        /// What.
        callback: Callback,
    },
}

/// A participant that is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Its coupon.
    pub participant: u32,
    /// Its name.
    pub application: Arc<str>,
    /// Where it is called.
    pub url: ParticipantUrl,
    /// Where it has joined from.
    pub address: IpAddr,
}

/// Why a participant is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It left.
    Left,
    /// Its connection is gone.
    Lost,
    /// It joined again from the same address: it must have been restarted.
    Replaced,
    /// The session ended.
    Terminated,
    /// It did not answer pings.
    Unreachable,
}

/// A change that its instigator has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The transaction.
    pub context: u32,
    /// The instigator's name.
    pub application: Arc<str>,
    /// The instigator's address.
    pub address: IpAddr,
    /// The context until now.
    pub before: Arc<Context>,
    /// What it would be.
    pub after: Items,
    /// The subjects that are set or emptied.
    pub changed: BTreeSet<Subject>,
}
