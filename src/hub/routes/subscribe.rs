//! Subscribing and unsubscribing over HTTP (SUB-01 to SUB-20, UNS-01).

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use serde_json::json;
use tracing::info;

use super::super::access::Access;
use super::super::asked_at::AskedAt;
use super::super::endpoint::{Named, named, topic_digest};
use super::super::policy::{ForeignEndpoint, UnsubscribeBy};
use super::super::problem::Problem;
use super::super::topic::{Called, Refusal, Target, Wish};
use super::super::webhook::{Callback, Secret};
use super::super::{PublishRefusal, Unsubscribable};
use super::Door;
use super::audit::Audited;
use super::refusal::refused;
use crate::audit::Action;
use crate::fhircast::subscription::{Channel, SubscriptionRules};
use crate::fhircast::{Edition, Mode, SubscriptionRequest};
use crate::security::Grant;

/// How the mount reads subscriptions.
pub(super) fn subscription_rules(door: &Door) -> SubscriptionRules {
    let policy = door.policy();
    SubscriptionRules {
        wildcard: policy.wildcard,
        webhooks: policy.webhooks && door.mount().edition < Edition::Stu3,
        name_required: policy.name_required,
    }
}

/// Does what `request` asks for, and answers once that is audited (IRA-23).
pub(super) async fn subscription(
    door: &Door,
    grant: Grant,
    parts: &Parts,
    request: &SubscriptionRequest,
) -> Result<Response, Problem> {
    let action = match request.mode {
        Mode::Subscribe => Action::Subscribe,
        Mode::Unsubscribe => Action::Unsubscribe,
    };
    let audited = door.audits(action).then(|| Audited {
        asked: request.events.join(","),
        name: request.name.clone(),
        ..Audited::new(action, &grant, parts, &request.topic)
    });
    let done = change(door, grant, parts, request).await;
    door.record(audited, done).await
}

async fn change(door: &Door, grant: Grant, parts: &Parts, request: &SubscriptionRequest) -> Result<Response, Problem> {
    if door.hub.is_shutting_down() {
        return Err(refused(&PublishRefusal::ShuttingDown, door.policy()));
    }
    let access = Access::of(grant, &request.topic)?;
    let endpoint = match request.mode {
        Mode::Subscribe => subscribed(door, parts, request, &access).await?,
        Mode::Unsubscribe => unsubscribed(door, parts, request, &access).await?,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(json!({"hub.channel.endpoint": endpoint}))).into_response())
}

/// The endpoint of the subscription that there is now.
async fn subscribed(
    door: &Door,
    parts: &Parts,
    request: &SubscriptionRequest,
    access: &Access,
) -> Result<String, Problem> {
    let policy = door.policy();
    if policy.session_required {
        note_missing(request);
    }
    let mut wish = wish(door, request, access)?;
    if let Channel::Webhook { callback: text, secret } = &request.channel {
        let http = door.hub.0.settings.webhooks.allow_http_on_loopback;
        let callback = Callback::parse(text, http).map_err(Unsubscribable::from)?;
        // The same callback again takes the place of the first; by it an unsubscribe finds it.
        wish.alias = Some(text.clone());
        let (called, shared) = (text.clone(), secret.clone());
        wish.webhook = Some(Arc::new(Called { callback: called, secret: shared }));
        let key = secret.as_deref().map(Secret::parse).transpose().map_err(Unsubscribable::from)?;
        door.hub.subscribe_webhook(&request.topic, wish, *policy, (callback, key)).await?;
        return Ok(text.clone());
    }
    let secret = match request.endpoint.as_deref().map(|url| (url, named(url, &door.hub.0.mounts))) {
        Some((_, Named::Ours(secret))) => {
            door.hub.resubscribe(&request.topic, secret.id(), wish).await?;
            secret
        }
        Some((_, Named::Foreign)) if policy.foreign_endpoint == ForeignEndpoint::Unknown => {
            return Err(Unsubscribable::Refused(Refusal::EndpointUnknown).into());
        }
        // An address that the client has made up is no mistake: it uses the one in the answer (CLI-09).
        Some((alias, Named::Foreign)) => {
            wish.alias = Some(alias.to_owned());
            let secret = door.hub.subscribe(&request.topic, wish, *policy).await?;
            if policy.legacy_binding {
                door.hub.announce(door.index, alias, secret.id(), &access.principal);
            }
            secret
        }
        None => door.hub.subscribe(&request.topic, wish, *policy).await?,
    };
    Ok(endpoint_url(door, parts, secret.text()))
}

