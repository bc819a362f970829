//! A refusal over HTTP: a status, and one sentence for the developer of the client (SUB-13), in the form it asks for.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::policy::ErrorForm;
use super::refusal_kind::RefusalKind;

/// Why a request is refused. The reason repeats nothing of the request.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    /// What a client without a good token is told of tokens (RFC 6750, 3).
    pub(super) challenge: Option<HeaderValue>,
    /// What it is counted as.
    pub(super) kind: RefusalKind,
}

impl Problem {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), challenge: None, kind: status.into() }
    }

    pub(super) fn bad_request(error: impl std::error::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }

    /// The answer without a body, for clients that read a body whatever the status (CLI-37).
    pub(super) fn response_without_body(self, request: &HeaderMap, errors: ErrorForm) -> Response {
        let mut response = self.response(request, errors);
        response.headers_mut().remove(header::CONTENT_TYPE);
        *response.body_mut() = Body::empty();
        response
    }

    /// The answer, in the form that the request's `Accept` names; plain text where it names none (CLI-30). A mount may have
    /// JSON for all who name none (POL-05).
    pub(super) fn response(self, request: &HeaderMap, errors: ErrorForm) -> Response {
        let form = match (form(request), errors) {
            (Form::Text, ErrorForm::Json) => Form::Json,
            (form, _) => form,
        };
        let (content_type, body) = match form {
            Form::FhirJson => ("application/fhir+json", outcome(&self.reason)),
            Form::Json => {
                let detail = self.status.canonical_reason().unwrap_or_default();
                ("application/json", json!({"message": self.reason, "detail": detail}).to_string())
            }
            Form::Text => ("text/plain; charset=utf-8", self.reason),
        };
        let mut response = (self.status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        response.extensions_mut().insert(self.kind);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

enum Form {
    FhirJson,
    Json,
    Text,
}

fn form(request: &HeaderMap) -> Form {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let names = |media_type: &str| {
        accept
            .split(',')
            .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type))
    };
    match () {
        () if names("application/fhir+json") => Form::FhirJson,
        () if names("application/json") => Form::Json,
        () => Form::Text,
    }
}

fn outcome(reason: &str) -> String {
    let issue = json!([{"severity": "error", "code": "processing", "details": {"text": reason}}]);
    json!({"resourceType": "OperationOutcome", "issue": issue}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_30_errors_come_in_the_form_that_is_asked_for() {
        for (accept, content_type) in [
            ("", "text/plain; charset=utf-8"),
            ("*/*", "text/plain; charset=utf-8"),
            ("application/json", "application/json"),
            ("text/html, application/JSON;q=0.5", "application/json"),
            ("application/fhir+json, */*; q=0.1", "application/fhir+json"),
        ] {
            let mut request = HeaderMap::new();
            request.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            let response = Problem::new(StatusCode::BAD_REQUEST, "no").response(&request, ErrorForm::AsAccepted);
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type, "{accept}");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(response.extensions().get(), Some(&RefusalKind::from(StatusCode::BAD_REQUEST)));
        }
    }
}
