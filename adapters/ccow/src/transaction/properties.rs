//! What holds whatever applications, gateway and time do in whatever order.

use proptest::prelude::*;

use super::*;
use crate::callback::{Callback, ParticipantUrl, Vote};
use crate::items::{Item, ItemName};

/// One thing that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Join(u8, bool),
    Call(u8, u8),
    Set(u8, u8),
    Vote(u8, u8),
    Kept(bool),
    Pinged(u8, bool),
    Lost(u8),
    Wait(u16),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (0..6_u8, any::<bool>()).prop_map(|(name, survey)| Happening::Join(name, survey)),
        8 => (any::<u8>(), 0..9_u8).prop_map(|(who, what)| Happening::Call(who, what)),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(who, what)| Happening::Set(who, what)),
        4 => (any::<u8>(), 0..3_u8).prop_map(|(who, vote)| Happening::Vote(who, vote)),
        3 => any::<bool>().prop_map(Happening::Kept),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(who, alive)| Happening::Pinged(who, alive)),
        1 => any::<u8>().prop_map(Happening::Lost),
        2 => (0..20_000_u16).prop_map(Happening::Wait),
    ]
}

/// A session with all that was seen of it.
struct World {
    session: Session,
    now: Moment,
    context: u32,
    coupons: Vec<u32>,
    asked: Vec<(u32, u32)>,
    committing: Option<u32>,
    waiting: Option<u32>,
    /// Committed coupons, in order.
    commits: Vec<u32>,
    /// What each participant was told, in order.
    told: BTreeMap<u32, Vec<u32>>,
    gone: BTreeSet<u32>,
    started: Vec<u32>,
}

impl World {
    fn new() -> Self {
        let rules = Rules { max_participants: 4, ..Rules::default() };
        let session = Session::new(rules, Moment::ZERO);
        let (now, context, waiting, committing) = (Moment::ZERO, 0, None, None);
        let (coupons, asked, commits, told, gone, started) = Default::default();
        Self { session, now, context, coupons, asked, committing, waiting, commits, told, gone, started }
    }

    fn happen(&mut self, happening: Happening) {
        let address = Caller::Peer([127, 0, 0, 1].into());
        let who = |number: u8| {
            let known = self.coupons.len().max(1);
            self.coupons.get(usize::from(number) % known).copied().unwrap_or(1)
        };
        let context = self.context;
        let command = match happening {
            Happening::Join(name, survey) => Command::Join(Joining {
                application: format!("App{}", name % 5),
                endpoint: Endpoint::Application(ParticipantUrl::parse(&format!("http://127.0.0.1/{name}")).unwrap()),
                survey,
                sets_secure: true,
                entropy: u32::from(name),
            }),
            Happening::Call(number, what) => match what {
                0 | 1 => Command::Start { participant: who(number), entropy: u32::from(number) },
                2 | 3 => Command::End { context },
                4 => Command::Publish { context, accept: true },
                5 => Command::Publish { context, accept: number % 2 == 0 },
                6 => Command::Undo { context },
                7 if number % 2 == 0 => Command::Suspend { participant: who(number) },
                7 => Command::Resume { participant: who(number) },
                _ => Command::Leave { participant: who(number) },
            },
            Happening::Set(number, what) => {
                let names = ["Patient.Id.MRN.a", "Patient.Co.Sex", "Encounter.Id.VisitNumber.a", "User.Id.Logon.a"];
                let name = ItemName::parse(names[usize::from(what) % 4]).unwrap();
                let value = if what % 3 == 0 { String::new() } else { (what % 5).to_string() };
                Command::Set { participant: who(number), context, items: vec![Item { name, value }] }
            }
            Happening::Vote(number, vote) => {
                let (participant, context) = if self.asked.is_empty() {
                    (who(number), context)
                } else {
                    self.asked.swap_remove(usize::from(number) % self.asked.len())
                };
                let vote =
                    [Vote::Accept, Vote::Conditional("busy".to_owned()), Vote::NoAnswer][usize::from(vote)].clone();
                Command::Voted { participant, context, vote }
            }
            Happening::Kept(kept) => {
                let kept = if kept { Ok(()) } else { Err("not kept".to_owned()) };
                Command::Committed { context: self.committing.take().unwrap_or(context), kept }
            }
            Happening::Pinged(number, alive) => Command::Pinged { participant: who(number), alive },
            Happening::Lost(number) => Command::Lost { participant: who(number) },
            Happening::Wait(milliseconds) => {
                self.now += Duration::from_millis(u64::from(milliseconds));
                Command::Tick
            }
        };
        self.give(command, address);
    }

