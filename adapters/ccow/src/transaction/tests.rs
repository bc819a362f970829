use super::*;
use crate::callback::{Callback, ParticipantUrl, Vote};
use crate::exception::ExceptionName as E;
use crate::items::{Item, ItemName};

const DESKTOP: Caller = Caller::Peer(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const ELSEWHERE: Caller = Caller::Peer(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

/// A session whose effects are noted in words: `ask AppB 5`, `accepted AppB 5`, `ping AppB`.
struct Desk {
    session: Session,
    now: Moment,
    done: Vec<String>,
    finished: Vec<Result<Answer, E>>,
    proposals: Vec<Proposal>,
    names: Vec<(u32, String)>,
}

impl Desk {
    fn new() -> Self {
        Self::with(Rules::default())
    }

    fn with(rules: Rules) -> Self {
        let session = Session::new(rules, Moment::ZERO);
        let (done, finished, proposals, names) = Default::default();
        Self { session, now: Moment::ZERO, done, finished, proposals, names }
    }

    fn give(&mut self, command: Command) -> Result<Option<Answer>, E> {
        self.give_from(DESKTOP, command)
    }

    fn give_from(&mut self, caller: Caller, command: Command) -> Result<Option<Answer>, E> {
        let applied = self.session.apply(command, caller, self.now);
        applied.effects.into_iter().for_each(|effect| self.note(effect));
        applied.result.map_err(|exception| exception.name)
    }

    fn note(&mut self, effect: Effect) {
        let name = |coupon: u32| self.names.iter().find(|(own, _)| *own == coupon).map_or("?", |(_, name)| name);
        let words = match effect {
            Effect::Ask { to, context } => format!("ask {} {context}", name(to.participant)),
            Effect::Tell { to, callback: Callback::ChangesAccepted(context) } => {
                format!("accepted {} {context}", name(to.participant))
            }
            Effect::Tell { to, callback: Callback::ChangesCanceled(context) } => {
                format!("canceled {} {context}", name(to.participant))
            }
            Effect::Tell { to, callback } => format!("{callback:?} {}", name(to.participant)),
            Effect::Ping { to } => format!("ping {}", name(to.participant)),
            Effect::Gone { application, why, .. } => format!("{why:?} {application}"),
            Effect::Free => "free".to_owned(),
            Effect::Commit(proposal) => {
                let words = format!("commit {}", proposal.context);
                self.proposals.push(proposal);
                words
            }
            Effect::Finished { context, result } => {
                self.finished.push(result.map_err(|exception| exception.name));
                format!("finished {context}")
            }
        };
        self.done.push(words);
    }

    #[track_caller]
    fn done(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.done), expected);
    }

    fn join(&mut self, name: &str, survey: bool) -> u32 {
        let Ok(Some(Answer::Participant(coupon))) =
            self.give(joining(name, &format!("http://127.0.0.1/{name}"), survey))
        else {
            panic!("{name} cannot join");
        };
        self.names.push((coupon, name.to_owned()));
        coupon
    }

    fn start(&mut self, participant: u32) -> u32 {
        let started = self.give(Command::Start { participant, entropy: 6 });
        let Ok(Some(Answer::Context(context))) = started else { panic!("{started:?}") };
        context
    }

    fn set(&mut self, participant: u32, context: u32, lines: &[&str]) -> Result<Option<Answer>, E> {
        let item = |line: &&str| {
            let (name, value) = line.split_once('=').unwrap();
            Item { name: ItemName::parse(name).unwrap(), value: value.to_owned() }
        };
        self.give(Command::Set { participant, context, items: lines.iter().map(item).collect() })
    }

    /// Starts a change to another patient, and ends it.
    fn change(&mut self, participant: u32, patient: &str) -> (u32, Result<Option<Answer>, E>) {
        let context = self.start(participant);
        self.set(participant, context, &[&format!("Patient.Id.MRN.a={patient}")]).unwrap();
        (context, self.give(Command::End { context }))
    }

    fn commit(&mut self, participant: u32, patient: &str) -> u32 {
        let (context, ended) = self.change(participant, patient);
        assert_eq!(ended, surveyed(false, &[]), "nobody is surveyed");
        self.give(Command::Publish { context, accept: true }).unwrap();
        self.give(Command::Committed { context, kept: Ok(()) }).unwrap();
        context
    }

    fn vote(&mut self, participant: u32, context: u32, vote: Vote) {
        self.give(Command::Voted { participant, context, vote }).unwrap();
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.give(Command::Tick).unwrap();
    }

    fn current(&self) -> Vec<String> {
        let context = self.session.context(self.session.most_recent()).unwrap();
        crate::items::tests::lines(&context.items)
    }
}

