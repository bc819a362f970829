//! `run`: the gateway, until Ctrl-C or SIGTERM. SIGHUP reads the certificate and the mappings again.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::clock::System;
use crate::config::{Layers, Problems};
use crate::node::Plan;
use crate::telemetry;

pub(super) async fn run(layers: Layers, problems: Problems) -> Result<(), Failure> {
    let plan = Plan::check(&layers, problems)?;
    telemetry::start(plan.log_filter()).map_err(|error| Failure::Refused(format!("error: {error}")))?;
    let (mut interrupt, mut terminate) = (stop_signal(SignalKind::interrupt())?, stop_signal(SignalKind::terminate())?);
    let node = plan.start(Arc::new(System)).await?;
    print!("fhircast-gateway {} is running\n\n{node}\nCtrl-C ends it.\n", env!("CARGO_PKG_VERSION"));
    let mut hang_up = stop_signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => node.reload(),
        }
    }
    println!("Draining: nothing new is taken, what is in hand is answered.");
    if node.drain().await {
        println!("Drained.");
        Ok(())
    } else {
        Err(Failure::Failed("error: some connections did not end in time and were cut".into()))
    }
}

fn stop_signal(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::Failed(format!("error: cannot wait for signals: {error}")))
}
