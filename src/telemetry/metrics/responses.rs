//! What was answered over HTTP: by route and status class, how long it took, and why something was refused.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::seconds::{Seconds, of_waiting};
use crate::hub::RefusalKind;

/// The template of a route as it was configured, such as `/hub/{*topic}`: never the path that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    route: Arc<str>,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// What is counted of responses. Clones count together.
#[derive(Clone, Debug)]
pub struct Responses {
    responses: Family<ByClass, Counter>,
    seconds: Seconds<ByRoute>,
    refusals: Family<ByKind, Counter>,
}

/// The route of what no route was there for.
const UNMATCHED: &str = "unmatched";

impl Responses {
    /// None yet.
    pub fn new() -> Self {
        Self { responses: Family::default(), seconds: of_waiting(), refusals: Family::default() }
    }

    /// `routes`, with every answer counted.
    pub fn measured(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), measure))
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("http_responses", "Responses by route and status class", self.responses.clone());
        registry.register("http_seconds", "From a request's head to its response", self.seconds.clone());
        registry.register("hub_refusals", "Requests that the hub has refused, by why", self.refusals.clone());
    }
}

impl Default for Responses {
    fn default() -> Self {
        Self::new()
    }
}

async fn measure(State(counted): State<Responses>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).into();
    let response = next.run(request).await;
    counted.seconds.get_or_create(&ByRoute { route: Arc::clone(&route) }).observe(begun.elapsed().as_secs_f64());
    counted.responses.get_or_create(&ByClass { route, class: class(response.status()) }).inc();
    if let Some(kind) = response.extensions().get::<RefusalKind>() {
        counted.refusals.get_or_create(&ByKind { kind: kind.name() }).inc();
    }
    response
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