fn joining(name: &str, url: &str, survey: bool) -> Command {
    Command::Join(Joining {
        application: name.to_owned(),
        endpoint: Endpoint::Application(ParticipantUrl::parse(url).unwrap()),
        survey,
        sets_secure: name == "Logon",
        entropy: 41,
    })
}

fn surveyed(no_continue: bool, responses: &[&str]) -> Result<Option<Answer>, E> {
    let responses = responses.iter().map(|reason| (*reason).to_owned()).collect();
    Ok(Some(Answer::Surveyed { no_continue, responses }))
}

fn conditional(reason: &str) -> Vote {
    Vote::Conditional(reason.to_owned())
}

#[test]
fn section_5_a_change_goes_from_start_to_commit_and_the_others_are_told() {
    let mut desk = Desk::new();
    let [a, b, c] = [("A", true), ("B", true), ("C", false)].map(|(name, survey)| desk.join(name, survey));
    let (context, ended) = desk.change(a, "1");
    assert_eq!(ended, Ok(None));
    desk.done(&[&format!("ask B {context}")]);
    desk.vote(b, context, Vote::Accept);
    desk.done(&[&format!("finished {context}")]);
    assert_eq!(desk.finished.pop().unwrap().map(Some), surveyed(false, &[]));
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Ok(None));
    desk.done(&[&format!("commit {context}")]);
    assert_eq!(desk.session.most_recent(), 0, "not before the gateway has kept it");
    desk.give(Command::Committed { context, kept: Ok(()) }).unwrap();
    let told = [
        format!("finished {context}"),
        format!("accepted B {context}"),
        format!("accepted C {context}"),
        "free".to_owned(),
    ];
    let mut done = std::mem::take(&mut desk.done);
    done[1..3].sort();
    assert_eq!(done, told);
    assert_eq!(desk.finished, [Ok(Answer::Published)]);
    assert_eq!(desk.session.most_recent(), context);
    assert_eq!(desk.current(), ["Patient.Id.MRN.a=1"]);
    let [proposal] = &desk.proposals[..] else { panic!() };
    assert_eq!((&*proposal.application, proposal.changed.len(), proposal.before.coupon), ("A", 1, 0));
    let _ = c;
}

#[test]
fn section_5_conditional_answers_are_told_and_can_be_overruled_or_cancelled() {
    for accept in [true, false] {
        let mut desk = Desk::new();
        let [a, b, c] = ["A", "B", "C"].map(|name| desk.join(name, true));
        let (context, _) = desk.change(a, "1");
        desk.vote(c, context, conditional("unsaved note"));
        assert!(desk.finished.is_empty());
        desk.vote(b, context, Vote::Accept);
        assert_eq!(desk.finished.pop().unwrap().map(Some), surveyed(false, &["unsaved note"]));
        desk.done.clear();
        let published = desk.give(Command::Publish { context, accept });
        if accept {
            assert_eq!(published, Ok(None));
        } else {
            assert_eq!(published, Ok(Some(Answer::Published)));
            desk.done.sort();
            desk.done(&[&format!("canceled B {context}"), &format!("canceled C {context}"), "free"]);
            assert_eq!((desk.session.most_recent(), desk.current()), (0, vec![]));
        }
    }
}

