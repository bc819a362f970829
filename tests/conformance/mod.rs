//! The hub against the clause catalogue, over real sockets: each test is named for the clause that it proves.

mod audit;
mod content;
mod context;
mod discovery;
pub(crate) mod fixture;
mod legacy;
mod lenient;
mod mounts;
mod notification;
mod powercast;
mod publishing;
mod scopes;
pub(crate) mod socket;
mod strict;
mod subscribing;
mod verify;
mod virtual_time;
mod webhooks;
