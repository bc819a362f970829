//! The integration tests: one binary, as each is a link of the whole program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_message;
mod architecture;
mod command_line;
#[path = "../conformance/mod.rs"]
mod conformance;
mod connector;
mod coverage;
mod desktop;
#[path = "../faults/mod.rs"]
mod faults;
mod fixture;
mod interop;
mod language;
mod main_job;
mod mapping_tools;
mod mappings;
mod messages;
mod old_news;
mod operator;
mod reload;
mod service;
mod syslog;
mod telemetry;
mod tls;
mod token_endpoint;
#[cfg(feature = "opentelemetry")]
mod traces;
mod validator;
