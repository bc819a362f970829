//! Who may ask at all: by the name that the hub was asked under (T5), and by the origin of the page that asks (T3).
//!
//! A guard against pages in the user's own browser, never the only check (SEC-02). Clients that are no browsers send no
//! `Origin`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Hub;
use super::asked_at::AskedAt;
use super::policy::ErrorForm;
use super::problem::Problem;
use super::settings::HubSettings;

/// Names of this very machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Lets a request through, or refuses it; answers pre-flights, and tells browsers which origin may read the answer (CLI-40).
pub(super) async fn guard(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let settings = &hub.0.settings;
    let headers = request.headers().clone();
    let asked_at = AskedAt::read(&headers, request.extensions().get().copied(), settings);
    if let Err(problem) = check(&headers, &asked_at, settings) {
        return problem.response(&headers, ErrorForm::AsAccepted);
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        share(response.headers_mut(), origin, &headers);
    }
    response
}

fn check(request: &HeaderMap, asked_at: &AskedAt, settings: &HubSettings) -> Result<(), Problem> {
    if !host_is_allowed(&asked_at.host, settings) {
        let reason = "this hub does not go by that name: add it to `allowed_hosts`, if it should";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, reason));
    }
    match request.get(header::ORIGIN).map(HeaderValue::to_str) {
        None => Ok(()),
        Some(Ok(origin)) if origin_is_allowed(origin, settings) => Ok(()),
        Some(_) => {
            let reason = "pages of that origin may not use this hub: add it to `allowed_origins`, if they should";
            Err(Problem::new(StatusCode::FORBIDDEN, reason))
        }
    }
}

fn host_is_allowed(host: &str, settings: &HubSettings) -> bool {
    let name = without_port(host);
    let public = settings.public_url.as_deref().and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    let public = public.map(|rest| without_port(rest.split('/').next().unwrap_or_default()));
    let configured = settings.allowed_hosts.iter().map(String::as_str);
    !name.is_empty()
        && LOOPBACK.into_iter().chain(public).chain(configured).any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn origin_is_allowed(origin: &str, settings: &HubSettings) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| LOOPBACK.contains(&without_port(host)))
        || settings.allowed_origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin)
}

/// A host without its port; only a port may follow the last colon.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn share(response: &mut HeaderMap, origin: &HeaderValue, request: &HeaderMap) {
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    response.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(asked) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    }
    if request.contains_key("access-control-request-private-network") {
        response.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> HubSettings {
        HubSettings {
            public_url: Some("https://hub.example:8443/gateway".into()),
            allowed_hosts: vec!["Reading-Room-1".into()],
            allowed_origins: vec!["https://good.example".into()],
            ..HubSettings::default()
        }
    }

    #[test]
    fn t5_only_names_of_this_hub_are_answered() {
        for (host, allowed) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:1", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("hub.example", true),
            ("hub.example:8443", true),
            ("reading-room-1", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("localhost:80@evil.example", false),
            ("", false),
            (":80", false),
        ] {
            assert_eq!(host_is_allowed(host, &settings()), allowed, "{host}");
        }
    }

    #[test]
    fn t3_only_pages_of_this_machine_and_of_listed_origins_are_answered() {
        for (origin, allowed) in [
            ("http://localhost", true),
            ("http://localhost:3000", true),
            ("https://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("https://good.example", true),
            ("http://good.example", false),
            ("https://good.example:8443", false),
            ("https://GOOD.example", false),
            ("https://good.example.evil", false),
            ("https://localhost.evil", false),
            ("http://localhost:3000.evil", false),
            ("null", false),
            ("file://localhost", false),
            ("", false),
        ] {
            assert_eq!(origin_is_allowed(origin, &settings()), allowed, "{origin}");
        }
    }
}
