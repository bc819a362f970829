//! HTTP requests as calls of the registry and of the managers. Sections 2, 3 and 12.
//!
//! | path | is |
//! |---|---|
//! | `/` | the registry; other calls go to the manager of the desktop that calls |
//! | `/NAME` | the same, where paths tell desktops apart |
//! | `/manager/KEY` | the manager of one desktop, as `Locate` tells it |
//! | `/Participant/cpid=KEY…` | the socket of a page |
//!
//! Whoever is on the desktop may call, so nobody else may make a browser there do so: the host must be one of ours, and
//! every page's origin one of the list.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{debug, warn};
use url::Host;

use crate::arguments::Arguments;
use crate::callable::is_own_name;
use crate::callback::page_key;
use crate::counters::Count;
use crate::desks::{Desks, Origin};
use crate::exception::{Exception, ExceptionName};
use crate::form::{self, Plus};
use crate::listener::Transport;
use crate::oddity::Oddities;
use crate::registry::{self, Asked};
use crate::reply::Reply;
use crate::settings::timer;
use crate::shared::Shared;
use crate::sockets;

/// What requests are answered with.
pub(crate) struct App {
    pub(crate) shared: Arc<Shared>,
    pub(crate) desks: Arc<Desks>,
}

/// A request that is refused before it is a call.
struct Refused(StatusCode, &'static str);

const MANAGER: &str = "manager/";
const PARTICIPANT: &str = "participant/";
const LONGEST_PATH: usize = 128;

const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn router(app: App) -> Router {
    let app = Arc::new(app);
    Router::new().fallback(move |transport: Extension<Transport>, request: Request| {
        let app = Arc::clone(&app);
        async move { app.answer(transport.0, request).await }
    })
}

impl App {
    async fn answer(&self, transport: Transport, request: Request) -> Result<Response, Infallible> {
        let (mut parts, body) = request.into_parts();
        let origin = match self.admit(&parts.headers) {
            Ok(origin) => origin,
            Err(refused) => return Ok(self.refuse(refused)),
        };
        let answered = match parts.method {
            Method::OPTIONS => Ok(StatusCode::NO_CONTENT.into_response()),
            Method::GET | Method::POST if is_upgrade(&parts.headers) => self.upgrade(&mut parts).await,
            Method::GET | Method::POST => self.call(transport, &parts, body).await,
            _ => Err(Refused(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST")),
        };
        let mut response = answered.unwrap_or_else(|refused| self.refuse(refused));
        if let Some(origin) = origin {
            share(response.headers_mut(), origin);
        }
        Ok(response)
    }

    /// Refuses what a page elsewhere makes a browser send; gives the origin of a page that may call.
    fn admit(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refused> {
        if headers.get(header::HOST).is_some_and(|host| !self.is_own_host(host)) {
            return Err(Refused(
                StatusCode::MISDIRECTED_REQUEST,
                "this name is not served here: see the setting `hosts`",
            ));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            // An image or a form of a page elsewhere sends no origin, but browsers say so.
            let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
            return match site {
                None | Some(b"none" | b"same-origin") => Ok(None),
                Some(_) => Err(Refused(StatusCode::FORBIDDEN, "pages that show no origin may not call")),
            };
        };
        if self.shared.settings.origins.iter().any(|own| own.as_bytes() == origin.as_bytes()) {
            return Ok(Some(origin.clone()));
        }
        warn!(source = %self.shared.source, ?origin, "Call refused: its page's origin is not in the setting `origins`.");
        Err(Refused(StatusCode::FORBIDDEN, "pages of this origin may not call: see the setting `origins`"))
    }

    /// Names could be pointed here by anybody; addresses could not.
    fn is_own_host(&self, host: &HeaderValue) -> bool {
        let Ok(authority) = host.to_str().unwrap_or_default().parse::<hyper::http::uri::Authority>() else {
            return false;
        };
        match Host::parse(authority.host()) {
            Ok(Host::Domain(name)) => {
                is_own_name(&name) || self.shared.settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(&name))
            }
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            Err(_) => false,
        }
    }

    async fn call(&self, transport: Transport, parts: &Parts, body: Body) -> Result<Response, Refused> {
        let body = self.body(body).await?;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        if query.len() + body.len() > self.shared.settings.max_request_bytes() {
            return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than is taken here"));
        }
        let mut arguments = Arguments::read(query, &body, self.shared.settings.plus)
            .map_err(|_| Refused(StatusCode::BAD_REQUEST, "no call has so many arguments"))?;
        if arguments.text("method").is_none() {
            return Err(Refused(
                StatusCode::BAD_REQUEST,
                "this is a CCOW context manager; a call has the argument `method`",
            ));
        }
        let path = parts.uri.path().trim_matches('/');
        let reply = match path.strip_prefix(MANAGER) {
            Some(key) => self.manager(key, &mut arguments, transport).await,
            None => self.registry(path, &mut arguments, transport, &parts.headers).await?,
        };
        self.shared.counters.odd(arguments.oddities);
        for oddity in arguments.oddities.iter() {
            debug!(source = %self.shared.source, oddity = oddity.name(), "Call tolerated.");
        }
        self.shared.counters.count(Count::Called);
        if let Some(exception) = reply.output("exception") {
            self.shared.counters.count(Count::Exception);
            debug!(source = %self.shared.source, exception, "Call answered with an exception.");
        }
        Ok(respond(&reply))
    }

    async fn body(&self, body: Body) -> Result<Bytes, Refused> {
        let collected = Limited::new(body, self.shared.settings.max_request_bytes()).collect();
        match timeout(timer(self.shared.settings.request_timeout), collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than is taken here"))
            }
            Ok(Err(_)) => Err(Refused(StatusCode::BAD_REQUEST, "the request broke off")),
            Err(_) => Err(Refused(StatusCode::REQUEST_TIMEOUT, "the request took too long")),
        }
    }

    async fn manager(&self, key: &str, arguments: &mut Arguments, transport: Transport) -> Reply {
        match self.desks.by_key(key) {
            Some(desk) => desk.call(arguments, transport.peer.ip()).await,
            None => {
                let message = "this address is of no session; call Locate again";
                Reply::from(&Exception::new(ExceptionName::UnknownSession, message))
            }
        }
    }

    async fn registry(
        &self,
        path: &str,
        arguments: &mut Arguments,
        transport: Transport,
        headers: &HeaderMap,
    ) -> Result<Reply, Refused> {
        let path = form::decode(path.as_bytes(), Plus::Literal, &mut Oddities::default()).into_owned();
        if path.contains('/') || path.len() > LONGEST_PATH || path.contains(char::is_control) {
            return Err(Refused(StatusCode::NOT_FOUND, "nothing is served at this path"));
        }
        let origin = |description| Origin { address: transport.peer.ip(), description, path };
        Ok(match registry::asked(arguments) {
            Some(Ok(Asked::Other(reply))) => reply,
            Some(Ok(Asked::Locate(description))) => self.locate(origin(description), transport, headers),
            Some(Err(exception)) => Reply::from(&exception),
            None => match self.desks.locate(origin(None)) {
                Ok((_, desk)) => desk.call(arguments, transport.peer.ip()).await,
                Err(exception) => Reply::from(&exception),
            },
        })
    }

    fn locate(&self, origin: Origin, transport: Transport, headers: &HeaderMap) -> Reply {
        match self.desks.locate(origin) {
            Ok((key, _)) => {
                let scheme = if transport.secure { "https" } else { "http" };
                // As the client calls us, which it can do again.
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
                let host = host.unwrap_or_else(|| transport.own.to_string());
                registry::located(&format!("{scheme}://{host}/{MANAGER}{key}"), transport.own.port())
            }
            Err(exception) => Reply::from(&exception),
        }
    }

    async fn upgrade(&self, parts: &mut Parts) -> Result<Response, Refused> {
        let path = parts.uri.path().trim_start_matches('/').to_owned();
        let start = path.get(..PARTICIPANT.len()).unwrap_or_default();
        let key = page_key(&path).filter(|key| start.eq_ignore_ascii_case(PARTICIPANT) && key.len() <= LONGEST_PATH);
        let key = key.ok_or(Refused(StatusCode::NOT_FOUND, "no socket is served at this path"))?;
        let place = parts.extensions.get::<Arc<OwnedSemaphorePermit>>().cloned();
        let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
        let upgrade = upgrade.map_err(|_| Refused(StatusCode::BAD_REQUEST, "this is no WebSocket handshake"))?;
        let (shared, desks) = (Arc::clone(&self.shared), Arc::clone(&self.desks));
        shared.counters.count(Count::SocketOpened);
        Ok(sockets::bounded(upgrade).on_upgrade(async move |socket| {
            if shared.sockets.serve(key.clone(), socket, shared.shutdown.clone()).await {
                desks.all().iter().for_each(|desk| desk.lose_page(&key));
            }
            drop(place);
        }))
    }

    fn refuse(&self, Refused(status, why): Refused) -> Response {
        self.shared.counters.count(Count::RequestRefused);
        debug!(source = %self.shared.source, %status, why, "Request refused.");
        (status, why).into_response()
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn respond(reply: &Reply) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
        (header::CACHE_CONTROL, "max-age=0, must-revalidate"),
    ];
    (headers, reply.body()).into_response()
}

/// Lets a page of this origin read the response.
fn share(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(PRIVATE_NETWORK, HeaderValue::from_static("true"));
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}
