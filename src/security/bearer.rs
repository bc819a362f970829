//! The token in an `Authorization` header (RFC 6750 section 2.1).

use super::AuthenticationError;

/// Longer tokens are refused before anything looks at them. Real ones with many claims have some 4 KiB.
const LONGEST: usize = 16 * 1024;

/// The bearer token of the header's value.
///
/// # Errors
/// [`AuthenticationError::Missing`] without a header or with another scheme, else `Invalid`.
pub(super) fn token(authorization: Option<&str>) -> Result<&str, AuthenticationError> {
    let value = authorization.ok_or(AuthenticationError::Missing)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(AuthenticationError::Missing);
    }
    let token = token.trim_matches(' ');
    match token.len() {
        0 => Err(AuthenticationError::invalid("there is no token after Bearer")),
        length if length > LONGEST => Err(AuthenticationError::invalid("the token is longer than 16 KiB")),
        _ if !is_token(token) => Err(AuthenticationError::invalid("the token has characters that no token has")),
        _ => Ok(token),
    }
}

/// The `b64token` of RFC 6750 section 2.1: `=` at its end only.
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_14_only_a_bearer_token_is_taken_for_one() {
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        for (header, expected) in [
            (None, Err("missing")),
            (Some(""), Err("missing")),
            (Some("Basic dXNlcjpwYXNz"), Err("missing")),
            (Some("BearerX abc"), Err("missing")),
            (Some("Bearer"), Err("invalid")),
            (Some("Bearer "), Err("invalid")),
            (Some("Bearer ="), Err("invalid")),
            (Some("Bearer a b"), Err("invalid")),
            (Some("Bearer a\u{7}b"), Err("invalid")),
            (Some("Bearer a,b"), Err("invalid")),
            (Some("Bearer a=b"), Err("invalid")),
            (Some("Bearer ä"), Err("invalid")),
            (Some(long.as_str()), Err("invalid")),
            (Some("Bearer abc.def-_~+/=="), Ok("abc.def-_~+/==")),
            (Some("bearer abc"), Ok("abc")),
            (Some("BEARER  abc"), Ok("abc")),
        ] {
            let found = token(header).map_err(|error| match error {
                AuthenticationError::Missing => "missing",
                _ => "invalid",
            });
            assert_eq!(found, expected, "{header:?}");
        }
    }
}
