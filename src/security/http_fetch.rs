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
        builder.header(header::ACCEPT, "application/json, application/jwk-set+json")
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

#[cfg(test)]
mod tests {
    use reqwest::Url;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What a server that says `answer` is asked, and what comes back through [`HttpFetch`].
    async fn exchange(answer: String, form: Option<&str>) -> (String, Result<FetchResponse, FetchError>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/jwks", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = socket.read(&mut asked).await.unwrap();
            // Whoever has had enough hangs up while this is being sent.
            let _ = socket.write_all(answer.as_bytes()).await;
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let authorization = form.map(|_| "Basic abc".to_owned());
        let request = FetchRequest { url, authorization, form: form.map(str::to_owned), max_body: 1000 };
        let response = HttpFetch::new().unwrap().fetch(request).await;
        (server.await.unwrap(), response)
    }

    fn answer(head: &str, body: &str) -> String {
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn t15_a_body_is_read_up_to_its_bound_and_no_further() {
        let (asked, response) = exchange(answer("200 OK\r\nCache-Control: max-age=5", &"a".repeat(1000)), None).await;
        let response = response.unwrap();
        assert!(asked.starts_with("GET /jwks HTTP/1.1\r\n") && !asked.to_lowercase().contains("authorization"));
        assert_eq!((response.status, response.body.len()), (200, 1000));
        assert_eq!(response.cache_control.as_deref(), Some("max-age=5"));
        let (_, response) = exchange(answer("200 OK", &"a".repeat(1001)), None).await;
        assert_eq!(response.unwrap_err(), FetchError::TooLarge);
        let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "a".repeat(1 << 20));
        assert_eq!(exchange(endless, None).await.1.unwrap_err(), FetchError::TooLarge);
    }

    #[tokio::test]
    async fn t15_a_redirect_is_not_followed() {
        let (_, response) = exchange(answer("302 Found\r\nLocation: http://127.0.0.1:1/", ""), None).await;
        assert_eq!(response.unwrap().status, 302);
    }

    #[tokio::test]
    async fn t16_a_form_is_posted_with_the_credentials() {
        let (asked, response) = exchange(answer("200 OK", "{}"), Some("token=a")).await;
        let asked = asked.to_lowercase();
        assert!(asked.starts_with("post /jwks ") && asked.contains("authorization: basic abc"), "{asked}");
        assert!(asked.contains("application/x-www-form-urlencoded"), "{asked}");
        assert!(response.is_ok());
    }

    #[tokio::test]
    async fn t15_who_is_not_there_or_hangs_up_is_unreachable() {
        assert_eq!(exchange(String::new(), None).await.1.unwrap_err(), FetchError::Unreachable);
        let cut_short = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned();
        assert_eq!(exchange(cut_short, None).await.1.unwrap_err(), FetchError::Unreachable);
    }
}
