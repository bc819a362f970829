//! `listen`: a standard FHIRcast subscriber at the terminal, for our hub or another's.

use clap::Args;
use tokio::signal;

use super::Failure;
use super::notification::describe;
use super::terminal::{Terminal, one_line};
use crate::client::{Frame, Subscriber, SubscriberOptions};

/// Arguments of `listen`.
#[derive(Args)]
pub(super) struct ListenArguments {
    /// The session to follow: `hub.topic`
    #[arg(long)]
    topic: String,
    /// The events to ask for, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = DEFAULT_EVENTS.map(str::to_owned))]
    events: Vec<String>,
    /// The hub: `hub.url`
    #[arg(long, default_value = "http://127.0.0.1:8080/hub")]
    hub: String,
    /// The subscriber's name, as others see it in a SyncError
    #[arg(long)]
    name: Option<String>,
    /// How long the subscription lasts, in seconds
    #[arg(long)]
    lease: Option<u64>,
    /// A file that holds the access token of a hub that asks for one
    #[arg(long, value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
    /// End after this many notifications
    #[arg(long)]
    count: Option<usize>,
    /// Print each frame as it came, one a line
    #[arg(long)]
    json: bool,
}

const DEFAULT_EVENTS: [&str; 9] = [
    "Patient-open",
    "Patient-close",
    "Encounter-open",
    "Encounter-close",
    "ImagingStudy-open",
    "ImagingStudy-close",
    "DiagnosticReport-open",
    "DiagnosticReport-close",
    "SyncError",
];

pub(super) async fn listen(arguments: ListenArguments) -> Result<(), Failure> {
    let options = SubscriberOptions {
        name: arguments.name.clone(),
        lease_seconds: arguments.lease,
        token: arguments.token_file.as_deref().map(token).transpose()?,
    };
    let mut subscriber =
        Subscriber::subscribe(&arguments.hub, &arguments.topic, &arguments.events, options).await.map_err(failed)?;
    let mut left = arguments.count;
    while left != Some(0) {
        let frame = tokio::select! {
            frame = subscriber.next() => frame.map_err(failed)?,
            _ = signal::ctrl_c() => break,
        };
        if !show(&frame, &arguments)? {
            return Ok(());
        }
        if matches!(frame, Frame::Notification { .. }) {
            left = left.map(|left| left.saturating_sub(1));
        }
    }
    subscriber.unsubscribe().await.map_err(failed)
}

/// Prints a frame; false when it was the last.
fn show(frame: &Frame, arguments: &ListenArguments) -> Result<bool, Failure> {
    let terminal = Terminal::of_stdout();
    match frame {
        Frame::Closed { code, reason } => {
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", one_line(reason, 120)) };
            return match code.as_str() {
                " (1000)" | " (1001)" => {
                    eprintln!("The hub closed the socket{code}{reason}.");
                    Ok(false)
                }
                _ => Err(Failure::Failed(format!("error: the socket was closed{code}{reason}"))),
            };
        }
        Frame::Confirmation { text, .. } | Frame::Notification { text, .. } | Frame::Denied { text, .. }
            if arguments.json =>
        {
            println!("{text}");
        }
        Frame::Confirmation { lease_seconds, .. } => {
            let lease = lease_seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
            println!("Subscribed to {} at {}{lease}. Ctrl-C ends it.", arguments.topic, arguments.hub);
        }
        Frame::Denied { reason, .. } => println!("The hub ends the subscription: {}", one_line(reason, 200)),
        Frame::Notification { text, .. } => show_notification(text, terminal)?,
    }
    Ok(true)
}

fn show_notification(text: &str, terminal: Terminal) -> Result<(), Failure> {
    let notification: serde_json::Value = serde_json::from_str(text).map_err(failed)?;
    let word = |value: &serde_json::Value| one_line(value.as_str().unwrap_or("-"), 80);
    let event = word(&notification["event"]["hub.event"]);
    println!(
        "{}  {}  {}",
        word(&notification["timestamp"]),
        terminal.green(&event),
        terminal.dim(&word(&notification["id"]))
    );
    describe(&notification).iter().for_each(|line| println!("    {line}"));
    Ok(())
}

fn token(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("error: cannot read {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("error: {error}"))
}