#[test]
fn section_5_who_gives_no_answer_in_time_cannot_be_overruled_once() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.done.clear();
    desk.wait(8);
    assert_eq!(desk.finished.pop().unwrap().map(Some), surveyed(true, &[]));
    desk.done(&["ping B", &format!("finished {context}")]);
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Err(E::AcceptNotPossible));
    assert_eq!(desk.give(Command::Publish { context, accept: false }), Ok(Some(Answer::Published)));
    desk.give(Command::Pinged { participant: b, alive: false }).unwrap();
    desk.done(&[&format!("canceled B {context}"), "free", "Unreachable B"]);
    let (_, ended) = desk.change(a, "1");
    assert_eq!(ended, surveyed(false, &[]), "the retry succeeds");
}

#[test]
fn section_7_who_is_alive_after_no_answer_stays() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.vote(b, context, Vote::NoAnswer);
    desk.give(Command::Pinged { participant: b, alive: true }).unwrap();
    assert_eq!(desk.session.applications().count(), 2);
    desk.vote(b, context, conditional("too late"));
    assert_eq!(desk.finished.len(), 1, "and a late vote changes nothing");
}

#[test]
fn section_5_only_who_joined_for_it_is_surveyed_and_told() {
    let mut desk = Desk::new();
    let a = desk.join("A", true);
    let [suspended, user] = ["suspended", "user"].map(|name| desk.join(name, true));
    desk.join("told", false);
    desk.join("patient", false);
    let patient = desk.names.last().unwrap().0;
    desk.give(Command::Suspend { participant: suspended }).unwrap();
    let filter = |subject: &str| Some([Subject::parse(subject).unwrap()].into());
    desk.give(Command::Filter { participant: user, subjects: filter("User") }).unwrap();
    desk.give(Command::Filter { participant: patient, subjects: filter("PATIENT") }).unwrap();
    let context = desk.commit(a, "1");
    let mut done: Vec<String> = desk.done.drain(..).filter(|words| words.contains("accepted")).collect();
    done.sort();
    assert_eq!(done, [format!("accepted patient {context}"), format!("accepted told {context}")]);
    desk.give(Command::Filter { participant: user, subjects: None }).unwrap();
    desk.give(Command::Resume { participant: suspended }).unwrap();
    let (context, _) = desk.change(a, "2");
    let mut asked: Vec<String> = desk.done.drain(..).filter(|words| words.starts_with("ask")).collect();
    asked.sort();
    assert_eq!(asked, [format!("ask suspended {context}"), format!("ask user {context}")]);
}

