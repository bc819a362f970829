//! The hub under test, as far as HTTP goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url, header, redirect};
use serde_json::Value;
use tokio::time::timeout;

use super::finding::{Finding, bounded};
use super::passage::Passage;
use crate::client::ClientError;
use crate::fhircast::Edition;

/// A hub and how it is to be looked at.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) edition: Edition,
    /// Full access, where the hub asks for a token.
    pub(super) token: Option<String>,
    /// `fhircast/Patient-open.read` and nothing else.
    pub(super) limited_token: Option<String>,
    pub(super) passage: Arc<dyn Passage>,
    /// Its discovery document; null where it has none.
    pub(super) discovery: Value,
    /// How long an answer or a message may take.
    pub(super) patience: Duration,
    /// Judge it as this project's own hub: what is open to others is laid down.
    pub(super) ours: bool,
    /// Whether IHE IRA is what it must follow.
    pub(super) strict_ira: bool,
    /// Whether it bends towards the clients in the field.
    pub(super) lenient: bool,
    client: reqwest::Client,
}

/// What a [`Target`] is made of.
pub(super) struct TargetParts {
    pub(super) url: String,
    pub(super) token: Option<String>,
    pub(super) limited_token: Option<String>,
    pub(super) passage: Arc<dyn Passage>,
    pub(super) patience: Duration,
    pub(super) ours: bool,
    pub(super) strict_ira: bool,
    pub(super) lenient: bool,
}

/// Whose token a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// The one with full access, where there is one.
    Full,
    /// The one that may read `Patient-open` only.
    Limited,
    /// None.
    Nobody,
    /// One that no server has issued.
    Forged,
}

/// What is no token anywhere.
const FORGED: &str = "not-a-token-of-this-hub";

/// An HTTP answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: header::HeaderMap,
    pub(super) body: String,
}

/// More of an answer than this is not read.
const MAX_BODY: usize = 4 << 20;

/// How much of an answer is repeated in a finding.
const MAX_SHOWN: usize = 200;

impl Target {
    /// Makes the target, with its discovery document read where it has one.
    ///
    /// # Errors
    /// When the URL is none, or nobody answers there.
    pub(super) async fn reach(parts: TargetParts, edition: Option<Edition>) -> Result<Self, ClientError> {
        let url = Url::parse(&parts.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| ClientError::Url { url: parts.url.clone() })?;
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Unreachable {
            url: parts.url.clone(),
            source,
        };
        let client = client(&url).map_err(|error| unreachable(error.into()))?;
        let mut target = Self {
            url,
            edition: edition.unwrap_or(Edition::Stu3),
            token: parts.token,
            limited_token: parts.limited_token,
            passage: parts.passage,
            discovery: Value::Null,
            patience: parts.patience,
            ours: parts.ours,
            strict_ira: parts.strict_ira,
            lenient: parts.lenient,
            client,
        };
        let answer = target.exchange(target.request(Method::GET, target.discovery_url(), Bearer::Nobody)).await;
        let answer = answer.map_err(|what| unreachable(what.into()))?;
        target.discovery = answer.json().unwrap_or_default();
        target.edition = edition
            .or_else(|| target.discovery["fhircastVersion"].as_str().and_then(Edition::of_announced))
            .unwrap_or(Edition::Stu3);
        Ok(target)
    }

    pub(super) fn discovery_url(&self) -> Url {
        self.below(&[".well-known", "fhircast-configuration"])
    }

    /// Where an event of `topic` is published: older editions have the topic in the path.
    pub(super) fn publish_url(&self, topic: &str) -> Url {
        if self.edition == Edition::Stu3 { self.url.clone() } else { self.below(&[topic]) }
    }

    /// `hub.url` with these segments after its path, percent-encoded.
    pub(super) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// A request that carries the token of `bearer`, where there is one.
    pub(super) fn request(&self, method: Method, url: Url, bearer: Bearer) -> RequestBuilder {
        let request = self.client.request(method, url);
        let token = match bearer {
            Bearer::Full => self.token.as_deref(),
            Bearer::Limited => self.limited_token.as_deref(),
            Bearer::Nobody => None,
            Bearer::Forged => Some(FORGED),
        };
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; what comes back, whatever its status.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Finding> {
        self.exchange(request).await.map_err(|what| Finding::failed("an answer over HTTP", what))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Answer, String> {
        let exchange = async {
            let mut response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_BODY {
                    break;
                }
            }
            Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
        };
        match timeout(self.patience, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(innermost(error)),
            Err(_) => Err(format!("no answer within {:?}", self.patience)),
        }
    }
}

/// A client that follows nothing and asks no proxy on the machine's own addresses. What bounds an exchange is the target.
fn client(url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().redirect(redirect::Policy::none());
    if is_loopback(url) { builder.no_proxy().build() } else { builder.build() }
}

/// Whether a URL names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
}

/// The cause at the bottom says it best.
fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Answer {
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// A header's value; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters, in small letters.
    pub(super) fn media_type(&self) -> String {
        let value = self.header(header::CONTENT_TYPE.as_str());
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status)
    }

    /// The answer itself where it has this status.
    pub(super) fn expect(self, status: u16, asked: &str) -> Result<Self, Finding> {
        if self.status == status { Ok(self) } else { Err(Finding::failed(format!("{status} {asked}"), self)) }
    }

    /// The answer itself where it is any success.
    pub(super) fn accepted(self, what: &str) -> Result<Self, Finding> {
        if self.is_success() { Ok(self) } else { Err(Finding::failed(format!("{what} is accepted"), self)) }
    }

    /// The answer itself where it is a 4xx.
    pub(super) fn refused(self, what: &str) -> Result<Self, Finding> {
        if self.is_refusal() { Ok(self) } else { Err(Finding::failed(format!("{what} is refused with a 4xx"), self)) }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, body) = (self.media_type(), bounded(&self.body, MAX_SHOWN));
        write!(formatter, "{}", self.status)?;
        if !kind.is_empty() {
            write!(formatter, " {kind}")?;
        }
        if body.is_empty() { Ok(()) } else { write!(formatter, ": {body}") }
    }
}
