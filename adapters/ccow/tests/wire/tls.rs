//! Section 3: the second door, for pages that came by TLS.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::fixture::{Gateway, soon};

fn both_ends() -> (TlsAcceptor, TlsConnector) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)))
}

#[tokio::test]
async fn section_3_who_comes_by_tls_is_sent_on_by_tls() {
    let (server, client) = both_ends();
    let gateway = Gateway::encrypted(server).await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut stream = soon(client.connect(ServerName::try_from("localhost").unwrap(), stream)).await.unwrap();
    soon(stream.write_all(b"GET /?method=Locate HTTP/1.1\r\nHost: localhost:2117\r\nConnection: close\r\n\r\n"))
        .await
        .unwrap();
    let mut answer = Vec::new();
    // The gateway may close without a farewell of TLS.
    let _ = soon(stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\r\n\r\ncomponentUrl=https://localhost:2117/manager/"), "{answer}");
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    soon(stream.write_all(b"GET /?method=Locate HTTP/1.0\r\n\r\n")).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "and nobody else is answered");
}
