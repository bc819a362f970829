//! `run`: the gateway, until Ctrl-C or SIGTERM. SIGHUP reads the certificate and the mappings again.

use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::service_manager::ServiceManager;
use crate::clock::System;
use crate::config::{Layers, Problems};
use crate::node::Plan;
use crate::process;
use crate::telemetry;

pub(super) async fn run(layers: Layers, problems: Problems) -> Result<(), Failure> {
    let plan = Plan::check(&layers, problems)?;
    let traces = telemetry::start(plan.log_filter(), plan.log_format(), plan.traces())
        .map_err(|error| Failure::Refused(format!("error: {error}")))?;
    if !plan.core_dumps() {
        process::forbid_core_dumps()
            .map_err(|error| Failure::Failed(format!("error: cannot forbid core dumps: {error}")))?;
    }
    let (mut interrupt, mut terminate) = (stop_signal(SignalKind::interrupt())?, stop_signal(SignalKind::terminate())?);
    // Before anybody can think that it runs: without a handler the signal would end it.
    let mut hang_up = stop_signal(SignalKind::hangup())?;
    let node = plan.start(Arc::new(System)).await?;
    say(&format!("fhircast-gateway {} is running\n\n{node}\nCtrl-C ends it.", env!("CARGO_PKG_VERSION")));
    let mut manager = ServiceManager::of_the_environment();
    manager.ready();
    loop {
        tokio::select! {
            () = manager.heartbeat() => if node.is_alive() { manager.alive() },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => node.reload(),
            // At once, and without a word to anybody: nothing can be promised any more.
            () = node.failed() => {
                return Err(Failure::Failed("error: the store has failed, see the log; look at its disk, then start again".into()));
            }
        }
    }
    manager.stopping();
    say("Draining: nothing new is taken, what is in hand is answered.");
    let drained = node.drain().await;
    traces.end().await;
    if drained {
        say("Drained.");
        Ok(())
    } else {
        Err(Failure::Failed("error: some connections did not end in time and were cut".into()))
    }
}

/// Tells whoever looks. A gateway runs on when nobody can be told any more, as the terminal is gone.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn stop_signal(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::Failed(format!("error: cannot wait for signals: {error}")))
}
