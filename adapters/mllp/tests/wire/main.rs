//! The adapter over real sockets: bytes in, bytes out, with a gateway that is a table.
#![expect(clippy::unwrap_used, reason = "a helper that cannot do its part fails the test that called it")]

mod abnormal;
mod fixture;
mod limits;
mod order;
mod sending;
mod tls;
