//! Tokens that the hub verifies by itself: JWTs of the configured issuers (RFC 7519, RFC 8725, RFC 9068).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{DecodingKey, Validation};

use super::algorithm::SignatureAlgorithm;
use super::json_object::JsonObject;
use super::key_cache::{KeyCache, NoKey};
use super::settings::IssuerSettings;
use super::{AuthenticationError, Grant, claims};

/// An issuer, and the keys that it signs with.
pub(super) struct Issuer {
    settings: IssuerSettings,
    keys: Arc<KeyCache>,
}

/// The readable parts of a JWT. Nothing has vouched for them yet.
struct Unverified {
    header: JsonObject,
    claims: JsonObject,
}

impl Issuer {
    pub(super) fn new(settings: IssuerSettings, keys: Arc<KeyCache>) -> Self {
        Self { settings, keys }
    }

    /// What `token` grants at `now`, if it is one of ours to judge: `None` for what names no issuer among `issuers`.
    ///
    /// A token of a configured issuer is judged here and nowhere else, so that nobody else can vouch for it.
    pub(super) async fn judge(
        issuers: &[Self],
        token: &str,
        now: Timestamp,
    ) -> Option<Result<Grant, AuthenticationError>> {
        let unverified = Unverified::read(token)?;
        let name = unverified.claims.text("iss")?;
        let issuer = issuers.iter().find(|issuer| issuer.settings.issuer == name)?;
        Some(issuer.verify(token, &unverified.header, now).await)
    }

    async fn verify(&self, token: &str, header: &JsonObject, now: Timestamp) -> Result<Grant, AuthenticationError> {
        let algorithm = self.algorithm(header)?;
        self.check_header(header)?;
        let key = self.keys.key(key_id(header)?, algorithm).await.map_err(|error| match error {
            NoKey::Unknown => AuthenticationError::invalid("its issuer has no such key"),
            NoKey::Unavailable => AuthenticationError::Unavailable,
        })?;
        let claims = self.verified_claims(token, &key, algorithm)?;
        let expires = self.check_times(&claims, now)?;
        Ok(Grant {
            principal: claims::principal(&self.settings.issuer, &claims)?,
            scopes: claims::scopes(&claims),
            expires: Some(expires),
            topics: claims::topics(&claims, self.settings.topic_claim.as_deref())?,
        })
    }

    /// The algorithm that the header names, if the configuration allows it: the token does not choose (RFC 8725 3.1).
    fn algorithm(&self, header: &JsonObject) -> Result<SignatureAlgorithm, AuthenticationError> {
        let named = header.text("alg").and_then(SignatureAlgorithm::named);
        let allowed = named.filter(|algorithm| self.settings.algorithms.contains(algorithm));
        allowed.ok_or(AuthenticationError::invalid("its signature algorithm is not among those of its issuer"))
    }

    /// Keys that a token brings along or points at (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    fn check_header(&self, header: &JsonObject) -> Result<(), AuthenticationError> {
        if header.get("crit").is_some() {
            // RFC 7515 section 4.1.11: who understands none of the extensions refuses.
            return Err(AuthenticationError::invalid("its header demands an extension that the hub does not know"));
        }
        let Some(wanted) = &self.settings.token_type else { return Ok(()) };
        match header.text("typ").is_some_and(|found| media_type(found).eq_ignore_ascii_case(media_type(wanted))) {
            true => Ok(()),
            false => Err(AuthenticationError::invalid("it is not of the type that its issuer gives to access tokens")),
        }
    }

    fn verified_claims(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<JsonObject, AuthenticationError> {
        let mut validation = Validation::new(algorithm.for_verification());
        validation.set_audience(&self.settings.audiences);
        validation.set_issuer(&[&self.settings.issuer]);
        // Without this line a token that lacks one of them passes.
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        // Times are checked in `check_times`, by the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let decoded = jsonwebtoken::decode::<JsonObject>(token, key, &validation);
        decoded.map(|decoded| decoded.claims).map_err(|error| AuthenticationError::invalid(reason(&error)))
    }

    /// When the token ends.
    fn check_times(&self, claims: &JsonObject, now: Timestamp) -> Result<Timestamp, AuthenticationError> {
        let expires = claims::time(claims, "exp")?.ok_or(AuthenticationError::invalid("it has no end"))?;
        if later(expires, self.settings.leeway) <= now {
            return Err(AuthenticationError::invalid("it has expired"));
        }
        match claims::time(claims, "nbf")? {
            Some(not_before) if not_before > later(now, self.settings.leeway) => {
                Err(AuthenticationError::invalid("it is not yet valid"))
            }
            _ => Ok(expires),
        }
    }
}

impl Unverified {
    /// `None` for what is not three segments with a JSON object in the first two.
    fn read(token: &str) -> Option<Self> {
        let mut segments = token.split('.');
        let (header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
        let object = |segment| JsonObject::parse(&URL_SAFE_NO_PAD.decode(segment).ok()?);
        segments.next().is_none().then_some(Self { header: object(header)?, claims: object(claims)? })
    }
}

/// The `kid`, which is looked up in the issuer's keys and serves for nothing else.
fn key_id(header: &JsonObject) -> Result<Option<&str>, AuthenticationError> {
    match header.get("kid") {
        None => Ok(None),
        Some(id) => id.as_str().map(Some).ok_or(AuthenticationError::invalid("its key id is not a string")),
    }
}

/// Without `application/`, which may be left out (RFC 7515 section 4.1.9).
fn media_type(text: &str) -> &str {
    text.split_at_checked("application/".len())
        .filter(|(prefix, _)| prefix.eq_ignore_ascii_case("application/"))
        .map_or(text, |(_, rest)| rest)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAudience => "it is meant for another audience",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of exp, aud and iss, or has it in a wrong form",
        _ => "it cannot be verified",
    }
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
