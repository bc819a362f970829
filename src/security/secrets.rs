//! The secrets that the `[auth]` settings name, read from their files.

use std::collections::BTreeMap;

use super::settings::AuthSettings;
use crate::store::{Secret, SecretFileError, secret_file};

/// The secrets that the settings name: what [`Authenticator::new`](super::Authenticator::new) needs besides them.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The fixed tokens by the name of their table.
    pub tokens: BTreeMap<String, Secret>,
    /// The secrets of the clients by the name of their table.
    pub clients: BTreeMap<String, Vec<Secret>>,
    /// The password at the introspection endpoint.
    pub introspection: Option<Secret>,
}

impl Secrets {
    /// Reads the files that `settings` name; none where the hub is open.
    ///
    /// # Errors
    /// Every file that cannot be used, each with what to do.
    pub fn read(settings: &AuthSettings) -> Result<Self, Vec<SecretFileError>> {
        let (mut secrets, mut errors) = (Self::default(), Vec::new());
        if settings.is_open() {
            return Ok(secrets);
        }
        for (name, token) in &settings.token {
            match secret_file(&token.file) {
                Ok(secret) => drop(secrets.tokens.insert(name.clone(), secret)),
                Err(error) => errors.push(error),
            }
        }
        for (name, client) in &settings.client {
            for file in &client.secret_files {
                match secret_file(file) {
                    Ok(secret) => secrets.clients.entry(name.clone()).or_default().push(secret),
                    Err(error) => errors.push(error),
                }
            }
        }
        match settings.introspection.as_ref().map(|introspection| secret_file(&introspection.client_secret_file)) {
            Some(Ok(secret)) => secrets.introspection = Some(secret),
            Some(Err(error)) => errors.push(error),
            None => {}
        }
        if errors.is_empty() { Ok(secrets) } else { Err(errors) }
    }
}