#[test]
fn section_8_every_call_has_its_exceptions() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    let unknown = [
        Command::Leave { participant: 9 },
        Command::Suspend { participant: 9 },
        Command::Resume { participant: 9 },
        Command::Filter { participant: 9, subjects: None },
        Command::Start { participant: 0, entropy: 1 },
        Command::Set { participant: 9, context: 1, items: vec![] },
    ];
    for command in unknown {
        assert_eq!(desk.give(command.clone()), Err(E::UnknownParticipant), "{command:?}");
    }
    let with = |context: u32| {
        [
            Command::Set { participant: a, context, items: vec![] },
            Command::End { context },
            Command::Undo { context },
            Command::Publish { context, accept: true },
            Command::Publish { context, accept: false },
        ]
    };
    for command in with(1) {
        assert_eq!(desk.give(command.clone()), Err(E::NotInTransaction), "{command:?}");
    }
    let context = desk.start(a);
    for command in with(context + 1) {
        assert_eq!(desk.give(command.clone()), Err(E::InvalidContextCoupon), "{command:?}");
    }
    assert_eq!(desk.give(Command::Start { participant: a, entropy: 1 }), Err(E::TransactionInProgress));
    assert_eq!(desk.give(Command::Start { participant: b, entropy: 1 }), Err(E::TransactionInProgress));
    assert_eq!(desk.give(joining("C", "http://127.0.0.1/C", true)), Err(E::TransactionInProgress));
    assert_eq!(desk.set(b, context, &[]), Err(E::ChangesNotAllowed));
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Err(E::ChangesNotEnded));
    assert_eq!(desk.set(a, context, &["Encounter.Id.VisitNumber.a=7"]), Ok(Some(Answer::Void)));
    assert_eq!(desk.give(Command::End { context }), Err(E::InvalidTransaction));
    assert_eq!(desk.set(a, context, &["Patient.Id.MRN.a=1"]), Ok(Some(Answer::Void)), "it can be mended");
    assert_eq!(desk.give(Command::End { context }), Ok(None));
    for state in ["surveying", "surveyed"] {
        assert_eq!(desk.set(a, context, &["Patient.Id.MRN.a=2"]), Err(E::ChangesNotPossible), "{state}");
        assert_eq!(desk.give(Command::End { context }), Err(E::ChangesNotPossible), "{state}");
        assert_eq!(desk.give(Command::Undo { context }), Err(E::UndoNotPossible), "{state}");
        if state == "surveying" {
            assert_eq!(desk.give(Command::Publish { context, accept: false }), Err(E::ChangesNotEnded));
            desk.vote(b, context, Vote::Accept);
        }
    }
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Ok(None));
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Err(E::TransactionInProgress));
    assert_eq!(desk.give(Command::Publish { context, accept: false }), Err(E::TransactionInProgress));
    assert_eq!(desk.set(a, context, &[]), Err(E::ChangesNotPossible));
    desk.give(Command::Suspend { participant: b }).unwrap();
    desk.give(Command::Committed { context, kept: Ok(()) }).unwrap();
    assert_eq!(desk.give(Command::Start { participant: b, entropy: 1 }), Err(E::InvalidTransaction), "it is suspended");
    assert_eq!(desk.session.subjects_of_interest(a, DESKTOP).unwrap_err().name, E::FilterNotSet);
}

#[test]
fn section_5_undo_before_the_end_tells_nobody() {
    let mut desk = Desk::new();
    let [a, _] = ["A", "B"].map(|name| desk.join(name, true));
    let context = desk.start(a);
    desk.set(a, context, &["Patient.Id.MRN.a=1"]).unwrap();
    assert_eq!(desk.give(Command::Undo { context }), Ok(Some(Answer::Void)));
    desk.done(&["free"]);
    assert!(desk.start(a) > context, "a cancelled change's coupon is not given out again");
}

#[test]
fn section_5_contexts_are_read_by_their_coupon_alone() {
    let mut desk = Desk::new();
    let a = desk.join("A", true);
    assert!(desk.session.context(0).unwrap().items.is_empty());
    let first = desk.commit(a, "1");
    let (second, _) = desk.change(a, "2");
    assert_eq!(crate::items::tests::lines(&desk.session.context(first).unwrap().items), ["Patient.Id.MRN.a=1"]);
    assert_eq!(crate::items::tests::lines(&desk.session.context(second).unwrap().items), ["Patient.Id.MRN.a=2"]);
    assert_eq!(desk.session.context(0).unwrap_err().name, E::InvalidContextCoupon);
    assert_eq!(desk.session.most_recent(), first);
}

#[test]
fn what_could_not_be_kept_is_cancelled() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.vote(b, context, Vote::Accept);
    desk.give(Command::Publish { context, accept: true }).unwrap();
    desk.done.clear();
    desk.give(Command::Committed { context, kept: Err("the disk is full".to_owned()) }).unwrap();
    desk.done(&[&format!("finished {context}"), &format!("canceled B {context}"), "free"]);
    assert_eq!(desk.finished.pop(), Some(Err(E::GeneralFailure)));
    assert_eq!(desk.session.most_recent(), 0);
}

#[test]
fn what_is_being_kept_is_waited_for_even_when_its_instigator_has_gone() {
    let mut desk = Desk::new();
    let [a, _] = [desk.join("A", true), desk.join("B", false)];
    let (context, _) = desk.change(a, "1");
    desk.give(Command::Publish { context, accept: true }).unwrap();
    desk.give(Command::Leave { participant: a }).unwrap();
    desk.wait(3600);
    assert!(desk.session.is_busy());
    desk.give(Command::Committed { context, kept: Ok(()) }).unwrap();
    assert_eq!(desk.session.most_recent(), context);
    assert!(!desk.session.is_busy());
}

