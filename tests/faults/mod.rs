//! What a hub must survive: peers that misbehave, each at its own cost.

mod peers;
mod requests;
