//! Messages: handled again, and marked as handled. Each request must be JSON, which no page of another origin can send unasked.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Admin;
use crate::gateway::{NotDone, Reprocess, Settle};

/// `POST /messages/{id}/reprocess`
pub(super) async fn reprocess(
    State(admin): State<Admin>,
    Path(id): Path<i64>,
    body: Result<Json<Reprocess>, JsonRejection>,
) -> Response {
    let asked = match body {
        Ok(Json(asked)) => asked,
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    // By itself, so that whoever hangs up keeps it neither from its end nor from the audit log.
    let done = tokio::spawn(async move { admin.gateway.reprocess(id, &asked).await });
    match done.await {
        Ok(Ok(reprocessed)) => Json(reprocessed).into_response(),
        Ok(Err(error)) => not_done(&error),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the gateway has failed; its log says why"),
    }
}

/// `POST /messages/{id}/handled`
pub(super) async fn handled(
    State(admin): State<Admin>,
    Path(id): Path<i64>,
    body: Result<Json<Settle>, JsonRejection>,
) -> Response {
    let asked = match body {
        Ok(Json(asked)) => asked,
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    match admin.gateway.settle(id, asked).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => not_done(&error),
    }
}

fn not_done(error: &NotDone) -> Response {
    let status = match error {
        NotDone::Gone(_) => StatusCode::NOT_FOUND,
        NotDone::Words(_) => StatusCode::BAD_REQUEST,
        _ if error.is_of_the_gateway() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    refused(status, &error.to_string())
}

fn refused(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}
