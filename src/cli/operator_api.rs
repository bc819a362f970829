//! The running gateway, asked by the operator's commands.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::config::Config;
use crate::store::{OperatorToken, Secret, SecretFileError};

/// How long an answer may take: longer than the store may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operator's API of the gateway with this configuration.
pub(super) struct OperatorApi {
    base: String,
    client: Client,
    token: Result<Secret, SecretFileError>,
}

/// What the gateway answered.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// The body: JSON, or a sentence where it is an error.
    pub(super) body: String,
}

impl OperatorApi {
    pub(super) fn new(config: &Config) -> Result<Self, Failure> {
        // On this machine, whatever proxy leads to others.
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| Failure::Failed(format!("error: {error}")))?;
        // Not every question needs it.
        let token = OperatorToken::read(&config.store.directory);
        Ok(Self { base: format!("http://{}", config.admin.listen), client, token })
    }

    /// The answer to a question, which must be one.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<String, Failure> {
        let url = format!("{}{path}", self.base);
        let address =
            Url::parse_with_params(&url, query).map_err(|error| Failure::Failed(format!("error: {error}")))?;
        let Answer { status, body } = self.send(self.client.get(address)).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(Failure::Failed(format!("error: {url} answered {status}: {}", body.trim()))),
        }
    }

    /// The answer to a question, whatever its status.
    pub(super) async fn ask(&self, path: &str) -> Result<Answer, Failure> {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// The answer to a request that something be done.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let unreachable = |error: reqwest::Error| {
            Failure::Failed(format!(
                "error: no gateway answers at {}: {error}\n  = help: start one with `fhircast-gateway run`, or give this \
                 command the same --config and --set as the running one",
                self.base
            ))
        };
        let request = match &self.token {
            Ok(token) => request.bearer_auth(token.reveal()),
            Err(_) => request,
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(self.no_operator());
        }
        Ok(Answer { status, body: response.text().await.map_err(unreachable)? })
    }
}

impl OperatorApi {
    fn no_operator(&self) -> Failure {
        let why = match &self.token {
            Ok(_) => "the token in `store.directory` is another gateway's".to_owned(),
            Err(error) => error.to_string(),
        };
        Failure::Failed(format!(
            "error: the gateway at {} does this only for who can read its token: {why}\n  = help: run this command as the user \
             that the gateway runs as, with the same --config and --set; where `store.directory` is relative, in the same \
             directory too",
            self.base
        ))
    }
}

/// What an answer's JSON holds.
pub(super) fn read<T: DeserializeOwned>(body: &str) -> Result<T, Failure> {
    serde_json::from_str(body).map_err(|error| Failure::Failed(format!("error: that is no gateway's answer: {error}")))
}
