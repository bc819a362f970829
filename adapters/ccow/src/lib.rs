//! CCOW's web mapping: a context manager that existing CCOW applications join, and the registry that they find it by.
//!
//! A call's way: `listener` accepts a connection, `routes` makes a call of a request ([`arguments`], [`form`]), [`registry`]
//! tells the desktop's manager, [`manager`] makes a command of the call, [`transaction`] obeys it over [`items`], and what
//! is to be done besides is performed by `desk`: participants are asked and told (`lane`, by `client` or over `sockets`),
//! and an accepted change goes to the gateway's [`Sink`](fhircast_gateway_adapter_api::Sink) as a [`commit`], whose fields
//! have [`path`]s. Only when the gateway has kept it is anybody answered or told.
//!
//! Only `listener`, `routes`, `desk`, `lane`, `client` and `sockets` know sockets or wait; everything else is functions of
//! values, the time among them.
//!
//! Knows nothing of FHIR, of mappings, of topics.
//!
//! Section numbers in these docs (`2.2`, `5`) are those of the project's CCOW reference.

mod client;
mod counters;
mod desk;
mod desks;
mod lane;
mod listener;
mod network;
mod routes;
mod shared;
mod sockets;

pub mod arguments;
pub mod callable;
pub mod callback;
pub mod commit;
pub mod exception;
pub mod form;
pub mod items;
pub mod manager;
pub mod oddity;
pub mod path;
pub mod registry;
pub mod reply;
pub mod settings;
pub mod transaction;

pub use commit::Commit;
pub use counters::Counters;
pub use exception::{Exception, ExceptionName};
pub use listener::{Acceptor, Door, serve};
pub use network::Network;
pub use path::Ccow;
pub use settings::Settings;
