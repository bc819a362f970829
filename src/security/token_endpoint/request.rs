//! What a client sends for a token: a form, and perhaps an `Authorization` header (RFC 6749 sections 2.3.1, 4.4.2).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::TokenError;
use crate::store::Secret;

/// A request for a token, well formed; nothing of it has been checked.
#[derive(Debug)]
pub(super) struct TokenRequest {
    pub(super) client_id: String,
    pub(super) secret: Secret,
    pub(super) grant_type: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) user: Option<String>,
}

/// The parameters that mean something here. All others (`audience`, `resource`) are ignored, as RFC 6749 section 3.2 has it.
#[derive(Default)]
struct Parameters {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    username: Option<String>,
}

impl TokenRequest {
    /// Reads the value of the `Authorization` header, and the body.
    ///
    /// # Errors
    /// When the form is no form, or the client names itself not at all or in two ways.
    pub(super) fn read(authorization: Option<&str>, form: &[u8]) -> Result<Self, TokenError> {
        let parameters = Parameters::read(form)?;
        let (client_id, secret) = match (authorization, parameters.client_secret) {
            (Some(_), Some(_)) => {
                return Err(TokenError::InvalidRequest(
                    "the client proves itself twice: use the Authorization header or client_secret, not both",
                ));
            }
            (Some(header), None) => {
                let (client_id, secret) = basic(header).ok_or(TokenError::InvalidClient)?;
                if parameters.client_id.is_some_and(|named| named != client_id) {
                    return Err(TokenError::InvalidRequest("client_id is not the one in the Authorization header"));
                }
                (client_id, secret)
            }
            (None, secret) => parameters.client_id.zip(secret.map(Secret::new)).ok_or(TokenError::InvalidClient)?,
        };
        let Parameters { grant_type, scope, username: user, .. } = parameters;
        Ok(Self { client_id, secret, grant_type, scope, user })
    }
}

impl Parameters {
    fn read(form: &[u8]) -> Result<Self, TokenError> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(form) {
            let place = match &*name {
                "grant_type" => &mut parameters.grant_type,
                "client_id" => &mut parameters.client_id,
                "client_secret" => &mut parameters.client_secret,
                "scope" => &mut parameters.scope,
                "username" => &mut parameters.username,
                _ => continue,
            };
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(TokenError::InvalidRequest("a parameter is not UTF-8"));
            }
            // One without a value counts as left out (RFC 6749 section 3.2).
            let value = Some(value).filter(|value| !value.is_empty());
            if value.is_some() && std::mem::replace(place, value.map(Cow::into_owned)).is_some() {
                return Err(TokenError::InvalidRequest("a parameter is there twice"));
            }
        }
        Ok(parameters)
    }
}

/// Client id and secret of HTTP Basic, each form-encoded within it (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim_matches(' ')).ok()?).ok()?;
    let (client_id, secret) = text.split_once(':')?;
    Some((decoded(client_id), Secret::new(decoded(secret))))
}

fn decoded(text: &str) -> String {
    // A `&` or `=` stands in no encoded half; put in as they are, they part nothing here.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}
