//! Who may use the hub: bearer tokens (RFC 6750), and what each grants.
//!
//! A token's way: the header's value (`bearer`) → the fixed tokens (`static_tokens`) → the gateway's own
//! (`token_endpoint`, which also gives them) → the issuer that it names (`jwt`, with the keys of `key_cache`) → the endpoint that is asked about all others (`introspection`) → a
//! [`Grant`]. Whether the grant covers what a request asks for is the hub's to say.
//!
//! What holds everywhere: a token, its claims and secrets are in no error and no log; every cache is bounded; what cannot
//! be known is refused.

mod algorithm;
mod answer_cache;
mod authenticator;
mod bearer;
mod checks;
mod claims;
mod error;
mod fetch;
mod grant;
mod http_fetch;
mod introspection;
mod json_object;
mod jwt;
mod key_cache;
mod key_set;
mod secrets;
mod settings;
mod static_tokens;
mod tls;
mod token_endpoint;

pub use algorithm::SignatureAlgorithm;
pub use authenticator::{Authenticator, AuthenticatorError};
pub use checks::AuthProblem;
pub use error::{AuthenticationError, INSUFFICIENT_SCOPE};
pub(crate) use fetch::provider_url;
pub use fetch::{Fetch, FetchError, FetchRequest, FetchResponse};
pub use grant::{Grant, Topics};
pub use http_fetch::{HttpFetch, HttpFetchError, PATIENCE};
pub use secrets::Secrets;
pub use settings::{
    AuthMode, AuthSettings, ClientSettings, IntrospectionSettings, IssuerSettings, StaticTokenSettings,
};
pub use tls::{ServerTls, TlsError, TlsSettings};
pub use token_endpoint::{IssuedToken, TokenError, TokenIssuer};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
