//! The hub against the clause catalogue, over real sockets: each test is named for the clause that it proves.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot go on fails its test")]

mod context;
mod discovery;
mod fixture;
mod misbehaviour;
mod notification;
mod publishing;
mod socket;
mod subscribing;
