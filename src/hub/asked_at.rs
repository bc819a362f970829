//! The address that a client has asked the hub at (CLI-07, SUB-10): what it is answered with works for it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::settings::HubSettings;
use crate::http::Transport;

/// Scheme and host under which the hub was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AskedAt {
    /// Whether over TLS, here or at a proxy.
    pub(super) secure: bool,
    /// Host and port, as they were named.
    pub(super) host: String,
}

impl AskedAt {
    /// Of a request: as a proxy tells it, where the peer is one that the site trusts; else as the request itself has it.
    pub(super) fn of(parts: &Parts, settings: &HubSettings) -> Self {
        Self::read(&parts.headers, parts.extensions.get().copied(), settings)
    }

    /// As [`Self::of`], from a request's headers and the way that it came.
    pub(super) fn read(headers: &HeaderMap, transport: Option<Transport>, settings: &HubSettings) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let by_proxy = transport.is_some_and(|transport| settings.trusted_proxies.contains(&transport.peer.ip()));
        // The first of several is what the client itself has asked for.
        let forwarded = |name: &str| {
            let first = text(name)?.split(',').next().unwrap_or_default().trim();
            (by_proxy && !first.is_empty()).then_some(first)
        };
        let secure = match forwarded("x-forwarded-proto") {
            Some(scheme) => scheme.eq_ignore_ascii_case("https"),
            None => transport.is_some_and(|transport| transport.secure),
        };
        let host = forwarded("x-forwarded-host").or_else(|| text(header::HOST.as_str()));
        Self { secure, host: host.unwrap_or_default().to_owned() }
    }

    /// The hub's address without its mounts: the site's public URL where there is one.
    pub(super) fn base(&self, settings: &HubSettings) -> String {
        match settings.public_url.as_deref() {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{}://{}", if self.secure { "https" } else { "http" }, self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn cli_07_sub_10_the_address_is_the_public_one_else_a_trusted_proxys_else_the_requests_own() {
        let trusting = HubSettings { trusted_proxies: vec![[10, 0, 0, 1].into()], ..HubSettings::default() };
        let public = HubSettings { public_url: Some("https://hub.example/x/".into()), ..HubSettings::default() };
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:8080".parse().unwrap());
        headers.insert("x-forwarded-proto", "HTTPS, http".parse().unwrap());
        headers.insert("x-forwarded-host", "hub.hospital.example, inner".parse().unwrap());
        for (settings, peer, secure, base) in [
            (&trusting, "10.0.0.1:5", false, "https://hub.hospital.example"),
            (&trusting, "10.0.0.2:5", false, "http://127.0.0.1:8080"),
            (&trusting, "10.0.0.2:5", true, "https://127.0.0.1:8080"),
            (&public, "10.0.0.1:5", false, "https://hub.example/x"),
        ] {
            let peer: SocketAddr = peer.parse().unwrap();
            let asked = AskedAt::read(&headers, Some(Transport { secure, peer }), settings);
            assert_eq!(asked.base(settings), base, "{peer}");
        }
    }
}