    fn give(&mut self, command: Command, caller: Caller) {
        let (busy, ends) = (self.session.is_busy(), matches!(command, Command::End { .. }));
        let publishes = matches!(command, Command::Publish { .. });
        let before = self.session.most_recent();
        let applied = self.session.apply(command, caller, self.now);
        applied.effects.into_iter().for_each(|effect| self.see(effect));
        match applied.result {
            Ok(Some(Answer::Context(coupon))) => {
                assert!(self.started.iter().all(|started| *started < coupon), "context coupons grow");
                self.started.push(coupon);
                self.context = coupon;
            }
            Ok(Some(Answer::Participant(coupon))) => {
                assert!(!self.coupons.contains(&coupon) || self.gone.remove(&coupon), "a coupon is one participant's");
                self.told.remove(&coupon);
                self.coupons.push(coupon);
            }
            Ok(None) => {
                assert!(ends || publishes, "only an end and an acceptance wait");
                assert!(self.waiting.replace(self.context).is_none(), "one call waits at a time");
            }
            _ => {}
        }
        if self.session.most_recent() != before {
            assert!(busy, "only a transaction changes the context");
            self.commits.push(self.session.most_recent());
        }
        if !self.session.is_busy() {
            assert_eq!(self.waiting, None, "who waited was answered");
        }
        assert!(self.session.participants.len() <= 4);
    }

    fn see(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { to, context } => {
                assert!(!self.gone.contains(&to.participant), "nobody is asked who has gone");
                self.asked.push((to.participant, context));
            }
            Effect::Commit(proposal) => self.committing = Some(proposal.context),
            Effect::Finished { context, .. } => assert_eq!(self.waiting.take(), Some(context), "each wait ends once"),
            Effect::Gone { participant, .. } => drop(self.gone.insert(participant)),
            Effect::Tell { to, callback: Callback::ChangesAccepted(context) } => {
                assert!(!self.gone.contains(&to.participant), "nobody is told who has gone");
                self.told.entry(to.participant).or_default().push(context);
            }
            Effect::Tell { .. } | Effect::Ping { .. } | Effect::Free => {}
        }
    }

    /// What the shell owes and time: nothing that an application does.
    fn settle(&mut self) {
        for _ in 0..4 {
            if let Some(context) = self.committing.take() {
                self.give(Command::Committed { context, kept: Ok(()) }, Caller::Gateway);
            }
            self.now += Duration::from_secs(61);
            self.give(Command::Tick, Caller::Gateway);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_interleaving_leaves_a_session_stuck_or_out_of_order(happenings in prop::collection::vec(happening(), 0..120)) {
        let mut world = World::new();
        happenings.into_iter().for_each(|happening| world.happen(happening));
        prop_assert!(world.commits.windows(2).all(|pair| pair[0] < pair[1]), "commits have one order");
        for told in world.told.values() {
            prop_assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "each is told in that order");
            prop_assert!(told.iter().all(|coupon| world.commits.contains(coupon)), "of commits alone");
        }
        world.settle();
        prop_assert!(!world.session.is_busy(), "nobody's silence keeps a session");
        prop_assert_eq!(world.waiting, None);
        // Whoever joins now can change the context.
        world.session.participants.clear();
        world.coupons.clear();
        world.give(joining(), Caller::Peer([127, 0, 0, 1].into()));
        let Some(participant) = world.coupons.first().copied() else { panic!("the session takes nobody") };
        world.give(Command::Start { participant, entropy: 1 }, Caller::Gateway);
        prop_assert!(world.session.is_busy());
    }

    #[test]
    fn the_next_deadline_is_in_time_for_all_that_lapses(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut world = World::new();
        happenings.into_iter().for_each(|happening| world.happen(happening));
        if let Some(deadline) = world.session.next_deadline() {
            let earlier = deadline.saturating_sub(Duration::from_millis(1)).max(world.now);
            if earlier < deadline {
                let applied = world.session.apply(Command::Tick, Caller::Gateway, earlier);
                prop_assert_eq!(applied.effects, vec![], "nothing is due before");
            }
            let at = deadline.max(world.now);
            let applied = world.session.apply(Command::Tick, Caller::Gateway, at);
            prop_assert!(!applied.effects.is_empty() || world.session.next_deadline() > Some(deadline), "time goes on");
        } else {
            prop_assert!(world.session.participants.is_empty());
        }
    }
}

fn joining() -> Command {
    Command::Join(Joining {
        application: "Last".to_owned(),
        endpoint: Endpoint::Application(ParticipantUrl::parse("http://127.0.0.1/").unwrap()),
        survey: true,
        sets_secure: true,
        entropy: 77,
    })
}
