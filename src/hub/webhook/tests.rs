//! The sender against receivers on real sockets, good and bad.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fhircast_gateway_adapter_api::BoxFuture;
use futures_util::stream;
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::callback::{Callback, Denial, Intent};
use super::connector::Resolver;
use super::sender::{Answer, WebhookSender};
use super::settings::WebhookSettings;
use super::signature::Secret;
use crate::fhircast::Mode;

const INTENT: Intent<'static> =
    Intent { mode: Mode::Subscribe, topic: "t1", events: "Patient-open", lease_seconds: Some(7200) };

#[tokio::test]
async fn wh_02_a_challenge_that_is_repeated_exactly_verifies() {
    let receiver = Receiver::start(|request| echo(request, "")).await;
    assert!(receiver.sender().verify(&receiver.callback("/cb?token=1"), INTENT).await);
    let [asked] = &receiver.requests()[..] else { panic!("asked more than once") };
    assert_eq!((&asked.method, asked.path.as_str()), (&Method::GET, "/cb"));
    assert!(asked.query.starts_with("token=1&hub.mode=subscribe&hub.topic=t1&hub.events=Patient-open&hub.challenge="));
    assert!(asked.query.ends_with("&hub.lease_seconds=7200"), "{}", asked.query);
}

#[tokio::test]
async fn wh_02_every_challenge_is_another() {
    let receiver = Receiver::start(|request| echo(request, "")).await;
    for _ in 0..2 {
        assert!(receiver.sender().verify(&receiver.callback("/cb"), INTENT).await);
    }
    let challenges = receiver.requests().iter().map(|asked| challenge(&asked.query)).collect::<Vec<_>>();
    assert!(challenges[0] != challenges[1] && challenges.iter().all(|challenge| challenge.len() >= 43));
}

#[tokio::test]
async fn wh_02_anything_but_the_challenge_with_a_2xx_does_not_verify() {
    let answers: [fn(&Seen) -> Response; 8] = [
        |_| "something else".into_response(),
        |_| ().into_response(),
        |request| echo(request, "\n"),
        |request| echo(request, " and more"),
        |request| challenge(&request.query).to_ascii_uppercase().into_response(),
        |request| (StatusCode::NOT_FOUND, challenge(&request.query)).into_response(),
        |request| (StatusCode::INTERNAL_SERVER_ERROR, challenge(&request.query)).into_response(),
        |request| (StatusCode::FOUND, challenge(&request.query)).into_response(),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let receiver = Receiver::start(answer).await;
        assert!(!receiver.sender().verify(&receiver.callback("/cb"), INTENT).await, "{number}");
    }
}

#[tokio::test]
async fn wh_02_any_2xx_verifies() {
    let receiver = Receiver::start(|request| (StatusCode::ACCEPTED, challenge(&request.query)).into_response()).await;
    assert!(receiver.sender().verify(&receiver.callback("/cb"), INTENT).await);
}

