//! The capability statement by which some clients find the hub from the address of a FHIR server (DISC-06).

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;

use super::Hub;

/// Where it is: clients look below whatever they were told is the FHIR base. No other FHIR interaction is served.
const PATHS: [&str; 2] = ["/fhir/metadata", "/metadata"];

/// The extension that names the hub (FHIRcast 3.0.0, 2.7).
const EXTENSION: &str = "http://hl7.org/fhir/uv/fhircast/StructureDefinition/fhircast-configuration-extension";

pub(super) fn routes(hub: &Hub) -> Router {
    let routes = PATHS.into_iter().fold(Router::new(), |routes, path| routes.route(path, get(capability_statement)));
    routes.with_state(hub.clone())
}

async fn capability_statement(State(hub): State<Hub>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let hub_url = format!("{}{}", hub.base_url(&parts), hub.mount_path(None));
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
