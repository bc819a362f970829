//! Calls to subscribers' callbacks: does the subscriber mean it, what has happened, and that it is over.
//!
//! Every call has a connection of its own, follows no redirect (WH-06), reads a bounded part of the answer, and ends in
//! time. Nothing that a callback answers gets into a log or an error: it may be anybody's data.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::callback::{Callback, Denial, Intent};
use super::connector::{Connector, Resolver, SystemResolver, Unconnected};
use super::settings::WebhookSettings;
use super::signature::Secret;

/// Calls callbacks. To be shared.
pub(crate) struct WebhookSender {
    connector: Connector,
    response_time: Duration,
}

/// What a subscriber has answered to a notification: its acknowledgement (WH-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The status of its response, whatever it is.
    Status(u16),
    /// It could not be called, or has not answered in time.
    NoAnswer,
}

/// Why a call got no response. Says nothing that the other end has said.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Unconnected(#[from] Unconnected),
    #[error("it did not answer as HTTP does")]
    Unanswered,
}

/// The machine's authorities cannot be used, so no callback's certificate can be judged.
#[derive(Debug, thiserror::Error)]
#[error("webhooks need the authorities that this machine trusts, and they cannot be used: {0}")]
pub(crate) struct SenderError(#[from] rustls::Error);

/// What is read of an answer at most, in bytes: of its head, and again of its body.
const MOST_READ: usize = 64 << 10;

/// Pauses before the second attempt and the third, which is the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Bytes of a challenge, which nobody guesses.
const CHALLENGE: usize = 32;

impl WebhookSender {
    /// A sender that asks the machine's resolver for addresses, and trusts the authorities that the machine trusts.
    ///
    /// # Errors
    /// When the machine's authorities cannot be used.
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, SenderError> {
        // Named here, not taken from a process-wide default that somebody else may have set.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = builder.with_platform_verifier()?.with_no_client_auth();
        Ok(Self::with(settings, Arc::new(SystemResolver), tls))
    }

    /// As [`Self::new`], with another resolver and other authorities.
    pub(crate) fn with(settings: &WebhookSettings, resolver: Arc<dyn Resolver>, tls: ClientConfig) -> Self {
        let connector = Connector {
            resolver,
            allowed: settings.allowed.clone(),
            tls: Arc::new(tls),
            connect_time: settings.connect_time(),
        };
        Self { connector, response_time: settings.response_time() }
    }

    /// Whether the subscriber means it: asks with a challenge that nobody guesses, and is content with a 2xx that
    /// repeats exactly that (WH-02). False, too, when it cannot be called or does not answer in time.
    pub(crate) async fn verify(&self, callback: &Callback, intent: Intent<'_>) -> bool {
        let mut challenge = [0; CHALLENGE];
        if rand::fill(&mut challenge).is_err() {
            return false;
        }
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let url = callback.verification(intent, &challenge);
        let exchange = self.exchange(&url, get(&url), async |response| {
            response.status().is_success() && body(response).await.is_some_and(|body| body == challenge.as_bytes())
        });
        let outcome = timeout(self.response_time, exchange).await;
        let verified = matches!(outcome, Ok(Ok(true)));
        match outcome {
            Ok(Err(error)) => info!(%callback, %error, "Webhook not verified."),
            Err(_) => info!(%callback, "Webhook not verified: no answer in time."),
            Ok(Ok(false)) => info!(%callback, "Webhook not verified: the challenge was not repeated."),
            Ok(Ok(true)) => debug!(%callback, "Webhook verified."),
        }
        verified
    }

    /// Tells the subscriber of an event: posts exactly `notification`, signed where there is a secret (WH-03). Tries
    /// again where nobody could be reached or the receiver says that it cannot now, in the time that is left.
    pub(crate) async fn notify(&self, callback: &Callback, notification: Bytes, secret: Option<&Secret>) -> Answer {
        let signature = secret.map(|secret| secret.signature(&notification));
        let mut answer = Answer::NoAnswer;
        let attempts = async {
            for pause in PAUSES.map(Some).into_iter().chain([None]) {
                let request = post(callback.url(), notification.clone(), signature.as_deref());
                let outcome = self.exchange(callback.url(), request, async |response| response.status().as_u16()).await;
                let again = is_worth_another_attempt(&outcome);
                match outcome {
                    Ok(status) => answer = Answer::Status(status),
                    Err(error) => debug!(%callback, %error, "Webhook not called."),
                }
                match pause {
                    Some(pause) if again => sleep(pause).await,
                    _ => return,
                }
            }
        };
        if timeout(self.response_time, attempts).await.is_err() {
            debug!(%callback, "Webhook did not answer in time.");
        }
        answer
    }

    /// Tells the subscriber that it is refused, or no longer subscribed (WH-05). Once, and whatever comes of it.
    pub(crate) async fn deny(&self, callback: &Callback, denial: Denial<'_>) {
        let url = callback.denial(denial);
        let exchange = self.exchange(&url, get(&url), async |response| response.status().as_u16());
        match timeout(self.response_time, exchange).await {
            Ok(Ok(status)) => debug!(%callback, status, "Webhook told of its denial."),
            Ok(Err(error)) => debug!(%callback, %error, "Webhook not told of its denial."),
            Err(_) => debug!(%callback, "Webhook not told of its denial in time."),
        }
    }

    /// One request over one connection, and what `read` makes of its response. The caller bounds its time.
    async fn exchange<T>(
        &self,
        url: &Url,
        request: Option<Request<Full<Bytes>>>,
        read: impl AsyncFnOnce(Response<Incoming>) -> T,
    ) -> Result<T, CallError> {
        let request = request.ok_or(CallError::Unanswered)?;
        let stream = TokioIo::new(self.connector.connect(url).await?);
        let unanswered = |_| CallError::Unanswered;
        let (mut requests, connection) =
            http1::Builder::new().max_buf_size(MOST_READ).handshake(stream).await.map_err(unanswered)?;
        let answer = async { Ok(read(requests.send_request(request).await.map_err(unanswered)?).await) };
        // A connection that has ended may have left an answer to be read.
        let driven = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = answer => answer,
            () = driven => Err(CallError::Unanswered),
        }
    }
}

/// A receiver that was not reached has not seen the notification, and one that is overloaded asks to be called later. A
/// connection that broke after that is not tried again, as the receiver may have acted; nor is what it has refused.
fn is_worth_another_attempt(outcome: &Result<u16, CallError>) -> bool {
    match outcome {
        Ok(status) => *status == 429 || (500..600).contains(status),
        Err(CallError::Unconnected(why)) => *why != Unconnected::NotAllowed,
        Err(CallError::Unanswered) => false,
    }
}

/// The body of `response`; `None` when it is too large, or breaks off.
async fn body(response: Response<Incoming>) -> Option<Bytes> {
    let collected = Limited::new(response.into_body(), MOST_READ).collect().await.ok()?;
    Some(collected.to_bytes())
}

fn get(url: &Url) -> Option<Request<Full<Bytes>>> {
    request(Method::GET, url, Bytes::new())
}

fn post(url: &Url, body: Bytes, signature: Option<&str>) -> Option<Request<Full<Bytes>>> {
    let mut request = request(Method::POST, url, body)?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(signature) = signature {
        request.headers_mut().insert("x-hub-signature", HeaderValue::from_str(signature).ok()?);
    }
    Some(request)
}

/// A request for `url` on a connection of its own; `None` when HTTP cannot say it.
fn request(method: Method, url: &Url, body: Bytes) -> Option<Request<Full<Bytes>>> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, "fhircast-gateway")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .ok()
}