#[test]
fn section_7_a_silent_instigator_is_pinged_and_its_change_lapses() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.vote(b, context, Vote::Accept);
    desk.done.clear();
    desk.wait(15);
    desk.done(&["ping A"]);
    desk.give(Command::Pinged { participant: a, alive: true }).unwrap();
    for _ in 0..3 {
        desk.wait(15);
        desk.give(Command::Pinged { participant: a, alive: true }).unwrap();
    }
    assert!(!desk.session.is_busy());
    let lapsed: Vec<_> = desk.done.iter().filter(|words| words.contains("cancel")).cloned().collect();
    assert_eq!(lapsed, [format!("canceled B {context}")]);
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Err(E::NotInTransaction));
}

#[test]
fn section_7_a_dead_instigator_is_evicted_and_blocks_nobody() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    desk.start(a);
    desk.wait(15);
    desk.give(Command::Pinged { participant: a, alive: false }).unwrap();
    desk.done(&["ping A", "free", "Unreachable A"]);
    desk.start(b);
}

#[test]
fn section_7_each_call_renews_the_lease() {
    let mut desk = Desk::new();
    let a = desk.join("A", true);
    let context = desk.start(a);
    for _ in 0..10 {
        desk.now += Duration::from_secs(59);
        desk.set(a, context, &["Patient.Id.MRN.a=1"]).unwrap();
        desk.give(Command::Pinged { participant: a, alive: true }).unwrap();
    }
    desk.now += Duration::from_secs(60);
    assert_eq!(desk.set(a, context, &[]), Err(E::NotInTransaction));
}

#[test]
fn section_7_participants_are_pinged_and_evicted_after_two_misses() {
    let mut desk = Desk::new();
    let [a, b] = ["A", "B"].map(|name| desk.join(name, true));
    desk.wait(45);
    assert_eq!(desk.done.len(), 2);
    desk.give(Command::Pinged { participant: a, alive: true }).unwrap();
    desk.give(Command::Pinged { participant: b, alive: false }).unwrap();
    desk.wait(45);
    desk.done.clear();
    desk.give(Command::Pinged { participant: a, alive: false }).unwrap();
    desk.give(Command::Pinged { participant: b, alive: false }).unwrap();
    desk.done(&["Unreachable B"]);
    desk.give(Command::Suspend { participant: a }).unwrap();
    desk.wait(45);
    desk.done.clear();
    desk.give(Command::Pinged { participant: a, alive: false }).unwrap();
    desk.done(&[]);
}

#[test]
fn section_7_a_ping_that_nobody_answers_is_missed_by_the_next() {
    let mut desk = Desk::new();
    desk.join("A", true);
    for _ in 0..3 {
        desk.wait(45);
    }
    desk.done(&["ping A", "ping A", "Unreachable A"]);
}

