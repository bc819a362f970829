//! What an operator sees of a subscription: who it is, whether it is there, and whether it answers (CLI-23).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One subscription, at one moment. Holds nothing by which its socket could be opened, nor the topic itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The topic, as logs show it: a digest.
    pub topic: String,
    /// What it calls itself; else its short id.
    pub name: String,
    /// The short id of its endpoint, as logs show it.
    pub endpoint: String,
    /// What it is subscribed to, in its spelling.
    pub events: Vec<String>,
    /// Whether it is there.
    pub connection: ConnectionState,
    /// Whether it acknowledges what it is sent.
    pub acknowledges: Acknowledges,
    /// When it last did.
    pub last_acknowledgement: Option<Timestamp>,
    /// The end of its lease.
    pub expires: Timestamp,
}

/// Whether a subscriber is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Its socket is open.
    Connected,
    /// Its socket has closed; it may come back.
    Disconnected,
    /// It has not connected yet.
    Expected,
    /// Its socket was lost a moment ago, and nobody has been told yet.
    Lost,
}

/// Whether a subscriber acknowledges what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledges {
    /// Everything so far.
    Always,
    /// Nothing so far.
    Never,
    /// Nothing was sent to it that it could have acknowledged by now.
    NothingYet,
    /// Some of it.
    Sometimes,
}
