//! The hub against the clause catalogue, over real sockets: each test is named for the clause that it proves.

mod context;
mod discovery;
mod fixture;
mod misbehaviour;
mod notification;
mod publishing;
mod socket;
mod subscribing;
mod verify;