#[test]
fn section_7_leaving_in_a_change_cancels_it_or_counts_as_a_vote() {
    let mut desk = Desk::new();
    let [a, b, c] = ["A", "B", "C"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.vote(c, context, conditional("x"));
    desk.done.clear();
    desk.give(Command::Leave { participant: b }).unwrap();
    desk.done(&[&format!("finished {context}"), "Left B"]);
    assert_eq!(desk.finished.pop().unwrap().map(Some), surveyed(false, &["x"]));
    desk.give(Command::Leave { participant: a }).unwrap();
    desk.done(&[&format!("canceled C {context}"), "free", "Left A"]);

    let (context, _) = desk.change(c, "1");
    assert!(desk.give(Command::Suspend { participant: c }).is_ok());
    assert_eq!(desk.give(Command::Publish { context, accept: true }), Err(E::NotInTransaction));
}

#[test]
fn section_7_an_instigator_that_dies_during_the_survey_is_answered_and_the_asked_are_told() {
    let mut desk = Desk::new();
    let [a, _b] = ["A", "B"].map(|name| desk.join(name, true));
    let (context, _) = desk.change(a, "1");
    desk.done.clear();
    desk.give(Command::Lost { participant: a }).unwrap();
    desk.done(&[&format!("finished {context}"), &format!("canceled B {context}"), "free", "Lost A"]);
    assert_eq!(desk.finished, [Err(E::NotInTransaction)]);
}

#[test]
fn section_7_names_join_once_unless_they_are_restarted_or_copies() {
    let mut desk = Desk::new();
    let first = desk.join("App", true);
    assert_eq!(desk.give(joining("APP", "http://127.0.0.1/other", true)), Err(E::AlreadyJoined));
    desk.done(&["ping App"]);
    desk.give(Command::Pinged { participant: first, alive: true }).unwrap();
    let context = desk.start(first);
    let again = desk.join("App", true);
    desk.done(&["free", "Replaced App"]);
    assert_eq!(desk.give(Command::End { context }), Err(E::NotInTransaction));
    assert_eq!(desk.session.applications().count(), 1);
    let _ = again;
    for number in 0..3 {
        desk.give(joining("Copy#", &format!("http://127.0.0.1/{number}"), true)).unwrap();
    }
    let mut names: Vec<&str> = desk.session.applications().map(|(_, name)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["App", "Copy#0041", "Copy#0042", "Copy#0043"]);
}

#[test]
fn section_7_a_name_may_join_twice_where_the_site_says_so() {
    let mut desk = Desk::with(Rules { unique_names: false, ..Rules::default() });
    desk.join("App", true);
    assert!(desk.give(joining("App", "http://127.0.0.1/other", true)).is_ok());
}

#[test]
fn section_8_joins_are_bounded() {
    let mut desk = Desk::with(Rules { max_participants: 3, ..Rules::default() });
    ["A", "B", "C"].iter().for_each(|name| assert_ne!(desk.join(name, true), 0));
    assert_eq!(desk.give(joining("D", "http://127.0.0.1/D", true)), Err(E::TooManyParticipants));
    for name in ["", " ", "a\u{7}b", &"x".repeat(129)] {
        assert_eq!(desk.give(joining(name, "http://127.0.0.1/", true)), Err(E::GeneralFailure), "{name:?}");
    }
    let coupons: Vec<u32> = desk.session.applications().map(|(coupon, _)| coupon).collect();
    assert_eq!(coupons.len(), 3);
    assert!(coupons.iter().all(|coupon| (1..=2_147_483_647).contains(coupon)));
}

#[test]
fn items_are_bounded() {
    let mut desk = Desk::with(Rules { max_items: 2, max_size: 64, ..Rules::default() });
    let a = desk.join("A", true);
    let context = desk.start(a);
    let three = ["Patient.Id.MRN.a=1", "Patient.Id.MRN.b=1", "Patient.Id.MRN.c=1"];
    assert_eq!(desk.set(a, context, &three), Err(E::BadItemValue));
    assert_eq!(desk.set(a, context, &[&format!("Patient.Id.MRN.a={}", "1".repeat(64))]), Err(E::BadItemValue));
    assert_eq!(desk.set(a, context, &["Patient.Id.MRN.a=\u{0}"]), Err(E::BadItemValue));
    assert_eq!(desk.set(a, context, &["AuthenticateUser.Ou.Status=Pass"]), Err(E::BadItemType));
    assert_eq!(desk.set(a, context, &three[..2]), Ok(Some(Answer::Void)));
    desk.give(Command::End { context }).unwrap();
    desk.give(Command::Publish { context, accept: true }).unwrap();
    desk.give(Command::Committed { context, kept: Ok(()) }).unwrap();
    let context = desk.start(a);
    desk.set(a, context, &["[v]X.Id=1"]).unwrap();
    assert_eq!(desk.give(Command::End { context }), Err(E::InvalidTransaction), "together they are too many");
}

#[test]
fn section_12_secure_subjects_are_set_by_trusted_applications_and_secrets_are_dropped() {
    let mut desk = Desk::new();
    let [a, logon] = ["A", "Logon"].map(|name| desk.join(name, false));
    let context = desk.start(a);
    assert_eq!(desk.set(a, context, &["User.Id.Logon.ad="]), Err(E::SignatureRequired));
    desk.give(Command::Undo { context }).unwrap();
    let context = desk.start(logon);
    desk.set(logon, context, &["User.Id.Logon.ad=ann", "User.Id.Logon.vistatoken=SECRET"]).unwrap();
    desk.give(Command::End { context }).unwrap();
    desk.give(Command::Publish { context, accept: true }).unwrap();
    desk.give(Command::Committed { context, kept: Ok(()) }).unwrap();
    assert_eq!(desk.current(), ["User.Id.Logon.ad=ann"]);
}

#[test]
fn section_12_a_coupon_is_used_from_the_address_that_joined_with_it() {
    let mut desk = Desk::new();
    let a = desk.join("A", true);
    assert_eq!(desk.give_from(ELSEWHERE, Command::Start { participant: a, entropy: 1 }), Err(E::UnknownParticipant));
    let context = desk.start(a);
    assert_eq!(desk.give_from(ELSEWHERE, Command::End { context }), Err(E::InvalidContextCoupon));
    let again = joining("A", "http://127.0.0.1/A", true);
    assert_eq!(
        desk.give_from(ELSEWHERE, again),
        Err(E::AlreadyJoined),
        "nor does another machine's application replace it"
    );
    let mut desk = Desk::with(Rules { coupons_have_addresses: false, ..Rules::default() });
    let a = desk.join("A", true);
    assert!(desk.give_from(ELSEWHERE, Command::Start { participant: a, entropy: 1 }).is_ok());
    let mut desk = Desk::new();
    let [v4, v6] = ["127.0.0.1", "::1"].map(|address| Caller::Peer(address.parse().unwrap()));
    let Ok(Some(Answer::Participant(a))) = desk.give_from(v4, joining("A", "http://127.0.0.1/", true)) else {
        panic!()
    };
    assert!(desk.give_from(v6, Command::Start { participant: a, entropy: 1 }).is_ok());
}

#[test]
fn the_gateways_own_changes_are_neither_kept_again_nor_told_to_it() {
    let mut desk = Desk::new();
    let own = Joining {
        application: "FHIRcast".to_owned(),
        endpoint: Endpoint::Gateway,
        survey: false,
        sets_secure: true,
        entropy: 5,
    };
    let Ok(Some(Answer::Participant(own))) = desk.give_from(Caller::Gateway, Command::Join(own)) else { panic!() };
    let a = desk.join("A", false);
    assert_eq!(
        desk.give(Command::Start { participant: own, entropy: 1 }),
        Err(E::UnknownParticipant),
        "nobody else uses it"
    );
    let Ok(Some(Answer::Context(context))) =
        desk.give_from(Caller::Gateway, Command::Start { participant: own, entropy: 1 })
    else {
        panic!()
    };
    let items = vec![Item { name: ItemName::parse("User.Id.Logon.ad").unwrap(), value: "ann".to_owned() }];
    desk.give_from(Caller::Gateway, Command::Set { participant: own, context, items }).unwrap();
    desk.give_from(Caller::Gateway, Command::End { context }).unwrap();
    let published = desk.give_from(Caller::Gateway, Command::Publish { context, accept: true });
    assert_eq!(published, Ok(Some(Answer::Published)));
    desk.done(&[&format!("accepted A {context}"), "free"]);
    desk.commit(a, "1");
    assert!(desk.done.iter().all(|words| !words.contains('?')), "{:?}", desk.done);
}

#[test]
fn section_7_the_end_of_a_session_is_told_to_all() {
    let mut desk = Desk::new();
    let a = desk.join("A", true);
    desk.start(a);
    desk.give_from(Caller::Gateway, Command::Terminate).unwrap();
    desk.done(&["Terminated A", "free", "Terminated A"]);
    assert_eq!(desk.session.empty_since(), Some(Moment::ZERO));
}
