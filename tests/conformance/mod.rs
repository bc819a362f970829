//! The hub against the clause catalogue, over real sockets: each test is named for the clause that it proves.

mod content;
mod context;
mod discovery;
mod fixture;
mod lenient;
mod misbehaviour;
mod mounts;
mod notification;
mod publishing;
mod socket;
mod strict;
mod subscribing;
