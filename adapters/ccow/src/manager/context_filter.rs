//! The interface `ContextFilter`. Section 4.

use std::collections::BTreeSet;

use super::{Call, Manager, Result, not_implemented, participant};
use crate::arguments::Arguments;
use crate::exception::{Exception, ExceptionName};
use crate::items::Subject;
use crate::reply::Reply;
use crate::transaction::{Command, Effect};

impl Manager {
    pub(super) fn context_filter(
        &mut self,
        method: &str,
        arguments: &Arguments,
        call: Call,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply> {
        let participant = participant(arguments);
        match method {
            "setsubjectsofinterest" => {
                let subjects = Some(subjects(&arguments.array("subjectNames"))?);
                self.void(Command::Filter { participant, subjects }, call, effects)
            }
            "getsubjectsofinterest" => {
                let subjects = self.session.subjects_of_interest(participant, call.caller)?;
                Ok(Reply::void().with_array("subjectNames", subjects.iter().map(Subject::text)))
            }
            "clearfilter" => self.void(Command::Filter { participant, subjects: None }, call, effects),
            _ => Err(not_implemented("this method of ContextFilter")),
        }
    }
}

fn subjects(names: &[&str]) -> Result<BTreeSet<Subject>> {
    let subject = |name: &&str| {
        let unreadable = || Exception::new(ExceptionName::BadItemNameFormat, "subjectNames holds a name that is none");
        Subject::parse(name).ok_or_else(unreadable)
    };
    names.iter().map(subject).collect()
}
