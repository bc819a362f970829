//! F15: the audit log reaches a syslog receiver whole and in its order, however often the receiver or the gateway goes away.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use fhircast_gateway::audit::syslog::{Content, Feed, Figures, SyslogSettings, Watched};
use fhircast_gateway::audit::{Action, Agent, AuditLog, AuditSettings, Entry};
use fhircast_gateway::store::{AuditFiles, AuditReader};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Gateway, PATIENCE};

/// An audit log with a feed.
struct Audited {
    log: AuditLog,
    watched: Watched,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Audited {
    fn start(directory: &Path, settings: SyslogSettings) -> Self {
        let (files, last) = AuditFiles::open(directory).unwrap();
        let end = files.end();
        let reader = AuditReader::open(directory, &end.borrow().clone()).unwrap();
        let feed = Feed::new(settings, reader, end, "gateway");
        let settings = AuditSettings { actions: vec![Action::GetContext], syslog: None };
        let (log, stop) = (AuditLog::start(&settings, files, last).unwrap(), CancellationToken::new());
        let watched = feed.watched();
        Self { log, watched, running: tokio::spawn(feed.run(stop.clone())), stop }
    }

    async fn write(&self, asked: impl IntoIterator<Item = u32>) {
        for asked in asked {
            let agent = Agent::Application { principal: "".into(), name: None, address: None };
            let recorded = "2026-11-22T08:15:30Z".parse().unwrap();
            let session = format!("{asked}");
            let entry = Entry {
                action: Action::GetContext,
                recorded,
                agent,
                session,
                asked: String::new(),
                patient: None,
                refusal: None,
            };
            self.log.record(entry).await.unwrap();
        }
    }

    async fn end(self) -> Figures {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.expect("the feed does not end").unwrap();
        self.watched.figures()
    }
}

fn to(address: String) -> SyslogSettings {
    let (ca, certificate, key) = (None, None, None);
    SyslogSettings { to: address, content: Content::Fhir, ca, certificate, key, plaintext: false }
}

/// The next message of a stream, by its count of octets; `None` at its end.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let (mut length, mut byte) = (String::new(), [0]);
    loop {
        if timeout(PATIENCE, stream.read(&mut byte)).await.expect("nothing came").ok()? == 0 {
            return None;
        }
        match byte[0] {
            b' ' => break,
            digit => length.push(char::from(digit)),
        }
    }
    let mut message = vec![0; length.parse().unwrap()];
    timeout(PATIENCE, stream.read_exact(&mut message)).await.expect("half a message").ok()?;
    Some(String::from_utf8(message).unwrap())
}

/// The number that [`Audited::write`] gave the entry.
fn number(message: &str) -> u32 {
    let (_, event) = message.split_once('\u{feff}').unwrap();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    event["entity"][0]["what"]["display"].as_str().unwrap().trim_start_matches("session ").parse().unwrap()
}

async fn numbers(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.push(number(&message(stream).await.expect("the stream has ended")));
    }
    numbers
}

async fn accepted(listener: &TcpListener) -> BufReader<tokio::net::TcpStream> {
    BufReader::new(timeout(PATIENCE, listener.accept()).await.expect("nobody came").unwrap().0)
}

#[tokio::test]
async fn f15_what_is_audited_while_the_receiver_is_away_arrives_when_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let audited = Audited::start(directory.path(), to(format!("tcp://{address}")));
    audited.write(0..300).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let mut stream = accepted(&listener).await;
    assert_eq!(numbers(&mut stream, 300).await, Vec::from_iter(0..300));
    // It goes away without a word, and comes back: what may have been lost on the way comes again.
    drop(stream);
    audited.write(300..310).await;
    let mut stream = accepted(&listener).await;
    let mut last = Vec::new();
    while last.last() != Some(&309) {
        last.extend(numbers(&mut stream, 1).await);
    }
    assert!(last.windows(2).all(|pair| pair[1] == pair[0] + 1), "in order, and none missing: {last:?}");
    assert!(last[0] <= 300);
    let receiver = tokio::spawn(async move { while message(&mut stream).await.is_some() {} });
    let figures = audited.end().await;
    receiver.await.unwrap();
    assert!(figures.sent >= 310 && figures.failures >= 1 && figures.lost == 0, "{figures:?}");
}

