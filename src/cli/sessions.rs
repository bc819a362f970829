//! `sessions` and `subscribers`: ask the running gateway whose screens it knows, which topic a user has, and who follows.

use clap::Args;

use super::operator_api::{OperatorApi, read};
use super::terminal::one_line;
use super::{Failure, configured};
use crate::admin::{SessionList, TopicOf};
use crate::config::{Layers, Problems};
use crate::hub::{Acknowledges, ConnectionState, Subscriber};

/// Arguments of `sessions`.
#[derive(Args)]
pub(super) struct SessionsArguments {
    /// Tell the topic of this user, heard of or not
    #[arg(long, conflicts_with = "workstation")]
    user: Option<String>,
    /// Tell the topic of this workstation, heard of or not
    #[arg(long)]
    workstation: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn sessions(arguments: SessionsArguments, layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let api = OperatorApi::new(&configured(layers, problems)?)?;
    let seat = [("user", arguments.user), ("workstation", arguments.workstation)];
    match seat.into_iter().find_map(|(key, name)| Some((key, name?))) {
        Some((key, name)) => topic(&api, key, &name, arguments.json).await,
        None => list(&api, arguments.json).await,
    }
}

/// Arguments of `subscribers`.
#[derive(Args)]
pub(super) struct SubscribersArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Asks the running gateway who follows, and who is out of step.
pub(super) async fn subscribers(
    arguments: SubscribersArguments,
    layers: &Layers,
    problems: Problems,
) -> Result<(), Failure> {
    let body = OperatorApi::new(&configured(layers, problems)?)?.get("/subscribers", &[]).await?;
    let subscribers: Vec<Subscriber> = read(&body)?;
    if arguments.json {
        println!("{body}");
        return Ok(());
    }
    if subscribers.is_empty() {
        println!("No application is subscribed.");
        return Ok(());
    }
    println!("{:<10}{:<28}{:<14}{:<26}{:<22}EVENTS", "TOPIC", "NAME", "SOCKET", "ACKNOWLEDGES", "LEASE ENDS");
    for subscriber in subscribers {
        let acknowledges = match (subscriber.acknowledges, subscriber.last_acknowledgement) {
            (Acknowledges::NothingYet, _) => "nothing sent yet".to_owned(),
            (Acknowledges::Never, _) => "never".to_owned(),
            (Acknowledges::Always, Some(last)) => format!("always, {}", last.strftime("%H:%M:%S")),
            (_, Some(last)) => format!("sometimes, {}", last.strftime("%H:%M:%S")),
            (_, None) => "-".to_owned(),
        };
        let socket = match subscriber.connection {
            ConnectionState::Connected => "connected",
            ConnectionState::Disconnected => "closed",
            ConnectionState::Expected => "expected",
            ConnectionState::Lost => "lost",
        };
        let name = one_line(&subscriber.name, 26);
        let events = subscriber.events.join(",");
        let expires = format!("{:.0}", subscriber.expires);
        println!("{:<10}{name:<28}{socket:<14}{acknowledges:<26}{expires:<22}{events}", subscriber.topic);
    }
    Ok(())
}

async fn topic(api: &OperatorApi, key: &str, name: &str, json: bool) -> Result<(), Failure> {
    let body = api.get("/topic", &[(key, name)]).await?;
    let answer: TopicOf = read(&body)?;
    match json {
        true => println!("{body}"),
        false => println!("{}", answer.topic),
    }
    Ok(())
}

async fn list(api: &OperatorApi, json: bool) -> Result<(), Failure> {
    let body = api.get("/sessions", &[]).await?;
    let answer: SessionList = read(&body)?;
    if json {
        println!("{body}");
        return Ok(());
    }
    println!("hub.url  {}", answer.hub_url);
    if answer.sessions.is_empty() {
        println!(
            "No session yet: no message has become an event. `sessions --user NAME` tells a user's topic all the same."
        );
    }
    for session in answer.sessions {
        let user = session.seat.user.as_deref().unwrap_or("-");
        let workstation = session.seat.workstation.as_deref().unwrap_or("-");
        println!(
            "{user:<16} {workstation:<16} {:<44} {} messages, last {:.0}",
            session.topic, session.messages, session.seen
        );
    }
    Ok(())
}
