//! The interface `ContextManager`. Sections 4, 5 and 7.

use super::{Call, Manager, Reaction, Result, context, not_implemented, participant, reply};
use crate::arguments::Arguments;
use crate::callback::ParticipantUrl;
use crate::exception::{Exception, ExceptionName};
use crate::reply::Reply;
use crate::transaction::{Caller, Command, Effect, Endpoint, Joining};

impl Manager {
    pub(super) fn context_manager(
        &mut self,
        method: &str,
        arguments: &Arguments,
        call: Call,
        effects: &mut Vec<Effect>,
    ) -> Result<Reaction> {
        let (command, waits) = match method {
            "getmostrecentcontextcoupon" | "mostrecentcontextcoupon" => {
                let coupon = self.session.most_recent().to_string();
                return Ok(Reaction::Reply(Reply::void().with("contextCoupon", coupon)));
            }
            "joincommoncontext" => (Command::Join(self.joining(arguments, call)?), wants_to_wait(arguments)),
            "leavecommoncontext" => (Command::Leave { participant: participant(arguments) }, false),
            "startcontextchanges" => {
                (Command::Start { participant: participant(arguments), entropy: call.entropy }, false)
            }
            "endcontextchanges" => (Command::End { context: context(arguments)? }, false),
            "undocontextchanges" => (Command::Undo { context: context(arguments)? }, false),
            "publishchangesdecision" => {
                (Command::Publish { context: context(arguments)?, accept: accepts(arguments)? }, false)
            }
            "suspendparticipation" => (Command::Suspend { participant: participant(arguments) }, false),
            // One client leaves the last syllables out.
            "resumeparticipation" | "resumeparticipant" => {
                (Command::Resume { participant: participant(arguments) }, wants_to_wait(arguments))
            }
            _ => return Err(not_implemented("this method of ContextManager")),
        };
        self.perform(command, waits, arguments, call, effects)
    }

    fn perform(
        &mut self,
        command: Command,
        waits: bool,
        arguments: &Arguments,
        call: Call,
        effects: &mut Vec<Effect>,
    ) -> Result<Reaction> {
        match self.command(command, call, effects) {
            Ok(Some(answer)) => Ok(Reaction::Reply(reply(&Ok(answer)))),
            Ok(None) => Ok(Reaction::Wait(context(arguments)?)),
            Err(exception) if waits && exception.name == ExceptionName::TransactionInProgress => {
                Ok(Reaction::Hold(Reply::from(&exception)))
            }
            Err(exception) => Err(exception),
        }
    }

    /// Refuses an address that would never be called, rather than evict its application a little later. A page is called
    /// over its socket, wherever it was loaded from.
    fn check_callable(&self, url: &ParticipantUrl, caller: Caller) -> Result<()> {
        let Caller::Peer(joiner) = caller else { return Ok(()) };
        if url.page_key().is_some() {
            return Ok(());
        }
        if url.url().scheme() != "http" {
            return Err(uncallable(
                "contextParticipant is called by plain HTTP alone; a page gives a cpid and opens a socket",
            ));
        }
        if self.policy.callable.forbids(url.url(), joiner) {
            return Err(uncallable(
                "contextParticipant names an address that may not be called: see the setting `callbacks`",
            ));
        }
        Ok(())
    }

    fn joining(&self, arguments: &Arguments, call: Call) -> Result<Joining> {
        let application = arguments.required("applicationName")?.to_owned();
        let url = ParticipantUrl::parse(arguments.required("contextParticipant")?)?;
        self.check_callable(&url, call.caller)?;
        let plain = application.trim().split('#').next().unwrap_or_default();
        let sets_secure = self.policy.secure_applications.iter().any(|name| name.eq_ignore_ascii_case(plain));
        Ok(Joining {
            endpoint: Endpoint::Application(url),
            survey: arguments.boolean("survey").unwrap_or(true),
            sets_secure,
            entropy: call.entropy,
            application,
        })
    }
}

fn uncallable(message: &str) -> Exception {
    Exception::new(ExceptionName::GeneralFailure, message)
}

fn wants_to_wait(arguments: &Arguments) -> bool {
    arguments.boolean("wait").unwrap_or(false)
}

fn accepts(arguments: &Arguments) -> Result<bool> {
    match arguments.required("decision")?.trim() {
        decision if decision.eq_ignore_ascii_case("accept") => Ok(true),
        decision if decision.eq_ignore_ascii_case("cancel") => Ok(false),
        _ => Err(Exception::new(ExceptionName::GeneralFailure, "decision is neither accept nor cancel")),
    }
}