#[tokio::test]
async fn wh_06_a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|request| echo(request, "")).await;
    let (address, secret) = (elsewhere.address, Secret::parse("s3cret").unwrap());
    let receiver = Receiver::start(move |request| {
        let location = format!("http://{address}/cb?{}", request.query);
        (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
    })
    .await;
    let sender = receiver.sender();
    assert!(!sender.verify(&receiver.callback("/cb"), INTENT).await);
    let answer = sender.notify(&receiver.callback("/cb"), Bytes::from_static(b"{}"), Some(&secret)).await;
    assert_eq!(answer, Answer::Status(302));
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn wh_02_an_answer_that_drips_or_never_comes_is_not_waited_for() {
    let drip = Receiver::start(|_| {
        let byte = stream::once(async { Ok::<_, io::Error>(Bytes::from_static(b"x")) });
        Body::from_stream(futures_util::StreamExt::chain(byte, stream::pending())).into_response()
    })
    .await;
    assert!(!drip.hasty().verify(&drip.callback("/cb"), INTENT).await);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = callback(silent.local_addr().unwrap(), "/cb");
    assert!(!drip.hasty().verify(&callback, INTENT).await);
    assert_eq!(drip.hasty().notify(&callback, Bytes::new(), None).await, Answer::NoAnswer);
    drip.hasty().deny(&callback, DENIAL).await;
}

#[tokio::test]
async fn wh_02_a_large_answer_is_not_read_to_its_end() {
    for endless in [false, true] {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let receiver = Receiver::start(move |_| large(endless, &count)).await;
        assert!(!receiver.sender().verify(&receiver.callback("/cb"), INTENT).await);
        let answer = receiver.sender().notify(&receiver.callback("/cb"), Bytes::new(), None).await;
        assert_eq!(answer, Answer::Status(200), "only the status counts");
        // What the system has buffered on the way is sent, too.
        assert!(sent.load(Ordering::Relaxed) < 64 << 20);
    }
}

#[tokio::test]
async fn wh_02_a_head_without_an_end_is_not_read_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = callback(listener.local_addr().unwrap(), "/cb");
    let verifying = tokio::spawn(async move { Names::default().sender(&open()).verify(&callback, INTENT).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
    // Ends when the sender hangs up.
    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    assert!(!verifying.await.unwrap());
}

#[tokio::test]
async fn wh_03_a_notification_is_json_with_a_signature_that_the_receiver_can_check() {
    let receiver = Receiver::start(|_| StatusCode::OK.into_response()).await;
    let body = Bytes::from_static("{\"id\": \"e1\",  \"näme\": 1}\n".as_bytes());
    let secret = Secret::parse("s3cret").unwrap();
    let sender = receiver.sender();
    assert_eq!(sender.notify(&receiver.callback("/cb?t=1"), body.clone(), Some(&secret)).await, Answer::Status(200));
    assert_eq!(sender.notify(&receiver.callback("/cb"), body.clone(), None).await, Answer::Status(200));
    let [signed, unsigned] = &receiver.requests()[..] else { panic!("not called twice") };
    assert_eq!((&signed.method, signed.path.as_str(), signed.query.as_str()), (&Method::POST, "/cb", "t=1"));
    assert_eq!(signed.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(signed.body, body);
    let signature = signed.headers["x-hub-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    let bytes: Vec<u8> =
        (0..signature.len()).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap()).collect();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, b"s3cret"), &signed.body, &bytes).unwrap();
    assert!(!unsigned.headers.contains_key("x-hub-signature"));
}

#[tokio::test]
async fn wh_04_the_receivers_status_is_the_answer_and_a_refusal_is_final() {
    for status in [200, 202, 204, 301, 400, 403, 409, 410] {
        let receiver = Receiver::start(move |_| StatusCode::from_u16(status).unwrap().into_response()).await;
        let answer = receiver.sender().notify(&receiver.callback("/cb"), Bytes::new(), None).await;
        assert_eq!((answer, receiver.requests().len()), (Answer::Status(status), 1));
    }
}

#[tokio::test]
async fn wh_04_a_receiver_that_cannot_now_is_called_twice_more_at_most() {
    for (statuses, answer, calls) in
        [(&[503, 200][..], 200, 2), (&[429, 500, 202], 202, 3), (&[500, 410], 410, 2), (&[503, 502, 500, 200], 500, 3)]
    {
        let next = AtomicUsize::new(0);
        let receiver = Receiver::start(move |_| {
            StatusCode::from_u16(statuses[next.fetch_add(1, Ordering::Relaxed)]).unwrap().into_response()
        })
        .await;
        let got = receiver.sender().notify(&receiver.callback("/cb"), Bytes::new(), None).await;
        assert_eq!((got, receiver.requests().len()), (Answer::Status(answer), calls), "{statuses:?}");
    }
}

#[tokio::test]
async fn wh_04_nobody_there_is_no_answer() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sender = Names::default().sender(&open());
    assert_eq!(sender.notify(&callback(gone, "/cb"), Bytes::new(), None).await, Answer::NoAnswer);
    assert!(!sender.verify(&callback(gone, "/cb"), INTENT).await);
}