#[tokio::test]
async fn f15_a_gateway_that_starts_again_goes_on_where_the_receiver_got_to() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = to(format!("tcp://{}", listener.local_addr().unwrap()));
    for first in [0, 10] {
        let audited = Audited::start(directory.path(), settings.clone());
        let mut stream = accepted(&listener).await;
        audited.write(first..first + 10).await;
        assert_eq!(
            numbers(&mut stream, 10).await,
            Vec::from_iter(first..first + 10),
            "nothing twice, as it was closed"
        );
        let receiver = tokio::spawn(async move { message(&mut stream).await });
        audited.end().await;
        assert_eq!(receiver.await.unwrap(), None);
    }
    // One whose receiver is away for all its life leaves the rest to the next.
    drop(listener);
    let audited = Audited::start(directory.path(), settings.clone());
    audited.write(20..25).await;
    audited.end().await;
    let address: SocketAddr = settings.to.trim_start_matches("tcp://").parse().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let audited = Audited::start(directory.path(), settings);
    assert_eq!(numbers(&mut accepted(&listener).await, 5).await, Vec::from_iter(20..25));
    audited.stop.cancel();
}

#[tokio::test]
async fn what_is_no_audit_event_is_counted_as_lost_and_the_rest_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = to(format!("tcp://{}", listener.local_addr().unwrap()));
    std::fs::write(directory.path().join("2026-10.jsonl"), "spoilt\n").unwrap();
    std::fs::write(directory.path().join("syslog.position"), "2026-10 0\n").unwrap();
    let audited = Audited::start(directory.path(), settings);
    audited.write([7]).await;
    assert_eq!(numbers(&mut accepted(&listener).await, 1).await, [7]);
    assert_eq!(audited.watched.figures().lost, 1);
    audited.stop.cancel();
}

#[tokio::test]
async fn datagrams_hold_a_message_each() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let audited = Audited::start(directory.path(), to(format!("udp://{}", receiver.local_addr().unwrap())));
    audited.write(0..3).await;
    for expected in 0..3 {
        let mut datagram = vec![0; 65_536];
        let length = timeout(PATIENCE, receiver.recv(&mut datagram)).await.expect("nothing came").unwrap();
        assert_eq!(number(std::str::from_utf8(&datagram[..length]).unwrap()), expected);
    }
    audited.end().await;
}

/// An authority, and files of what it has signed.
struct Authority {
    directory: TempDir,
    key: KeyPair,
    certificate: rcgen::Certificate,
    params: CertificateParams,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { directory, key, certificate, params }
    }

    fn signed(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate, key)
    }

    /// A receiver that asks for a certificate of this authority.
    fn receiver(&self) -> TlsAcceptor {
        let mut authorities = RootCertStore::empty();
        authorities.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider));
        let (certificate, key) = self.signed("localhost");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier.build().unwrap());
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }

    /// The settings of a gateway that has a certificate of this authority.
    fn client(&self, port: u16) -> Vec<String> {
        let (certificate, key) = self.signed("gateway");
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        std::fs::write(file("gateway.pem"), certificate.pem()).unwrap();
        std::fs::write(file("gateway-key.pem"), key.serialize_pem()).unwrap();
        vec![
            format!("audit.syslog.to=tls://localhost:{port}"),
            format!("audit.syslog.ca={}", file("ca.pem")),
            format!("audit.syslog.certificate={}", file("gateway.pem")),
            format!("audit.syslog.key={}", file("gateway-key.pem")),
        ]
    }
}

#[tokio::test]
async fn a_gateway_sends_its_audit_log_to_a_repository_as_atna_has_it() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut settings = authority.client(listener.local_addr().unwrap().port());
    settings.push(format!("store.directory={}", directory.path().display()));
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let gateway = Gateway::kept(&settings, 0).await;
    let stream = timeout(PATIENCE, listener.accept()).await.expect("nobody came").unwrap().0;
    let mut stream = BufReader::new(authority.receiver().accept(stream).await.unwrap());
    let _viewer = gateway.subscriber("drjones").await;
    let sent = message(&mut stream).await.unwrap();
    assert!(sent.starts_with("<85>1 2026-11-22T07:15:30") && sent.contains(" IHE+RFC-3881 - \u{feff}<?xml"), "{sent}");
    assert!(sent.contains(r#"csd-code="RAD-146" codeSystemName="IHE Transactions""#), "{sent}");
    let counted = ["fhircast_gateway_audit_syslog_connected 1", "fhircast_gateway_audit_syslog_sent_total 1"];
    let metrics = async {
        // Counted right after it has left.
        loop {
            let answer = reqwest::get(format!("{}/metrics", gateway.node.admin_url)).await.unwrap();
            let text = answer.text().await.unwrap();
            if counted.iter().all(|line| text.lines().any(|it| it == *line)) {
                break;
            }
        }
    };
    timeout(PATIENCE, metrics).await.expect("not counted");
    let receiver = tokio::spawn(async move { while message(&mut stream).await.is_some() {} });
    assert!(gateway.node.drain().await);
    receiver.await.unwrap();
}
