//! One check's own topic: what is subscribed there is unsubscribed when the check is over.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, Url, header};
use serde_json::Value;
use tokio::time::timeout;

use super::finding::{Finding, Verdict, ensure};
use super::hub::{Answer, Bearer, Target};
use super::viewer::Viewer;
use super::{judge, wire};
use crate::fhircast::Edition;

/// A topic that nobody else knows.
pub(super) struct Room<'a> {
    pub(super) target: &'a Target,
    pub(super) topic: String,
    endpoints: Mutex<Vec<(String, String)>>,
}

/// A form's parameters, in order.
pub(super) type Form<'f> = Vec<(&'f str, &'f str)>;

/// How long cleaning up may take altogether.
const TIDYING: Duration = Duration::from_secs(10);

impl<'a> Room<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self { target, topic: wire::fresh("verify"), endpoints: Mutex::default() }
    }

    pub(super) fn edition(&self) -> Edition {
        self.target.edition
    }

    /// The parameters of a subscription to `events`.
    pub(super) fn subscription<'f>(&'f self, events: &'f str) -> Form<'f> {
        vec![
            ("hub.channel.type", "websocket"),
            ("hub.mode", "subscribe"),
            ("hub.topic", &self.topic),
            ("hub.events", events),
            ("subscriber.name", "Verify"),
        ]
    }

    /// The parameters of an unsubscription from `endpoint`.
    pub(super) fn unsubscription<'f>(&'f self, endpoint: &'f str) -> Form<'f> {
        vec![
            ("hub.channel.type", "websocket"),
            ("hub.mode", "unsubscribe"),
            ("hub.topic", &self.topic),
            ("hub.channel.endpoint", endpoint),
        ]
    }

    /// Posts a form at `hub.url`.
    pub(super) async fn form(&self, form: &[(&str, &str)]) -> Result<Answer, Finding> {
        self.form_as(Bearer::Full, form).await
    }

    pub(super) async fn form_as(&self, bearer: Bearer, form: &[(&str, &str)]) -> Result<Answer, Finding> {
        let request = self.target.request(Method::POST, self.target.url.clone(), bearer).form(form);
        let answer = self.target.send(request).await?;
        let topic = form.iter().find(|(name, _)| *name == "hub.topic").map_or("", |(_, topic)| topic);
        if let (true, Some(endpoint)) = (answer.is_success(), endpoint_in(&answer)) {
            self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).push((topic.to_owned(), endpoint));
        }
        Ok(answer)
    }

    /// Subscribes without connecting; the endpoint.
    pub(super) async fn endpoint(&self, events: &str) -> Result<String, Finding> {
        self.endpoint_by(Bearer::Full, &self.subscription(events)).await
    }

    pub(super) async fn endpoint_by(&self, bearer: Bearer, form: &[(&str, &str)]) -> Result<String, Finding> {
        let answer = self.form_as(bearer, form).await?.accepted("a subscription")?;
        let missing = || Finding::failed("`hub.channel.endpoint` in the answer", &answer);
        endpoint_in(&answer).ok_or_else(missing)
    }

    /// A connected subscriber that has had its confirmation.
    pub(super) async fn viewer(&self, events: &str) -> Result<Viewer<'a>, Finding> {
        self.viewer_by(Bearer::Full, &self.subscription(events)).await
    }

    /// One that others know by `name`.
    pub(super) async fn named_viewer(&self, name: &str, events: &str) -> Result<Viewer<'a>, Finding> {
        let mut form = self.subscription(events);
        form.retain(|(parameter, _)| *parameter != "subscriber.name");
        form.push(("subscriber.name", name));
        self.viewer_by(Bearer::Full, &form).await
    }

    pub(super) async fn viewer_by(&self, bearer: Bearer, form: &[(&str, &str)]) -> Result<Viewer<'a>, Finding> {
        let mut viewer = self.unconfirmed_by(bearer, form).await?;
        viewer.expect_confirmation().await?;
        Ok(viewer)
    }

    /// A connected subscriber of which nothing has been read yet.
    pub(super) async fn unconfirmed(&self, events: &str) -> Result<Viewer<'a>, Finding> {
        self.unconfirmed_by(Bearer::Full, &self.subscription(events)).await
    }

    pub(super) async fn unconfirmed_by(&self, bearer: Bearer, form: &[(&str, &str)]) -> Result<Viewer<'a>, Finding> {
        let endpoint = self.endpoint_by(bearer, form).await?;
        Viewer::connect(self.target, &self.topic, &endpoint).await
    }

    /// Publishes an event, whatever the answer.
    pub(super) async fn publish(&self, event: &Value) -> Result<Answer, Finding> {
        self.publish_as(Bearer::Full, event).await
    }

    pub(super) async fn publish_as(&self, bearer: Bearer, event: &Value) -> Result<Answer, Finding> {
        let topic = event["event"]["hub.topic"].as_str().unwrap_or(&self.topic);
        let request = self.target.request(Method::POST, self.target.publish_url(topic), bearer);
        self.target.send(request.json(event)).await
    }

    /// Publishes an event that must be accepted.
    pub(super) async fn tell(&self, event: &Value) -> Result<Answer, Finding> {
        let name = event["event"]["hub.event"].as_str().unwrap_or_default();
        self.publish(event).await?.accepted(name)
    }

    /// Posts `body` at `url` as `content_type`.
    pub(super) async fn post(&self, url: Url, content_type: &str, body: impl Into<Vec<u8>>) -> Result<Answer, Finding> {
        let request = self.target.request(Method::POST, url, Bearer::Full);
        self.target.send(request.header(header::CONTENT_TYPE, content_type).body(body.into())).await
    }

    /// `GET {hub.url}/{topic}`.
    pub(super) async fn get_context(&self, bearer: Bearer) -> Result<Answer, Finding> {
        self.target.send(self.target.request(Method::GET, self.target.below(&[&self.topic]), bearer)).await
    }

    /// The current context, as the edition writes it.
    pub(super) async fn current(&self) -> Result<Value, Finding> {
        self.needs_current_context()?;
        let answer = self.get_context(Bearer::Full).await?.accepted("GET {hub.url}/{topic}")?;
        let document = answer.json().ok_or_else(|| Finding::failed("the current context in JSON", &answer))?;
        let document = if self.target.lenient { judge::as_object(document) } else { document };
        judge::current_context(&document)?;
        Ok(document)
    }

    /// The current context is of `kind` and its anchor has `id`; none where `kind` is empty.
    pub(super) async fn expect_current(&self, when: &str, kind: &str, id: &str) -> Verdict {
        let document = self.current().await?;
        let wanted = if kind.is_empty() { "no current context".into() } else { format!("{kind}/{id} is current") };
        ensure(judge::is_about(&document, kind, id), format!("{when}: {wanted}"), &document)
    }

    /// The version that the hub gives to the open of `report` here; the viewer must follow opens of reports.
    pub(super) async fn open_report(&self, report: &str, viewer: &mut Viewer<'_>) -> Result<String, Finding> {
        let open = wire::report_open(&self.topic, report);
        self.tell(&open).await?;
        let told = viewer.expect_published(&open).await?;
        judge::version(&told)
    }

    /// Not applicable where discovery says that there is no current context to ask for.
    pub(super) fn needs_current_context(&self) -> Verdict {
        let discovery = &self.target.discovery;
        let denied = discovery["capabilities"]["supportsGetCurrentContext"] == false
            || (discovery["capabilities"].is_null() && discovery["getCurrentSupport"] == false);
        if denied && !self.target.ours {
            return Err(Finding::not_applicable("discovery says that the current context cannot be asked for"));
        }
        Ok(())
    }

    /// Not applicable where discovery lists events and no update among them.
    pub(super) fn needs_content_sharing(&self) -> Verdict {
        let listed = self.target.discovery["eventsSupported"].as_array();
        let shares = listed.is_none_or(|events| {
            let names = events.iter().filter_map(Value::as_str);
            names.map(str::to_ascii_lowercase).any(|name| name == "*" || name.ends_with("-update"))
        });
        // IRA's Hub has no options.
        if !shares && !self.target.ours && !self.target.strict_ira {
            return Err(Finding::not_applicable("discovery lists no update among the events"));
        }
        Ok(())
    }

    /// Not applicable without a token of full access.
    pub(super) fn needs_token(&self) -> Verdict {
        let given = self.target.token.is_some();
        given.then_some(()).ok_or_else(|| Finding::not_applicable("needs --token"))
    }

    /// Not applicable without a token that may read `Patient-open` only.
    pub(super) fn needs_limited_token(&self) -> Verdict {
        self.needs_token()?;
        let given = self.target.limited_token.is_some();
        given.then_some(()).ok_or_else(|| Finding::not_applicable("needs --limited-token (fhircast/Patient-open.read)"))
    }

    /// Ends what is still subscribed; what fails is gone already.
    pub(super) async fn tidy(self) {
        let endpoints = self.endpoints.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unsubscribe = async |topic: String, endpoint: String| {
            let form = [
                ("hub.channel.type", "websocket"),
                ("hub.mode", "unsubscribe"),
                ("hub.topic", topic.as_str()),
                ("hub.channel.endpoint", endpoint.as_str()),
            ];
            let request = self.target.request(Method::POST, self.target.url.clone(), Bearer::Full).form(&form);
            let _ = self.target.send(request).await;
        };
        let all = async {
            for (topic, endpoint) in endpoints {
                unsubscribe(topic, endpoint).await;
            }
        };
        let _ = timeout(TIDYING, all).await;
    }
}

/// The endpoint that an answer gives.
pub(super) fn endpoint_in(answer: &Answer) -> Option<String> {
    answer.json()?["hub.channel.endpoint"].as_str().map(str::to_owned)
}
