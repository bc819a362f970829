//! What a gateway must survive: peers that misbehave, each at its own cost; disks that fail; its own end at any moment.

mod canary;
pub(crate) mod crash;
mod crashes;
mod disk;
mod peers;
mod requests;
mod soak;
