//! Calling a callback over the network: the address that is connected to is the one that was allowed, redirects lead nowhere,
//! and nothing takes long or grows large (WH-02 to WH-06).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, StatusCode, header, redirect};

use super::address::AddressRule;
use super::callback::Callback;
use super::settings::WebhookSettings;
use super::signature::signature;

/// One callback's caller.
pub(crate) struct Sender {
    callback: Callback,
    client: Client,
}

/// What a callback says to a notification.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing, in the time that it has.
    None,
    /// This status.
    Status(u16),
}

/// How much of an answer is read: a challenge is short.
const MAX_ANSWER: usize = 64 << 10;

/// A notification is tried so often, with a pause that doubles.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

impl Sender {
    /// A caller of `callback`.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub(crate) fn new(callback: Callback, settings: &WebhookSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(settings.connect_time())
            .timeout(settings.request_time())
            .redirect(redirect::Policy::none())
            // Each call looks at the address again, and no proxy looks it up elsewhere.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .dns_resolver(Arc::new(Allowed(callback.addresses.clone())))
            .build()?;
        Ok(Self { callback, client })
    }

    /// Whether the callback wants the subscription: only a 2xx whose body is the challenge says so (WH-02).
    pub(super) async fn verify(&self, topic: &str, events: &str, lease_seconds: u64) -> bool {
        let mut bytes = [0; 32];
        if rand::fill(&mut bytes).is_err() {
            return false;
        }
        let challenge = URL_SAFE_NO_PAD.encode(bytes);
        let url = self.callback.verification(topic, events, &challenge, lease_seconds);
        match self.client.get(url).send().await {
            Ok(response) if response.status().is_success() => {
                body(response).await.as_deref() == Some(challenge.as_bytes())
            }
            _ => false,
        }
    }

    /// Tells the callback of an event (WH-03); tries again where the network or the callback's server has failed.
    pub(super) async fn notify(&self, text: &str) -> Answer {
        let mut pause = FIRST_PAUSE;
        let mut answer = Answer::None;
        for attempt in 1..=TRIES {
            answer = self.post(text).await;
            let again = match answer {
                Answer::None => true,
                Answer::Status(status) => status >= 500 || status == StatusCode::TOO_MANY_REQUESTS.as_u16(),
            };
            if !again || attempt == TRIES {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        answer
    }

    async fn post(&self, text: &str) -> Answer {
        let mut request = self.client.post(self.callback.url.clone()).header(header::CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.callback.secret {
            request = request.header("X-Hub-Signature", signature(secret, text.as_bytes()));
        }
        match request.body(text.to_owned()).send().await {
            Ok(response) => Answer::Status(response.status().as_u16()),
            Err(_) => Answer::None,
        }
    }

    /// Tells the callback that its subscription is over (WH-05). Whether it listens changes nothing.
    pub(super) async fn deny(&self, topic: &str, events: &str, reason: &str) {
        let _ = self.client.get(self.callback.denial(topic, events, reason)).send().await;
    }
}

/// The whole body, unless it is larger than any challenge.
async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// Looks names up, and gives the addresses that may be called only.
struct Allowed(AddressRule);

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| rule.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("no address of this name may be called".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
