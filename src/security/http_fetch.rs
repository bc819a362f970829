//! The real way to an identity provider.

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, header, redirect};

use super::fetch::{Fetch, FetchError, FetchRequest, FetchResponse, is_loopback};

/// How long an identity provider may take for a whole answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Asks over the network, with the machine's own certificate authorities.
#[derive(Clone, Debug)]
pub struct HttpFetch {
    outside: Client,
    /// Without proxy: it would look for the provider on its own machine.
    loopback: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare TLS towards the identity provider: {0}; check this machine's certificate authorities")]
pub struct HttpFetchError(#[from] reqwest::Error);

impl HttpFetch {
    /// A client, with nothing asked yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, HttpFetchError> {
        Ok(Self { outside: builder().build()?, loopback: builder().no_proxy().build()? })
    }

    fn request(&self, request: &FetchRequest) -> RequestBuilder {
        let client = if is_loopback(&request.url) { &self.loopback } else { &self.outside };
        let mut builder = match &request.form {
            None => client.get(request.url.clone()),
            Some(form) => client
                .post(request.url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
        };
        if let Some(authorization) = &request.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        builder.header(header::ACCEPT, "application/json")
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        Box::pin(async move {
            let response = self.request(&request).send().await.map_err(|_| FetchError::Unreachable)?;
            let status = response.status().as_u16();
            let cache_control = response.headers().get(header::CACHE_CONTROL);
            let cache_control = cache_control.and_then(|value| value.to_str().ok()).map(str::to_owned);
            Ok(FetchResponse { status, cache_control, body: body(response, request.max_body).await? })
        })
    }
}

/// A redirect would lead where nobody configured; following it would also send the secret there.
fn builder() -> ClientBuilder {
    Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none())
}

/// Stops reading at `max` bytes, whatever the length in the header says.
async fn body(mut response: Response, max: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Unreachable)? {
        if body.len() + chunk.len() > max {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
