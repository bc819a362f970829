//! A participant's lane: what it is asked and told, one call after another. Section 6.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::callback::{Callback, Vote};
use crate::client::{self, CallError};
use crate::counters::Count;
use crate::desk::Desk;
use crate::oddity::Oddities;
use crate::settings::{Settings, timer};
use crate::shared::Shared;
use crate::transaction::{Addressee, Command};

/// One callback that is to be made.
pub(crate) struct Job {
    to: Addressee,
    callback: Callback,
    /// A survey's time runs while it waits in the lane.
    until: Option<Instant>,
    time: Duration,
}

/// Callbacks that may wait for one participant.
const LANE_LENGTH: usize = 16;

impl Job {
    pub(crate) fn new(to: Addressee, callback: Callback, settings: &Settings) -> Self {
        let survey = matches!(callback, Callback::ChangesPending(_));
        let until = survey.then(|| Instant::now() + timer(settings.survey_timeout));
        Self { to, callback, until, time: timer(settings.callback_timeout) }
    }
}

/// A lane for a participant of `desk`; its task ends when nobody holds its entry any more and it is empty.
pub(crate) fn lane(shared: &Arc<Shared>, desk: Weak<Desk>) -> mpsc::Sender<Job> {
    let (entry, mut jobs) = mpsc::channel::<Job>(LANE_LENGTH);
    let caller = Arc::clone(shared);
    shared.tasks.spawn(async move {
        while let Some(job) = jobs.recv().await {
            let command = perform(&caller, job).await;
            if let Some((desk, command)) = desk.upgrade().zip(command) {
                desk.tell(command);
            }
        }
    });
    entry
}

/// Makes a callback, and gives what the session has to know of it.
async fn perform(shared: &Shared, Job { to, callback, until, time }: Job) -> Option<Command> {
    let answered = match until {
        Some(until) => timeout_at(until, call(shared, &to, callback)).await,
        None => timeout(time, call(shared, &to, callback)).await,
    };
    let answer = answered.unwrap_or(Err(CallError::TimedOut));
    match &answer {
        Ok(_) => shared.counters.count(Count::CallbackAnswered),
        Err(error) => {
            shared.counters.count(Count::CallbackFailed);
            debug!(source = %shared.source, application = %to.application, ?callback, %error, "Callback failed.");
        }
    }
    let participant = to.participant;
    match callback {
        Callback::ChangesPending(context) => {
            let mut oddities = Oddities::default();
            let vote = answer.map_or(Vote::NoAnswer, |body| Vote::read(&body, &to.application, &mut oddities));
            shared.counters.odd(oddities);
            Some(Command::Voted { participant, context, vote })
        }
        Callback::Ping => {
            let alive = answer.as_ref().map_or_else(|error| error.shows_life(), |_| true);
            Some(Command::Pinged { participant, alive })
        }
        Callback::ChangesAccepted(_) | Callback::ChangesCanceled(_) | Callback::Terminated => None,
    }
}

/// By the socket that the page has opened, or else by HTTP.
async fn call(shared: &Shared, to: &Addressee, callback: Callback) -> Result<Bytes, CallError> {
    match to.url.page_key().filter(|key| shared.sockets.has(key)) {
        Some(key) => shared.sockets.ask(&key, callback).await.map(Bytes::from).ok_or(CallError::Unreadable),
        None => client::get(&to.url.call(callback), to.address, &shared.callable).await,
    }
}
