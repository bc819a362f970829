//! Connecting: the sockets of subscriptions (CONF-05, CLI-39).

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::super::endpoint::EndpointSecret;
use super::super::policy::ErrorForm;
use super::super::problem::Problem;
use super::super::socket::{self, Manner};
use super::super::topic::EndpointId;
use super::super::{Hub, PublishRefusal};
use super::Door;
use super::refusal::refused;

/// What a request for a socket holds, or why it is none.
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET {hub}/ws/{secret}`: the subscriber's socket (CONF-05).
pub(super) async fn connect(
    State(door): State<Door>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    open_socket(door, EndpointSecret::from_path(&secret).id(), upgrade, &headers, Manner::Standard).await
}

/// `GET {hub}/bind/{id}`: the socket of a subscription by the id that its client announced at this mount (CLI-39).
pub(super) async fn bind(
    State(door): State<Door>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    match door.hub.0.bindings.find(&id, Some(door.index)) {
        Some((mount, endpoint)) => open_socket(door, endpoint, upgrade, &headers, Manner::Bound { mount }).await,
        None => door.refuse(no_subscription(), &headers),
    }
}

/// `GET /bind/{id}`: as [`bind`], whichever mount it was announced at.
pub(super) async fn bind_at_origin(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    match hub.0.bindings.find(&id, None) {
        Some((mount, endpoint)) => {
            open_socket(Door { hub, index: mount }, endpoint, upgrade, &headers, Manner::Bound { mount }).await
        }
        None => no_subscription().response(&headers, ErrorForm::AsAccepted),
    }
}

fn no_subscription() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such subscription: it has ended, or never was; subscribe again")
}

async fn open_socket(
    door: Door,
    endpoint: EndpointId,
    upgrade: Upgrade,
    headers: &HeaderMap,
    manner: Manner,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let reason = "this is a subscription's endpoint: connect by WebSocket (RFC 6455, version 13)";
        return door.refuse(Problem::new(StatusCode::UPGRADE_REQUIRED, reason), headers);
    };
    match door.hub.topic_of(endpoint) {
        Some(_) if door.hub.is_shutting_down() => {
            door.refuse(refused(&PublishRefusal::ShuttingDown, door.policy()), headers)
        }
        Some(topic) if door.hub.is_taken_over_too_often(&topic, endpoint).await => {
            let reason =
                "this endpoint was connected to too often within a minute, each connection ending the one before";
            door.refuse(Problem::new(StatusCode::TOO_MANY_REQUESTS, reason), headers)
        }
        Some(topic) => socket::accept(upgrade, door.hub, topic, endpoint, manner),
        None => door.refuse(no_subscription(), headers),
    }
}
