//! Whether the gateway lives, and whether it can do its work: `GET /healthz` and `GET /readyz`, of the operator's listener and
//! of the hub's, where load balancers ask.
//!
//! To strangers at the hub's listener it says no more than yes or no, under whatever name it is asked, as a load balancer has
//! only its address.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::telemetry::{Pulse, Readiness, State as ConditionState};

/// The paths, which no mount may have.
pub(crate) const PATHS: &[&str] = &["/healthz", "/readyz"];

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Whether the event loop turns.
    pub(crate) pulse: Pulse,
    /// Whether work may be sent here.
    pub(crate) readiness: Readiness,
}

/// The answer to `GET /readyz` of the operator's listener.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    draining: bool,
    conditions: Vec<ConditionState>,
}

impl Health {
    /// For strangers: yes or no.
    pub(crate) fn routes_for_strangers(&self) -> Router {
        let routes = Router::new().route(PATHS[0], get(alive)).route(PATHS[1], get(ready));
        routes.with_state(self.clone())
    }

    /// For the operator: each condition, and what is in its way.
    pub(crate) fn routes_for_operator(&self) -> Router {
        let routes = Router::new().route(PATHS[0], get(alive)).route(PATHS[1], get(report));
        routes.with_state(self.clone())
    }
}

async fn alive(State(health): State<Health>) -> Response {
    answer(health.pulse.is_felt())
}

async fn ready(State(health): State<Health>) -> Response {
    answer(health.readiness.is_ready())
}

async fn report(State(health): State<Health>) -> Response {
    let readiness = &health.readiness;
    let report =
        Report { ready: readiness.is_ready(), draining: readiness.is_draining(), conditions: readiness.states() };
    (status(report.ready), [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

fn answer(yes: bool) -> Response {
    let text = if yes { "ok\n" } else { "not ok\n" };
    (status(yes), [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

fn status(yes: bool) -> StatusCode {
    if yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
