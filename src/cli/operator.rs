//! Asking the running gateway, through its operator's API.

use reqwest::{Method, StatusCode};

use super::Failure;
use crate::config::{Config, Layers, Problems};

/// The address of the running gateway's API.
pub(super) fn base(layers: &Layers, mut problems: Problems) -> Result<String, Failure> {
    let config = Config::read(layers, &mut problems).filter(|_| problems.is_empty());
    let config = config.ok_or_else(|| Failure::Refused(problems.to_string()))?;
    Ok(format!("http://{}", config.admin.listen))
}

pub(super) async fn ask(url: &str, query: &[(&str, &str)]) -> Result<String, Failure> {
    let (status, body) = send(Method::GET, url, query).await?;
    if status.is_success() { Ok(body) } else { Err(refused(url, status, &body)) }
}

/// Asks it to do something: whether it did, and what it says. 422 is how it says that it could not.
pub(super) async fn tell(url: &str) -> Result<(bool, String), Failure> {
    match send(Method::POST, url, &[]).await? {
        (status, body) if status.is_success() => Ok((true, body)),
        (StatusCode::UNPROCESSABLE_ENTITY, body) => Ok((false, body)),
        (status, body) => Err(refused(url, status, &body)),
    }
}

async fn send(method: Method, url: &str, query: &[(&str, &str)]) -> Result<(StatusCode, String), Failure> {
    let address =
        reqwest::Url::parse_with_params(url, query).map_err(|error| Failure::Failed(format!("error: {error}")))?;
    let unreachable = |error: reqwest::Error| {
        Failure::Failed(format!(
            "error: no gateway answers at {url}: {error}\n  = help: start one with `fhircast-gateway run`, or give this \
             command the same --config and --set as the running one"
        ))
    };
    let response = reqwest::Client::new().request(method, address).send().await.map_err(unreachable)?;
    let status = response.status();
    Ok((status, response.text().await.map_err(unreachable)?))
}

fn refused(url: &str, status: StatusCode, body: &str) -> Failure {
    Failure::Failed(format!("error: {url} answered {status}: {}", body.trim()))
}

pub(super) fn read<'b, T: serde::Deserialize<'b>>(body: &'b str) -> Result<T, Failure> {
    serde_json::from_str(body).map_err(|error| Failure::Failed(format!("error: that is no gateway's answer: {error}")))
}
