//! A gateway that is killed at any moment, and one whose power is cut: what was acknowledged is there at the next start, once
//! (reliability.md, 9: F1, F2). `cargo bench --bench crashes -- --rounds 1000` is the long run.

mod gateway;
mod load;
mod power_cut;
mod report;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use futures_util::StreamExt as _;

pub(crate) use self::gateway::{Gateway, Ports, data, fault};
pub(crate) use self::load::Sender;
use self::load::{Application, Follower};
use self::power_cut::Before;
pub(crate) use self::power_cut::Shim;
pub(crate) use self::report::Report;

/// What is done.
pub(crate) struct Plan {
    /// The program.
    pub(crate) program: PathBuf,
    /// How often it is ended.
    pub(crate) rounds: usize,
    /// Whether the power is cut; else it is killed, and the system writes what it had not written yet.
    pub(crate) power_cut: bool,
    /// Legacy systems that send at the same time.
    pub(crate) senders: usize,
    /// The same seed, the same moments.
    pub(crate) seed: u64,
}

/// Within this time after its start it is ended, in milliseconds.
const ENDS_WITHIN: u64 = 300;

/// Runs it.
pub(crate) async fn run(plan: Plan) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let shim = plan.power_cut.then(|| Shim::build(directory.path()));
    let (ports, mut rng) = (Ports::free(), Rng::with_seed(plan.seed));
    let mut report = Report::new(&plan);
    let mut senders: Vec<Sender> = (0..plan.senders).map(Sender::new).collect();
    let mut application = Application::default();
    let mut follower = Follower::default();
    for _ in 0..plan.rounds {
        let before = Before::of(&gateway::database(directory.path()));
        let gateway = Gateway::start(&plan.program, directory.path(), &ports, shim.as_ref());
        report.recovered(gateway.started_in);
        for sender in &mut senders {
            sender.catch_up(&gateway, &mut report).await;
        }
        application.catch_up(&gateway, &mut report).await;
        follower.catch_up(&gateway, senders[0].user(), &mut report).await;
        let ends = tokio::time::sleep(Duration::from_millis(rng.u64(5..ENDS_WITHIN)));
        let load = async {
            let sending = senders.iter_mut().map(|sender| sender.send_until_cut_off(&gateway));
            tokio::join!(
                futures_util::future::join_all(sending),
                application.publish_until_cut_off(&gateway),
                follower.follow_until_cut_off()
            )
        };
        let kill = async {
            ends.await;
            gateway.kill();
        };
        tokio::join!(load, kill);
        if plan.power_cut {
            before.cut(&gateway::database(directory.path()), &gateway::notes(directory.path()), &mut rng);
        }
    }
    let gateway = Gateway::start(&plan.program, directory.path(), &ports, None);
    for sender in &mut senders {
        sender.catch_up(&gateway, &mut report).await;
    }
    application.catch_up(&gateway, &mut report).await;
    gateway.stop();
    settle(directory.path(), &senders, &follower, &mut report);
    report
}

/// How long a gateway takes from its start until it serves, that was killed with so many topics, each with a context and a
/// subscription.
pub(crate) async fn recovery(program: &std::path::Path, topics: usize) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    let gateway = Gateway::start(program, directory.path(), &ports, None);
    let http = reqwest::Client::new();
    let work = futures_util::stream::iter(0..topics).for_each_concurrent(64, |number| {
        let (http, gateway) = (&http, &gateway);
        async move { load::follow_one_of_many(http, gateway, number).await }
    });
    work.await;
    gateway.kill();
    Gateway::start(program, directory.path(), &ports, None).started_in
}

/// Everything that was acknowledged, against everything that is there.
fn settle(directory: &std::path::Path, senders: &[Sender], follower: &Follower, report: &mut Report) {
    let messages = fhircast_gateway::store::Messages::open(&gateway::data(directory)).unwrap();
    fhircast_gateway::store::check(&gateway::data(directory)).unwrap_or_else(|error| panic!("{error}"));
    let rows = messages.list(&fhircast_gateway::store::Filter::default(), usize::MAX >> 1).unwrap();
    let mut handled: HashMap<&str, usize> = HashMap::new();
    let mut events: HashMap<&str, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.resend_of.is_none()) {
        *handled.entry(&row.record.control_id).or_default() += 1;
        row.record.events.iter().for_each(|(_, id)| *events.entry(id).or_default() += 1);
    }
    for control_id in senders.iter().flat_map(|sender| &sender.acknowledged) {
        report.acknowledged += 1;
        match handled.get(control_id.as_str()) {
            None => report.lost(format!("message {control_id} was acknowledged, and is not there")),
            Some(1) => {}
            Some(times) => report.doubled(format!("message {control_id} was handled {times} times")),
        }
    }
    for (id, times) in events.iter().filter(|(_, times)| **times > 1) {
        report.doubled(format!("event {id} was published {times} times"));
    }
    for id in follower.notified.iter().filter(|id| !events.contains_key(id.as_str())) {
        report.lost(format!("a subscriber was told of event {id}, and nothing of it is there"));
    }
}