/// What the profile has every subscriber ask for (IRA-08).
const ASKED_BY_PROFILE: [&str; 5] = [
    "DiagnosticReport-open",
    "DiagnosticReport-close",
    "DiagnosticReport-update",
    "DiagnosticReport-select",
    "SyncError",
];

/// A subscriber that does not ask for them is taken all the same, and the operator can see it (IRA-08).
fn note_missing(request: &SubscriptionRequest) {
    let asked = |name: &&str| request.events.iter().any(|event| event.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = ASKED_BY_PROFILE.into_iter().filter(|name| !asked(name)).collect();
    if !missing.is_empty() && request.endpoint.is_none() {
        info!(topic = %topic_digest(&request.topic), missing = missing.join(","), "Subscriber asks for less than IHE RAD IRA wants.");
    }
}

/// The endpoint of the subscription that has ended, as far as the client has named one.
async fn unsubscribed(
    door: &Door,
    parts: &Parts,
    request: &SubscriptionRequest,
    access: &Access,
) -> Result<String, Problem> {
    let endpoint_only = door.policy().unsubscribe_by == UnsubscribeBy::Endpoint;
    let end = async |target| {
        let ended = door.hub.unsubscribe(&request.topic, target, access.principal.clone()).await;
        // IHE has another word for it (IRA-16).
        ended.map_err(|refusal| if endpoint_only { Problem::bad_request(refusal) } else { refusal.into() })
    };
    if let Channel::Webhook { callback, .. } = &request.channel {
        end(Target::Alias(callback.clone())).await?;
        return Ok(callback.clone());
    }
    let named = request.endpoint.as_deref().map(|url| (url, named(url, &door.hub.0.mounts)));
    match (named, &request.name) {
        (Some((_, Named::Ours(secret))), _) => {
            end(Target::Endpoint(secret.id())).await?;
            Ok(endpoint_url(door, parts, secret.text()))
        }
        (Some((alias, Named::Foreign)), _) if !endpoint_only => {
            end(Target::Alias(alias.to_owned())).await?;
            Ok(alias.to_owned())
        }
        (None, Some(name)) if !endpoint_only => {
            // Its secret is not kept; it is dead by now, and clients of this manner want to see a URL.
            let ended = end(Target::Name(name.clone())).await?;
            Ok(endpoint_url(door, parts, &ended.to_string()))
        }
        _ => {
            let reason = "hub.channel.endpoint is missing or not this hub's: an unsubscribe names the endpoint of its \
                          subscription";
            Err(Problem::new(StatusCode::BAD_REQUEST, reason))
        }
    }
}

/// What a request asks for, as far as its sender may have it (SUB-15).
fn wish(door: &Door, request: &SubscriptionRequest, access: &Access) -> Result<Wish, Problem> {
    let events = access.readable(&request.events, door.policy().legacy_binding)?;
    let lease = request.lease_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(Wish {
        events,
        lease: lease.map(SignedDuration::from_secs),
        token_ends: access.token_ends,
        name: request.name.clone(),
        alias: None,
        principal: access.principal.clone(),
        scopes: access.scopes.clone(),
        mount: door.mount().name.as_str().into(),
        webhook: None,
    })
}

/// Where the subscriber connects: at the mount's public address, else at the one it has asked at (SUB-10, CLI-07).
fn endpoint_url(door: &Door, parts: &Parts, secret: &str) -> String {
    let settings = &door.hub.0.settings;
    let base = AskedAt::of(parts, settings).base(settings).replacen("http", "ws", 1);
    format!("{base}{}/ws/{secret}", door.mount().path)
}