const DENIAL: Denial<'static> = Denial { topic: "t1", events: "Patient-open", reason: "no longer allowed" };

#[tokio::test]
async fn wh_05_a_denial_is_a_get_with_topic_events_and_reason() {
    let receiver = Receiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    receiver.sender().deny(&receiver.callback("/cb?token=1"), DENIAL).await;
    let [told] = &receiver.requests()[..] else { panic!("not told once") };
    assert_eq!(told.method, Method::GET);
    let expected = "token=1&hub.mode=denied&hub.topic=t1&hub.events=Patient-open&hub.reason=no+longer+allowed";
    assert_eq!(told.query, expected);
}

#[tokio::test]
async fn wh_06_what_is_not_listed_is_not_called() {
    let receiver = Receiver::start(|request| echo(request, "")).await;
    let port = receiver.address.port();
    let closed = WebhookSettings { allowed: Vec::new(), ..open() };
    for host in ["127.0.0.1", "0x7f000001", "2130706433", "localhost"] {
        let callback = Callback::parse(&format!("http://{host}:{port}/cb"), true).unwrap();
        let names = Names::answering(&[&["127.0.0.1"]]);
        assert!(!names.sender(&closed).verify(&callback, INTENT).await, "{host}");
        let answer = names.sender(&closed).notify(&callback, Bytes::new(), None).await;
        assert_eq!(answer, Answer::NoAnswer, "{host}");
        names.sender(&closed).deny(&callback, DENIAL).await;
    }
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn wh_06_a_name_is_resolved_once_for_a_call_and_checked_again_for_the_next() {
    let receiver = Receiver::start(|request| echo(request, "")).await;
    let names = Names::answering(&[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    let sender = names.sender(&open());
    let callback = Callback::parse(&format!("http://localhost:{}/cb", receiver.address.port()), true).unwrap();
    assert!(sender.verify(&callback, INTENT).await, "connected to what was checked");
    assert_eq!(names.asked(), 1);
    assert!(!sender.verify(&callback, INTENT).await, "now it is a metadata address");
    assert_eq!((names.asked(), receiver.requests().len()), (2, 1));
    assert!(sender.verify(&callback, INTENT).await);
}

#[tokio::test]
async fn wh_06_of_several_addresses_only_those_that_may_be_called_are() {
    let receiver = Receiver::start(|request| echo(request, "")).await;
    let names = Names::answering(&[&["169.254.169.254", "127.0.0.1"]]);
    let callback = Callback::parse(&format!("http://localhost:{}/cb", receiver.address.port()), true).unwrap();
    assert!(names.sender(&open()).verify(&callback, INTENT).await);
}

#[tokio::test]
async fn wh_01_plain_text_goes_to_loopback_only_whatever_the_name_resolves_to() {
    let names = Names::answering(&[&["192.0.2.7"]]);
    let settings = WebhookSettings { allowed: vec!["192.0.2.7".parse().unwrap()], ..open() };
    let callback = Callback::parse("http://localhost:3000/cb", true).unwrap();
    let answer = names.sender(&settings).notify(&callback, Bytes::new(), None).await;
    assert_eq!((answer, names.asked()), (Answer::NoAnswer, 1), "refused, and not tried again");
}

#[tokio::test]
async fn wh_01_a_callback_over_tls_is_called_when_its_certificate_is_trusted_and_is_its_own() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["viewer.example".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let tls = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let receiver = Receiver::start_over(|request| echo(request, ""), Some(TlsAcceptor::from(Arc::new(tls)))).await;
    let (ours, port) = (Some(cert.der().clone()), receiver.address.port());
    for (host, trusted, verified) in
        [("viewer.example", ours.clone(), true), ("other.example", ours, false), ("viewer.example", None, false)]
    {
        let names = Names::answering(&[&["127.0.0.1"]]);
        let sender = WebhookSender::with(&open(), Arc::new(names), trusting(trusted));
        let callback = Callback::parse(&format!("https://{host}:{port}/cb"), false).unwrap();
        assert_eq!(sender.verify(&callback, INTENT).await, verified, "{host}");
    }
    assert_eq!(receiver.requests().len(), 1);
    assert_eq!(receiver.requests()[0].headers[header::HOST], format!("viewer.example:{port}"));
}

/// Settings under which a receiver of these tests may be called.
fn open() -> WebhookSettings {
    WebhookSettings {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        allow_http_on_loopback: true,
        ..WebhookSettings::default()
    }
}

fn callback(address: SocketAddr, path: &str) -> Callback {
    Callback::parse(&format!("http://{address}{path}"), true).unwrap()
}

fn echo(request: &Seen, more: &str) -> Response {
    format!("{}{more}", challenge(&request.query)).into_response()
}

fn challenge(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.into_iter().find_map(|(key, value)| (key == "hub.challenge").then(|| value.into_owned())).unwrap_or_default()
}

/// 10 MB with its length told, or pieces without an end, whose bytes are counted.
fn large(endless: bool, sent: &Arc<AtomicUsize>) -> Response {
    if !endless {
        return vec![b'x'; 10_000_000].into_response();
    }
    let sent = Arc::clone(sent);
    Body::from_stream(stream::repeat_with(move || {
        sent.fetch_add(4096, Ordering::Relaxed);
        Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 4096]))
    }))
    .into_response()
}

