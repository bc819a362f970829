//! One function for each clause: what a client does, and what the hub must do then.

pub(super) mod clients;
pub(super) mod confirmation;
pub(super) mod content;
pub(super) mod context;
pub(super) mod discovery;
pub(super) mod editing;
pub(super) mod lenient;
pub(super) mod notification;
pub(super) mod requesting;
pub(super) mod scopes;
pub(super) mod socket;
pub(super) mod strict;
pub(super) mod subscribing;
pub(super) mod sync_error;
pub(super) mod transport;
pub(super) mod unsubscribing;
