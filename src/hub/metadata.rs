//! The capability statement by which some clients find the hub from the address of a FHIR server (DISC-06).

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;

use super::Hub;

/// Where it is: the FHIR base that clients are told is `{origin}/fhir`. No other FHIR interaction is served.
const PATH: &str = "/fhir/metadata";

/// The extension that names the hub (FHIRcast 3.0.0, 2.7).
const EXTENSION: &str = "http://hl7.org/fhir/uv/fhircast/StructureDefinition/fhircast-configuration-extension";

pub(super) fn routes(hub: &Hub) -> Router {
    Router::new().route(PATH, get(capability_statement)).with_state(hub.clone())
}

async fn capability_statement(State(hub): State<Hub>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let base = hub.0.settings.public_url.clone().unwrap_or_else(|| format!("http://{host}"));
    let hub_url = format!("{}{}", base.trim_end_matches('/'), hub.0.mounts.first().map_or("", |mount| &mount.path));
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "implementation": {"description": "A FHIRcast hub; it serves no FHIR resources"},
        "rest": [{
            "mode": "server",
            "extension": [{"url": EXTENSION, "extension": [{"url": "hub.url", "valueUrl": hub_url}]}],
        }],
    });
    ([(header::CONTENT_TYPE, "application/fhir+json")], statement.to_string()).into_response()
}
