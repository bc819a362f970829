//! The clients that the gateway gives tokens to, and how each proves who it is.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::{SignedDuration, Timestamp};

use super::super::AuthenticatorError;
use super::super::settings::ClientSettings;
use crate::allowance::Allowance;
use crate::fhircast::Scopes;
use crate::store::{Secret, sha_256};

/// A client; of its secrets only hashes are kept.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) scopes: Scopes,
    pub(super) user: Option<String>,
    pub(super) mount: Option<String>,
    pub(super) token_lifetime: SignedDuration,
    hashes: Vec<[u8; 32]>,
    allowance: Mutex<Allowance>,
}

/// The clients that there are.
pub(super) struct Clients(Vec<Client>);

/// 128 random bits in hexadecimal.
pub(in super::super) const SHORTEST_SECRET: usize = 32;

/// Longer names are nobody's.
const LONGEST_CLIENT_ID: usize = 64;

/// Tokens that one client may get in a second, in the long run; it may serve many users.
const TOKENS_PER_SECOND: u32 = 20;
/// Tokens that one client may get at once, as when all its users begin to work.
const TOKENS_AT_ONCE: u32 = 200;

/// Whether `text` can be a `client_id`: characters that are the same however a client encodes them.
pub(in super::super) fn is_client_id(text: &str) -> bool {
    (1..=LONGEST_CLIENT_ID).contains(&text.len()) && is_unreserved(text)
}

/// Those of RFC 3986 section 2.3: half of all clients do not encode what stands in HTTP Basic, the other half does.
fn is_unreserved(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

impl Clients {
    pub(super) fn new(clients: Vec<Client>) -> Self {
        Self(clients)
    }

    /// The client called `id`.
    pub(super) fn find(&self, id: &str) -> Option<&Client> {
        self.0.iter().find(|client| client.id == id)
    }

    /// The client that `id` and `secret` are of.
    ///
    /// All are compared, each in constant time: how long it takes tells nobody whether there is such a client, nor how close
    /// a guess was.
    pub(super) fn proven(&self, id: &str, secret: &Secret) -> Option<&Client> {
        let hash = hash(id, secret);
        let mut found = None;
        for client in &self.0 {
            for known in &client.hashes {
                if verify_slices_are_equal(known, &hash).is_ok() {
                    found = Some(client);
                }
            }
        }
        found
    }

    /// Everything that any of them may be granted.
    pub(super) fn scopes(&self) -> Scopes {
        let all: Vec<String> = self.0.iter().map(|client| client.scopes.to_string()).collect();
        Scopes::parse(&all.join(" "))
    }
}

impl Client {
    /// The client `id` with these secrets.
    ///
    /// # Errors
    /// When a secret is easily guessed, or is not the same in every encoding.
    pub(super) fn new(id: &str, settings: &ClientSettings, secrets: &[Secret]) -> Result<Self, AuthenticatorError> {
        let good = |secret: &Secret| secret.reveal().len() >= SHORTEST_SECRET && is_unreserved(secret.reveal());
        if !secrets.iter().all(good) {
            return Err(AuthenticatorError::ClientSecret { name: id.to_owned() });
        }
        Ok(Self {
            id: id.to_owned(),
            scopes: Scopes::parse(&settings.scopes),
            user: settings.user.clone(),
            mount: settings.mount.clone(),
            token_lifetime: settings.token_lifetime,
            hashes: secrets.iter().map(|secret| hash(id, secret)).collect(),
            allowance: Mutex::default(),
        })
    }

    /// Whether it may have one more token (T18).
    pub(super) fn may_have_another(&self, now: Timestamp) -> bool {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.take(now, TOKENS_PER_SECOND, TOKENS_AT_ONCE)
    }
}

/// Of both in one, so that a secret proves its own client only; no id and no secret has a NUL.
fn hash(id: &str, secret: &Secret) -> [u8; 32] {
    sha_256(format!("{id}\0{}", secret.reveal()).as_bytes())
}
