//! SEC-01: the hub over TLS, and its certificate renewed while it runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fhircast_gateway::clock::System;
use fhircast_gateway::http::{self, HttpSettings};
use fhircast_gateway::hub::{Hub, HubSettings};
use fhircast_gateway::security::{ServerTls, TlsError, TlsSettings};
use jiff::SignedDuration;
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::fixture::Gateway;

const PATIENCE: Duration = Duration::from_secs(20);

fn certificate() -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

fn write(directory: &Path, certified: &CertifiedKey<KeyPair>) -> TlsSettings {
    let settings = TlsSettings {
        certificate: directory.join("hub.pem"),
        key: directory.join("hub-key.pem"),
        reload_every: SignedDuration::from_secs(30),
    };
    std::fs::write(&settings.certificate, certified.cert.pem()).unwrap();
    std::fs::write(&settings.key, certified.signing_key.serialize_pem()).unwrap();
    settings
}

struct Served {
    tls: Arc<ServerTls>,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn serve(settings: TlsSettings, limits: HttpSettings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let tls = Arc::new(ServerTls::load(settings).unwrap());
    let hub = Hub::new(HubSettings::default(), Arc::new(System));
    tokio::spawn(http::serve(listener, Some(Arc::clone(&tls)), hub.routes(), limits, shutdown.clone()));
    Served { tls, address, shutdown }
}

impl Served {
    /// Connects by a client that trusts `certificate` alone.
    async fn connect(
        &self,
        certificate: &CertificateDer<'static>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address, certificate, version).await
    }
}

async fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut authorities = RootCertStore::empty();
    authorities.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let config = config.with_root_certificates(authorities).with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("no handshake")
}

async fn subscribe(stream: &mut TlsStream<TcpStream>) -> String {
    let form = "hub.channel.type=websocket&hub.mode=subscribe&hub.topic=t1&hub.events=Patient-open";
    let head = "POST /hub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("no answer").unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn sec_01_the_hub_is_served_over_tls_1_2_and_1_3_and_its_endpoints_are_wss() {
    let (directory, certified) = (tempfile::tempdir().unwrap(), certificate());
    let served = serve(write(directory.path(), &certified), HttpSettings::default()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut stream = served.connect(certified.cert.der(), version).await.unwrap();
        assert!(subscribe(&mut stream).await.contains("\"wss://localhost/hub/ws/"));
    }
}

#[tokio::test]
async fn t8_plain_text_and_half_a_handshake_cost_their_own_connection() {
    let (directory, certified) = (tempfile::tempdir().unwrap(), certificate());
    let limits = HttpSettings { handshake_timeout: SignedDuration::from_millis(200), ..HttpSettings::default() };
    let served = serve(write(directory.path(), &certified), limits).await;
    for said in [&b"GET /hub HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        assert!(timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok(), "still held");
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP"), "answered in plain text");
    }
    assert!(served.connect(certified.cert.der(), &rustls::version::TLS13).await.is_ok());
}

#[tokio::test]
async fn f13_a_renewed_certificate_is_used_for_new_connections_and_a_bad_one_is_not() {
    let (directory, first, second) = (tempfile::tempdir().unwrap(), certificate(), certificate());
    let settings = write(directory.path(), &first);
    let served = serve(settings.clone(), HttpSettings::default()).await;
    let mut old = served.connect(first.cert.der(), &rustls::version::TLS13).await.unwrap();
    assert!(!served.tls.reload().unwrap(), "nothing has changed");
    std::fs::write(&settings.key, second.signing_key.serialize_pem()).unwrap();
    assert!(matches!(served.tls.reload(), Err(TlsError::Refused { .. })), "the key of another certificate");
    std::fs::write(&settings.key, "nonsense").unwrap();
    assert!(matches!(served.tls.reload(), Err(TlsError::NotPem { what: "private key", .. })));
    std::fs::remove_file(&settings.key).unwrap();
    assert!(matches!(served.tls.reload(), Err(TlsError::File(_))));
    assert!(served.connect(first.cert.der(), &rustls::version::TLS13).await.is_ok(), "the old one stays");
    write(directory.path(), &second);
    assert!(served.tls.reload().unwrap());
    assert!(served.connect(first.cert.der(), &rustls::version::TLS13).await.is_err());
    assert!(served.connect(second.cert.der(), &rustls::version::TLS13).await.is_ok());
    assert!(subscribe(&mut old).await.contains("202"), "a connection that is there goes on");
}

#[tokio::test]
async fn f13_an_adapters_certificate_is_renewed_when_the_gateway_is_told_to_reload() {
    let (directory, first, second) = (tempfile::tempdir().unwrap(), certificate(), certificate());
    let files = write(directory.path(), &first);
    let settings = [
        format!("adapter.ris.tls.certificate={}", files.certificate.display()),
        format!("adapter.ris.tls.key={}", files.key.display()),
    ];
    let gateway = Gateway::with(&settings.each_ref().map(String::as_str)).await;
    let address = gateway.node.adapters[0].1;
    connect(address, first.cert.der(), &rustls::version::TLS13).await.unwrap();
    write(directory.path(), &second);
    gateway.node.reload();
    let renewed = async { while connect(address, second.cert.der(), &rustls::version::TLS13).await.is_err() {} };
    timeout(PATIENCE, renewed).await.expect("the old certificate is still shown");
}