fn trusting(certificate: Option<rustls::pki_types::CertificateDer<'static>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    certificate.into_iter().for_each(|certificate| roots.add(certificate).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// A resolver whose answer changes each time; the last one stays.
#[derive(Clone, Default)]
struct Names {
    answers: Arc<Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn answering(answers: &[&[&str]]) -> Self {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Self { answers: Arc::new(answers.iter().map(addresses).collect()), asked: Arc::default() }
    }

    fn sender(&self, settings: &WebhookSettings) -> WebhookSender {
        WebhookSender::with(settings, Arc::new(self.clone()), trusting(None))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len().saturating_sub(1));
        let answer = self.answers.get(number).cloned().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

/// A request as a receiver has got it.
#[derive(Clone)]
struct Seen {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A subscriber's HTTP server.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Behaviour = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

impl Receiver {
    async fn start(behaviour: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        Self::start_over(behaviour, None).await
    }

    async fn start_over(
        behaviour: impl Fn(&Seen) -> Response + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::default());
        let state: (Behaviour, Arc<Mutex<Vec<Seen>>>) = (Arc::new(behaviour), Arc::clone(&seen));
        let routes = Router::new().fallback(respond).with_state(state);
        tokio::spawn(serve(listener, routes, tls));
        Self { address, seen }
    }

    fn callback(&self, path: &str) -> Callback {
        callback(self.address, path)
    }

    fn sender(&self) -> WebhookSender {
        Names::default().sender(&open())
    }

    /// A sender that does not wait for long.
    fn hasty(&self) -> WebhookSender {
        Names::default().sender(&WebhookSettings { response_time: SignedDuration::from_millis(100), ..open() })
    }

    fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn respond(State((behaviour, seen)): State<(Behaviour, Arc<Mutex<Vec<Seen>>>)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let request = Seen {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    };
    let response = behaviour(&request);
    seen.lock().unwrap().push(request);
    response
}

async fn serve(listener: TcpListener, routes: Router, tls: Option<TlsAcceptor>) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    while let Ok((stream, _)) = listener.accept().await {
        let (service, tls) = (TowerToHyperService::new(routes.clone()), tls.clone());
        tokio::spawn(async move {
            let server = hyper::server::conn::http1::Builder::new();
            match tls {
                None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                }
            }
        });
    }
}
