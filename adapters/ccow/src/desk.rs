//! One desktop: its manager behind a lock, and the effects of what it is told, performed in order. Section 5.
//!
//! No lock is held across an await. Each participant has a lane: a bounded queue and a task that calls it, one call after
//! another, so that it hears of changes in their order and a slow one costs nobody but itself.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use fhircast_gateway_adapter_api::Outcome;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{info, warn};

use crate::arguments::Arguments;
use crate::callback::{Callback, Vote};
use crate::commit::Commit;
use crate::counters::Count;
use crate::exception::{Exception, ExceptionName};
use crate::lane::{Job, lane};
use crate::manager::{Call, Manager, Reaction, reply};
use crate::reply::Reply;
use crate::settings::timer;
use crate::shared::{Desktop, Shared};
use crate::transaction::{Addressee, Caller, Command, Effect, Farewell, Moment, Proposal};

/// One desktop.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    desktop: Desktop,
    state: Mutex<State>,
    /// Told when no transaction is in progress any more.
    free: Notify,
    /// Told when the next deadline may be another.
    changed: Notify,
}

struct State {
    manager: Manager,
    lanes: HashMap<u32, mpsc::Sender<Job>>,
    /// The call that waits for its result, by the transaction that it is of.
    waiting: Option<(u32, oneshot::Sender<Reply>)>,
}

/// What a call has come to.
enum Pending {
    Held(Reply),
    Replied(Reply),
    Waiting(oneshot::Receiver<Reply>),
}

impl Desk {
    /// A desktop that nobody has joined, and the task that keeps its time for as long as somebody holds it.
    pub(crate) fn open(shared: &Arc<Shared>, desktop: Desktop) -> Arc<Self> {
        let manager = Manager::new(shared.settings.policy(), shared.now());
        let state = Mutex::new(State { manager, lanes: HashMap::new(), waiting: None });
        let (free, changed) = (Notify::new(), Notify::new());
        let desk = Arc::new(Self { shared: Arc::clone(shared), desktop, state, free, changed });
        tokio::spawn(keep_time(Arc::downgrade(&desk), Arc::clone(shared)));
        desk
    }

    /// Answers a call from `address`.
    pub(crate) async fn call(self: &Arc<Self>, arguments: &mut Arguments, address: IpAddr) -> Reply {
        let held_until = Instant::now() + timer(self.shared.settings.hold_timeout);
        loop {
            let freed = self.free.notified();
            tokio::pin!(freed);
            // From here on, not from the first poll: the transaction may end in between.
            freed.as_mut().enable();
            match self.attempt(arguments, address) {
                Pending::Replied(reply) => return reply,
                Pending::Held(reply) => {
                    if timeout_at(held_until, freed).await.is_err() {
                        return reply;
                    }
                }
                Pending::Waiting(result) => return self.result(result).await,
            }
        }
    }

    fn attempt(self: &Arc<Self>, arguments: &mut Arguments, address: IpAddr) -> Pending {
        let mut state = self.lock();
        let call = Call { caller: Caller::Peer(address), entropy: entropy(), now: self.shared.now() };
        let called = state.manager.call(arguments, call);
        let pending = match called.reaction {
            Reaction::Hold(reply) => Pending::Held(reply),
            Reaction::Reply(reply) => Pending::Replied(reply),
            Reaction::Wait(context) => {
                let (waiting, result) = oneshot::channel();
                state.waiting = Some((context, waiting));
                Pending::Waiting(result)
            }
        };
        self.perform(&mut state, called.effects);
        pending
    }

    /// What a call that waits comes to. The change itself is not given up when its caller is.
    async fn result(&self, result: oneshot::Receiver<Reply>) -> Reply {
        match timeout(timer(self.shared.settings.answer_timeout), result).await {
            Ok(Ok(reply)) => reply,
            _ => {
                let message = "the change is still being kept; ask for the most recent context before trying again";
                Reply::from(&Exception::new(ExceptionName::GeneralFailure, message))
            }
        }
    }

    /// Tells the session something that is no call.
    pub(crate) fn tell(self: &Arc<Self>, command: Command) {
        let mut state = self.lock();
        let applied = state.manager.apply(command, Caller::Gateway, self.shared.now());
        self.perform(&mut state, applied.effects);
    }

    /// Takes out the participants of a page whose socket is gone.
    pub(crate) fn lose_page(self: &Arc<Self>, page_key: &str) {
        let lost = self.lock().manager.session().pages(page_key);
        lost.into_iter().for_each(|participant| self.tell(Command::Lost { participant }));
    }

    /// Since when nobody has joined.
    pub(crate) fn empty_since(&self) -> Option<Moment> {
        self.lock().manager.session().empty_since()
    }

