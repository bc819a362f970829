//! `send`: a RIS at the terminal. Sends HL7 v2 files over MLLP, to our gateway or another's engine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Failure;
use super::message_files::{self, Message};
use super::message_times;
use super::terminal::{Terminal, one_line};
use crate::adapters::ClientTls;
use crate::adapters::hl7_sender::{Acknowledgement, SendError, Sender, Target};
use crate::clock::{System, timestamp};

/// Arguments of `send`.
#[derive(Args)]
pub(super) struct SendArguments {
    /// HL7 v2 files; several messages in one file are sent one after another
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:2575")]
    to: String,
    /// Send everything this many times; each time but the first with control ids of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Connections that each send everything; each but the first with control ids of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Set the times of the header, the event and the orders to now: a receiver may not show what is old
    #[arg(long)]
    now: bool,
    /// Keep the control ids as they are, so that a receiver sees resends
    #[arg(long)]
    keep_control_ids: bool,
    /// Use TLS, and trust this PEM file of authorities
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

/// More exchanges than this are summed up instead of printed.
const MOST_PRINTED: usize = 50;

/// What one connection got.
#[derive(Default)]
struct Tally {
    positive: usize,
    negative: usize,
    latencies: Vec<Duration>,
}

pub(super) async fn send(arguments: SendArguments) -> Result<(), Failure> {
    let mut messages = message_files::read(&arguments.files)?;
    let now = timestamp(&System);
    if arguments.now {
        let time = message_times::spelt(now);
        messages.iter_mut().for_each(|message| message.bytes = message_times::with_times(&message.bytes, &time));
    }
    let old = messages.iter().filter(|message| message_times::is_old(&message.bytes, now)).count();
    let total = messages.len() * arguments.count as usize * arguments.connections as usize;
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    for connection in 0..arguments.connections {
        let run = Connection {
            target: target(&arguments),
            number: connection,
            count: arguments.count,
            keep_control_ids: arguments.keep_control_ids,
            print: total <= MOST_PRINTED,
        };
        connections.spawn(run.send(messages.clone()));
    }
    let mut tally = Tally::default();
    while let Some(joined) = connections.join_next().await {
        tally.add(joined.map_err(|error| Failure::Failed(format!("error: {error}")))??);
    }
    let reported = tally.report(begun.elapsed(), total > MOST_PRINTED);
    if old > 0 {
        println!(
            "{old} of these messages were sent long ago, by their own account, and a receiver may not show what is old."
        );
        println!("  = help: --now sends them as of now");
    }
    reported
}

struct Connection {
    target: Target,
    number: u32,
    count: u32,
    keep_control_ids: bool,
    print: bool,
}

impl Connection {
    async fn send(self, messages: Vec<Message>) -> Result<Tally, Failure> {
        let mut sender = Sender::connect(self.target.clone()).await.map_err(|error| {
            Failure::Failed(format!("error: {}\n  = help: is it running, and is --to right?", causes(&error)))
        })?;
        let mut tally = Tally::default();
        for round in 0..self.count {
            for message in &messages {
                let acknowledgement = sender
                    .send(&self.numbered(&message.bytes, round))
                    .await
                    .map_err(|error| Failure::Failed(format!("error: {}: {}", message.label, causes(&error))))?;
                self.show(message, &acknowledgement);
                tally.note(&acknowledgement);
            }
        }
        sender.close().await;
        Ok(tally)
    }

    /// The message as it is sent this time: a control id used twice would make it a resend.
    fn numbered(&self, bytes: &[u8], round: u32) -> Vec<u8> {
        if self.keep_control_ids || (self.number == 0 && round == 0) {
            return bytes.to_vec();
        }
        with_control_id_suffix(bytes, &format!("-{}-{round}", self.number))
    }

    fn show(&self, message: &Message, acknowledgement: &Acknowledgement) {
        if !self.print {
            return;
        }
        let terminal = Terminal::of_stdout();
        let milliseconds = acknowledgement.elapsed.as_secs_f64() * 1000.0;
        println!("{}  {milliseconds:.2} ms", terminal.bold(&message.label));
        for segment in
            String::from_utf8_lossy(&acknowledgement.bytes).split(['\r', '\n']).filter(|segment| !segment.is_empty())
        {
            let shown = one_line(segment, 240);
            let code = segment.starts_with("MSA");
            let shown = match (code, acknowledgement.is_positive()) {
                (true, true) => terminal.green(&shown),
                (true, false) => terminal.red(&shown),
                (false, _) => shown,
            };
            println!("  {shown}");
        }
    }
}

impl Tally {
    fn note(&mut self, acknowledgement: &Acknowledgement) {
        match acknowledgement.is_positive() {
            true => self.positive += 1,
            false => self.negative += 1,
        }
        self.latencies.push(acknowledgement.elapsed);
    }

    fn add(&mut self, other: Self) {
        self.positive += other.positive;
        self.negative += other.negative;
        self.latencies.extend(other.latencies);
    }

    fn report(mut self, elapsed: Duration, timed: bool) -> Result<(), Failure> {
        let sent = self.positive + self.negative;
        println!("{sent} sent, {} accepted, {} refused", self.positive, self.negative);
        if timed {
            self.latencies.sort_unstable();
            let at = |percent: usize| self.latencies[(self.latencies.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
            let per_second = sent as f64 / elapsed.as_secs_f64();
            println!(
                "{per_second:.0} messages a second; p50 {:.3} ms, p99 {:.3} ms to the acknowledgement",
                at(50),
                at(99)
            );
        }
        match self.negative {
            0 => Ok(()),
            refused => Err(Failure::Failed(format!("{refused} of {sent} messages were refused"))),
        }
    }
}

fn target(arguments: &SendArguments) -> Target {
    let tls = arguments.tls_ca.clone().map(|ca| ClientTls { ca, identity: None, server_name: None });
    Target { tls, ..Target::plain(&arguments.to) }
}

/// An error with what caused it.
fn causes(error: &SendError) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Appends to MSH-10, wherever the message's own field separator puts it.
fn with_control_id_suffix(bytes: &[u8], suffix: &str) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == b'\r').unwrap_or(bytes.len());
    let Some(&separator) = bytes.get(3) else { return bytes.to_vec() };
    let fields = bytes[..end].iter().enumerate().filter(|&(_, &byte)| byte == separator).map(|(index, _)| index);
    match fields.clone().nth(9) {
        Some(end_of_id) => [&bytes[..end_of_id], suffix.as_bytes(), &bytes[end_of_id..]].concat(),
        None if fields.count() == 9 => [&bytes[..end], suffix.as_bytes(), &bytes[end..]].concat(),
        None => bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_gets_a_control_id_of_its_own_and_nothing_else_changes() {
        let check = |message: &str, expected: &str| {
            assert_eq!(String::from_utf8(with_control_id_suffix(message.as_bytes(), "-1")).unwrap(), expected);
        };
        check("MSH|^~\\&|a|b|c|d|e||ORM|7|P\rPID|\r", "MSH|^~\\&|a|b|c|d|e||ORM|7-1|P\rPID|\r");
        check("MSH$^~\\&$a$b$c$d$e$$ORM$7\rPID$\r", "MSH$^~\\&$a$b$c$d$e$$ORM$7-1\rPID$\r");
        check("MSH|^~\\&|a\r", "MSH|^~\\&|a\r");
        check("", "");
    }
}
