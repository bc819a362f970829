//! A mount: one base path, so one `hub.url`, with an edition of the standard and its policies. All mounts share their topics.

use jiff::SignedDuration;

/// One door to the hub.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// Its base path, with a leading slash and without a trailing one.
    pub(crate) path: &'static str,
    /// What it decides where the standard leaves it open, or clients differ.
    pub(crate) policy: Policy,
}

/// The mounts that there are. Edition 3, standard profile.
pub(crate) const MOUNTS: [Mount; 1] = [Mount { path: "/hub", policy: STANDARD }];

/// What a mount decides where the standard leaves it open. Each subscription carries its own mount's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Whose silence counts (POL-01).
    pub(crate) silence: Silence,
    /// Answers missed in a row after which a subscription ends (POL-02).
    pub(crate) misses: u32,
    /// How long a lost subscriber may take to come back before the others are told (POL-03).
    pub(crate) grace: SignedDuration,
    /// Whether a close without a code is a proper one (POL-04).
    pub(crate) close_without_code_is_normal: bool,
}

/// Whose silence counts as not having followed an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// That of subscribers that have ever answered: five of nine client families never do.
    OnceAnswered,
}

/// The standard profile.
pub(crate) const STANDARD: Policy = Policy {
    silence: Silence::OnceAnswered,
    misses: 1,
    grace: SignedDuration::from_secs(15),
    close_without_code_is_normal: true,
};

impl Policy {
    /// Whether a subscriber that closes with this code has left properly (NOT-07).
    pub(crate) fn is_normal(&self, code: Option<u16>) -> bool {
        match code {
            Some(code) => matches!(code, NORMAL | GOING_AWAY),
            None => self.close_without_code_is_normal,
        }
    }
}

/// The subscriber is done (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

/// The subscriber's page or process ends (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;
