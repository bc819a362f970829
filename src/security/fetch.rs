//! Asking an identity provider: the little of HTTP that it takes, so that tests answer in its place.

use futures_util::future::BoxFuture;
use reqwest::Url;

/// Asks an identity provider over HTTP.
pub trait Fetch: Send + Sync {
    /// Sends `request`. Follows no redirect, and gives up after [`PATIENCE`](super::PATIENCE).
    ///
    /// # Errors
    /// When there is no answer in time, or its body is larger than `request.max_body`. Any status is an answer.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>>;
}

/// What is asked. Has no `Debug`, as it holds secrets.
pub struct FetchRequest {
    /// Whom: https, or http on this machine.
    pub url: Url,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// Sent by `POST` as `application/x-www-form-urlencoded`; without it, the request is a `GET`.
    pub form: Option<String>,
    /// The largest body that is taken, in bytes.
    pub max_body: usize,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// The value of `Cache-Control`.
    pub cache_control: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered in time.
    #[error("it does not answer: check its address and whether this machine may reach it")]
    Unreachable,
    /// The body is too large.
    #[error("its answer is larger than is taken")]
    TooLarge,
}

/// An address of an identity provider: https, as whoever answers there decides who is let in; or http on this machine.
///
/// # Errors
/// What is wrong with `text`.
pub(crate) fn provider_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("must be https, as http is for this machine only"),
        _ => Err("must be https"),
    }
}

/// Whether `url` leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_04_a_provider_is_asked_over_https_or_on_this_machine() {
        for good in ["https://login.example/jwks", "http://localhost:8080/jwks", "http://127.0.0.1/", "http://[::1]:1/"]
        {
            assert!(provider_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "login.example",
            "http://login.example/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "https://me:secret@login.example/",
            "ftp://localhost/",
            "file:///etc/keys",
        ] {
            assert!(provider_url(bad).is_err(), "{bad}");
        }
    }
}
