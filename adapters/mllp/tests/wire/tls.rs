//! TLS and certificates of either side. HL7 v2 reference, section 2.4.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fhircast_gateway_mllp::Settings;
use fhircast_gateway_mllp::sender::{SendError, Sender, Target};
use fhircast_gateway_mllp::settings::{ClientAuth, Tls};
use fhircast_gateway_mllp::tls::{ClientTls, ListenerTls};
use jiff::SignedDuration;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::fixture::{Gateway, order_text};

/// An authority with certificates for a listener and a sender, as files of one test.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mllp-tls").join(test);
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the certificate and key of `name`, and gives their files.
    fn certify(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    fn listener(&self, client_auth: ClientAuth) -> Settings {
        let (certificate, key) = self.certify("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let client_ca = (client_auth != ClientAuth::None).then(|| self.file("ca.pem"));
        let settings = Settings { tls: Some(Tls { certificate, key, client_auth, client_ca }), ..Settings::default() };
        assert_eq!(settings.check(), []);
        settings
    }

    fn sender(&self) -> ClientTls {
        ClientTls { ca: self.file("ca.pem"), identity: None, server_name: Some("localhost".to_owned()) }
    }

    fn certified_sender(&self) -> ClientTls {
        let identity = self.certify("ris.example.org", ExtendedKeyUsagePurpose::ClientAuth);
        ClientTls { identity: Some(identity), ..self.sender() }
    }
}

/// What comes of one message sent by TLS.
async fn send(gateway: &Gateway, tls: ClientTls) -> Result<String, SendError> {
    let target = Target {
        tls: Some(tls),
        acknowledgement_timeout: Duration::from_secs(20),
        ..Target::plain(gateway.address.to_string())
    };
    let mut sender = Sender::connect(target).await?;
    Ok(sender.send(order_text("1").as_bytes()).await?.code)
}

#[tokio::test]
async fn a_message_travels_by_tls() {
    let authority = Authority::new("plain");
    let gateway = Gateway::with(authority.listener(ClientAuth::None), []).await;
    assert_eq!(send(&gateway, authority.sender()).await.unwrap(), "AA");
}

#[tokio::test]
async fn a_required_certificate_must_be_there_and_of_the_right_authority() {
    let (authority, other) = (Authority::new("required"), Authority::new("required-other"));
    let gateway = Gateway::with(authority.listener(ClientAuth::Required), []).await;
    assert_eq!(send(&gateway, authority.certified_sender()).await.unwrap(), "AA");
    assert!(send(&gateway, authority.sender()).await.is_err());
    let foreign = ClientTls { ca: authority.file("ca.pem"), ..other.certified_sender() };
    assert!(send(&gateway, foreign).await.is_err());
    assert_eq!(gateway.control_ids(), ["1"]);
    assert_eq!(gateway.count("handshake_failed"), 2);
}

#[tokio::test]
async fn a_wanted_certificate_may_be_missing_but_not_wrong() {
    let (authority, other) = (Authority::new("wanted"), Authority::new("wanted-other"));
    let gateway = Gateway::with(authority.listener(ClientAuth::Wanted), []).await;
    assert_eq!(send(&gateway, authority.sender()).await.unwrap(), "AA");
    assert_eq!(send(&gateway, authority.certified_sender()).await.unwrap(), "AA");
    let foreign = ClientTls { ca: authority.file("ca.pem"), ..other.certified_sender() };
    assert!(send(&gateway, foreign).await.is_err());
}

#[tokio::test]
async fn a_sender_does_not_trust_another_authority_or_another_name() {
    let (authority, other) = (Authority::new("trust"), Authority::new("trust-other"));
    let gateway = Gateway::with(authority.listener(ClientAuth::None), []).await;
    assert!(matches!(send(&gateway, other.sender()).await, Err(SendError::Connect { .. })));
    let misnamed = ClientTls { server_name: Some("elsewhere.example.org".to_owned()), ..authority.sender() };
    assert!(matches!(send(&gateway, misnamed).await, Err(SendError::Connect { .. })));
}

#[tokio::test]
async fn whoever_does_not_shake_hands_is_closed() {
    let authority = Authority::new("handshake");
    let settings =
        Settings { handshake_timeout: SignedDuration::from_millis(50), ..authority.listener(ClientAuth::None) };
    let gateway = Gateway::with(settings, []).await;
    let mut silent = gateway.peer().await;
    silent.expect_closed().await;
    assert_eq!(gateway.count("handshake_failed"), 1);
}

#[tokio::test]
async fn f13_a_renewed_certificate_is_used_for_new_connections_and_a_bad_one_is_not() {
    let (first, second) = (Authority::new("renewed"), Authority::new("renewed-second"));
    let gateway = Gateway::with(first.listener(ClientAuth::None), []).await;
    let tls = gateway.tls.as_ref().unwrap();
    assert!(!tls.reload().unwrap(), "nothing has changed");
    fs::write(first.file("localhost.key"), "nonsense").unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(send(&gateway, first.sender()).await.unwrap(), "AA", "the old one stays");
    let renewed = second.certify("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    fs::copy(renewed.0, first.file("localhost.pem")).unwrap();
    fs::copy(renewed.1, first.file("localhost.key")).unwrap();
    assert!(tls.reload().unwrap());
    assert!(send(&gateway, first.sender()).await.is_err());
    assert_eq!(send(&gateway, second.sender()).await.unwrap(), "AA");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new("files");
    let (certificate, key) = authority.certify("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let missing = authority.file("missing.pem");
    let check = |certificate: &PathBuf, key: &PathBuf, expected: &str| {
        let tls =
            Tls { certificate: certificate.clone(), key: key.clone(), client_auth: ClientAuth::None, client_ca: None };
        let error = ListenerTls::load(tls).err().expect("it cannot be used").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&missing, &key, "missing.pem");
    check(&certificate, &missing, "missing.pem");
    check(&key, &key, "holds no certificate");
    let (_, other) = authority.certify("other", ExtendedKeyUsagePurpose::ServerAuth);
    check(&certificate, &other, "cannot be used");
}
