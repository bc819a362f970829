//! Bytes in and out over real sockets: applications as their real clients write, a gateway that answers as told.
#![expect(clippy::unwrap_used, reason = "a helper that cannot do its part fails the test that called it")]

mod bounds;
mod callbacks;
mod calls;
mod desktops;
mod fixture;
mod pages;
mod participant;
mod tls;
mod trust;
