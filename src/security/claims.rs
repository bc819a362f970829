//! What a token says of itself, once its signature or the introspection endpoint vouches for it.

use jiff::Timestamp;
use std::sync::Arc;

use super::json_object::JsonObject;
use super::{AuthenticationError, Topics};
use crate::fhircast::Scopes;

/// Longer names of a subject or client are nobody's.
const LONGEST_NAME: usize = 512;

/// The time in the claim `name` (`NumericDate`, RFC 7519 section 2), in whole seconds since 1970.
///
/// Stricter than the RFC: a fraction is refused. A time that is no number must not count as none, or it never expires.
///
/// # Errors
/// When the claim is there and is no such time.
pub(super) fn time(claims: &JsonObject, name: &str) -> Result<Option<Timestamp>, AuthenticationError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| *seconds >= 0);
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(Some).ok_or(AuthenticationError::invalid("a time in it is not a whole number of seconds since 1970"))
}

/// The scopes in `scope` (RFC 6749 section 3.3), or else in `scp`, as some providers call it and may make a list.
pub(super) fn scopes(claims: &JsonObject) -> Scopes {
    let scope = claims.texts("scope").or_else(|| claims.texts("scp")).unwrap_or_default();
    Scopes::parse(&scope.join(" "))
}

/// The topics in `claim`; any where no claim is configured, and none where the token does not have it (SEC-03).
///
/// # Errors
/// When there are more than [`Topics::MOST`].
pub(super) fn topics(claims: &JsonObject, claim: Option<&str>) -> Result<Topics, AuthenticationError> {
    let Some(claim) = claim else { return Ok(Topics::Any) };
    let topics = claims.texts(claim).unwrap_or_default();
    Topics::listed(topics).ok_or(AuthenticationError::invalid("it is bound to more topics than a token may be"))
}

/// Who the token was issued to, and through which application.
///
/// # Errors
/// When it names neither: all such tokens would count as one and the same caller.
pub(super) fn principal(issuer: &str, claims: &JsonObject) -> Result<Arc<str>, AuthenticationError> {
    let client = ["client_id", "azp", "appid"].into_iter().find_map(|name| claims.text(name)).unwrap_or_default();
    let subject = claims.text("sub").unwrap_or_default();
    if subject.is_empty() && client.is_empty() {
        return Err(AuthenticationError::invalid("it names neither a subject nor a client"));
    }
    if subject.len() > LONGEST_NAME || client.len() > LONGEST_NAME {
        return Err(AuthenticationError::invalid("the name of its subject or client is too long"));
    }
    Ok(principal_of(issuer, subject, client))
}

/// One text of the three, which no other three give: none of them can hold the quotes that part them.
pub(super) fn principal_of(issuer: &str, subject: &str, client: &str) -> Arc<str> {
    serde_json::json!([issuer, subject, client]).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> JsonObject {
        JsonObject::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn sco_01_scopes_are_read_from_each_place_where_providers_put_them() {
        for claims in [
            r#"{"scope":"openid fhircast/Patient-open.read"}"#,
            r#"{"scp":"fhircast/Patient-open.read"}"#,
            r#"{"scp":["openid","fhircast/Patient-open.read"]}"#,
            r#"{"scope":7,"scp":["fhircast/Patient-open.read"]}"#,
        ] {
            assert_eq!(scopes(&object(claims)), Scopes::parse("fhircast/Patient-open.read"), "{claims}");
        }
        for claims in ["{}", r#"{"scope":{}}"#, r#"{"scp":["fhircast/*.read",1]}"#] {
            assert!(scopes(&object(claims)).is_empty(), "{claims}");
        }
    }

    #[test]
    fn sec_03_a_configured_topic_claim_that_is_absent_or_strange_permits_no_topic() {
        for claims in ["{}", r#"{"topic":7}"#, r#"{"topic":[]}"#, r#"{"topic":["a",7]}"#, r#"{"topic":null}"#] {
            assert!(!topics(&object(claims), Some("topic")).unwrap().permits("a"), "{claims}");
        }
        for claims in [r#"{"topic":"a"}"#, r#"{"topic":["b","a"]}"#] {
            assert!(topics(&object(claims), Some("topic")).unwrap().permits("a"), "{claims}");
        }
        assert_eq!(topics(&object("{}"), None), Ok(Topics::Any));
    }

    #[test]
    fn no_two_callers_share_a_principal() {
        assert_ne!(principal_of("a", "b\",\"c", ""), principal_of("a", "b", "c"));
        assert!(principal("a", &object(r#"{"sub":""}"#)).is_err());
        assert_eq!(&*principal("a", &object(r#"{"sub":"s","azp":"c"}"#)).unwrap(), r#"["a","s","c"]"#);
    }
}
