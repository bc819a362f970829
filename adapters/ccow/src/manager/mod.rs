//! The context manager of one desktop: a call in, a reply and what is to be done out. Sections 2 and 4.
//!
//! | interface | file |
//! |---|---|
//! | `ContextManager` | `context_manager` |
//! | `ContextData`, `SecureContextData` | `context_data` |
//! | `ContextFilter` | `context_filter` |
//! | `InterfaceInformation`, `ImplementationInformation` | `information` |
//!
//! `SecureBinding` is rejected, everything else not implemented. Pure, as [`Session`] is.

mod context_data;
mod context_filter;
mod context_manager;
mod information;

use crate::arguments::Arguments;
use crate::callable::Callable;
use crate::exception::{Exception, ExceptionName};
use crate::oddity::Oddities;
use crate::reply::Reply;
use crate::transaction::{Answer, Applied, Caller, Command, Effect, Moment, Rules, Session};

/// How items are read out. Section 13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemReplies {
    /// `names`; `itemValues`, names and values in turn.
    #[default]
    Alternating,
    /// `itemNames`; `itemNames` and `itemValues` beside it, as jkiddo's programs read them.
    Separate,
}

/// What a manager does differently from site to site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What sessions are bounded by.
    pub rules: Rules,
    /// The addresses that participants may name for their callbacks.
    pub callable: Callable,
    /// How items are read out.
    pub item_replies: ItemReplies,
    /// Applications that may set secure subjects (User), by name; without the number of a copy.
    pub secure_applications: Vec<String>,
    /// Whether anybody may read secure subjects. Section 12.
    pub secure_subjects_readable: bool,
}

/// The context manager of one desktop.
#[derive(Debug)]
pub struct Manager {
    policy: Policy,
    session: Session,
}

/// What comes with a call, beside its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// Any number, for coupons that cannot be guessed.
    pub entropy: u32,
    /// When.
    pub now: Moment,
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Called {
    /// What its caller hears, or what it waits for.
    pub reaction: Reaction,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// What was odd.
    pub oddities: Oddities,
}

/// What the caller of a call hears, or what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The same call may be made again once no transaction is in progress; after a while, this is the reply. Section 7.
    Hold(Reply),
    /// It has its reply.
    Reply(Reply),
    /// The reply comes with [`Effect::Finished`] of this context.
    Wait(u32),
}

type Result<T, E = Exception> = std::result::Result<T, E>;

impl Manager {
    /// A manager of an empty context.
    pub fn new(policy: Policy, now: Moment) -> Self {
        let session = Session::new(policy.rules.clone(), now);
        Self { policy, session }
    }

    /// The session, to look at.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives the session a command that is no call: a vote, a commit's result, the time.
    pub fn apply(&mut self, command: Command, caller: Caller, now: Moment) -> Applied {
        self.session.apply(command, caller, now)
    }

    /// Answers one call.
    pub fn call(&mut self, arguments: &mut Arguments, call: Call) -> Called {
        arguments.tolerate("partcipantCoupon", "participantCoupon");
        arguments.tolerate("survery", "survey");
        let mut effects = Vec::new();
        let reaction = match self.dispatch(arguments, call, &mut effects) {
            Ok(reaction) => reaction,
            Err(exception) => Reaction::Reply(Reply::from(&exception)),
        };
        Called { reaction, effects, oddities: arguments.oddities }
    }

    fn dispatch(&mut self, arguments: &mut Arguments, call: Call, effects: &mut Vec<Effect>) -> Result<Reaction> {
        let method = arguments.required("method")?.to_ascii_lowercase();
        let interface = arguments.required("interface")?.to_ascii_lowercase();
        let reply = match interface.as_str() {
            "contextmanager" => return self.context_manager(&method, arguments, call, effects),
            "contextdata" => self.context_data(&method, arguments, call, effects)?,
            "securecontextdata" => self.secure_context_data(&method, arguments, call, effects)?,
            "contextfilter" => self.context_filter(&method, arguments, call, effects)?,
            "interfaceinformation" => information::interface(&method, arguments)?,
            "implementationinformation" => information::implementation(&method)?,
            "securebinding" => {
                let message = "secure binding is not offered; non-secure subjects need none";
                return Err(Exception::new(ExceptionName::BindingRejected, message));
            }
            _ => return Err(not_implemented("this interface")),
        };
        Ok(Reaction::Reply(reply))
    }

    /// Gives the session a command of a call.
    fn command(&mut self, command: Command, call: Call, effects: &mut Vec<Effect>) -> Result<Option<Answer>> {
        let applied = self.session.apply(command, call.caller, call.now);
        effects.extend(applied.effects);
        applied.result
    }

    /// As [`Self::command`], where the call has no outputs.
    fn void(&mut self, command: Command, call: Call, effects: &mut Vec<Effect>) -> Result<Reply> {
        self.command(command, call, effects).map(|_| Reply::void())
    }
}

/// The reply to a call that has its answer, or that waited for it.
pub fn reply(result: &Result<Answer>) -> Reply {
    match result {
        Ok(Answer::Context(coupon)) => Reply::void().with("contextCoupon", coupon.to_string()),
        Ok(Answer::Participant(coupon)) => Reply::void().with("participantCoupon", coupon.to_string()),
        Ok(Answer::Published) => Reply::void().with("listenerURLs", ""),
        Ok(Answer::Surveyed { no_continue, responses }) => {
            Reply::void().with("noContinue", no_continue.to_string()).with_array("responses", responses)
        }
        Ok(Answer::Void) => Reply::void(),
        Err(exception) => Reply::from(exception),
    }
}

fn not_implemented(what: &str) -> Exception {
    Exception::new(ExceptionName::NotImplemented, format!("{what} is not implemented here"))
}

/// The coupon of a participant; what is no number of ours is unknown.
fn participant(arguments: &Arguments) -> u32 {
    arguments.coupon("participantCoupon").unwrap_or_default()
}

/// The coupon of a context.
fn context(arguments: &Arguments) -> Result<u32> {
    let invalid = || Exception::new(ExceptionName::InvalidContextCoupon, "contextCoupon is no coupon of this manager");
    arguments.coupon("contextCoupon").ok_or_else(invalid)
}

#[cfg(test)]
mod tests;