    /// Performs effects in order, and those of what they bring about at once.
    fn perform(self: &Arc<Self>, state: &mut State, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            if let Some(command) = self.perform_one(state, effect) {
                let applied = state.manager.apply(command, Caller::Gateway, self.shared.now());
                effects.extend(applied.effects);
            }
        }
        self.changed.notify_one();
    }

    fn perform_one(self: &Arc<Self>, state: &mut State, effect: Effect) -> Option<Command> {
        match effect {
            Effect::Ask { to, context } => return self.queue(state, to, Callback::ChangesPending(context)),
            Effect::Tell { to, callback } => return self.queue(state, to, callback),
            Effect::Ping { to } => return self.queue(state, to, Callback::Ping),
            Effect::Commit(proposal) => self.hand_over(proposal),
            Effect::Finished { context, result } => {
                if let Some((_, waiting)) = state.waiting.take_if(|(own, _)| *own == context) {
                    // A caller that has hung up reads the most recent context when it comes back.
                    let _ = waiting.send(reply(&result));
                }
            }
            Effect::Free => self.free.notify_waiters(),
            Effect::Gone { participant, application, why } => {
                // What is in its lane is still delivered.
                state.lanes.remove(&participant);
                if why == Farewell::Unreachable {
                    self.shared.counters.count(Count::Evicted);
                    warn!(source = %self.shared.source, %application, "Participant evicted: it did not answer.");
                } else {
                    info!(source = %self.shared.source, %application, ?why, "Participant gone.");
                }
            }
        }
        None
    }

    /// Puts a callback into its participant's lane; one that does not fit has failed at once.
    fn queue(self: &Arc<Self>, state: &mut State, to: Addressee, callback: Callback) -> Option<Command> {
        let (participant, application) = (to.participant, Arc::clone(&to.application));
        let lane = state.lanes.entry(participant).or_insert_with(|| lane(&self.shared, Arc::downgrade(self)));
        let job = Job::new(to, callback, &self.shared.settings);
        if lane.try_send(job).is_ok() {
            return None;
        }
        self.shared.counters.count(Count::CallbackFailed);
        warn!(source = %self.shared.source, %application, "Callback dropped: the participant is too far behind.");
        match callback {
            Callback::ChangesPending(context) => Some(Command::Voted { participant, context, vote: Vote::NoAnswer }),
            Callback::Ping => Some(Command::Pinged { participant, alive: false }),
            _ => None,
        }
    }

    /// Hands a change to the gateway, and says what became of it, whatever happens.
    fn hand_over(self: &Arc<Self>, proposal: Proposal) {
        let (context, inbound) = (proposal.context, self.commit(proposal).inbound(&self.shared.source));
        let (desk, sink) = (Arc::clone(self), Arc::clone(&self.shared.sink));
        self.shared.counters.count(Count::CommitSubmitted);
        self.shared.tasks.spawn(async move {
            // On a task of its own: a defect there must not leave the transaction without an end.
            let outcome = tokio::spawn(async move { sink.submit(inbound).await }).await;
            let kept = match outcome {
                Ok(Outcome::Accepted | Outcome::Ignored) => Ok(()),
                Ok(Outcome::Rejected(rejection)) => {
                    warn!(source = %desk.shared.source, reason = rejection.reason, "Change kept, but not mapped.");
                    Ok(())
                }
                Ok(Outcome::Unavailable { reason }) => Err(reason),
                Err(_) => Err("the gateway failed to keep the change".to_owned()),
            };
            if kept.is_err() {
                desk.shared.counters.count(Count::CommitUnavailable);
                warn!(source = %desk.shared.source, "Change cancelled: it could not be kept.");
            }
            desk.tell(Command::Committed { context, kept });
        });
    }

    fn commit(&self, proposal: Proposal) -> Commit {
        let Proposal { context, application, address, before, after, changed } = proposal;
        let mut words = vec![
            ("application", application.to_string()),
            ("address", address.to_canonical().to_string()),
            ("coupon", context.to_string()),
        ];
        words.extend(self.desktop.words());
        Commit::new(&before.items, &after, changed, words)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a desk the time whenever it has to know it.
async fn keep_time(desk: Weak<Desk>, shared: Arc<Shared>) {
    loop {
        let Some(held) = desk.upgrade() else { return };
        let deadline = held.lock().manager.session().next_deadline();
        let at = deadline.map_or_else(|| Instant::now() + PATIENCE, |deadline| shared.start + deadline);
        {
            let changed = held.changed.notified();
            tokio::select! {
                () = changed => continue,
                () = sleep_until(at.min(Instant::now() + PATIENCE)) => {}
                () = shared.shutdown.cancelled() => return,
            }
        }
        held.tell(Command::Tick);
    }
}

/// A desk that is forgotten keeps its task no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number that cannot be guessed.
fn entropy() -> u32 {
    let [a, b, c, d, ..] = uuid::Uuid::new_v4().into_bytes();
    u32::from_be_bytes([a, b, c, d])
}
