//! What a hub must survive: peers that misbehave, each at its own cost.

pub(crate) mod crash;
mod crashes;
mod peers;
mod requests;
