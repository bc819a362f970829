//! For tests: keys made on the spot, tokens of any shape, and a provider that answers as it is told.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::clock::Manual;
use crate::store::{Secret, SiteKey};

/// The time that every test starts at.
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const ISSUER: &str = "https://login.example";
pub(super) const AUDIENCE: &str = "https://hub.example";

pub(super) fn clock() -> Arc<Manual> {
    Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64)))
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Keys take a while to make: one of each kind serves every test.
pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::make);

pub(super) struct Keys {
    pub(super) rsa: RsaKeyPair,
    pub(super) p256: EcdsaKeyPair,
    pub(super) p384: EcdsaKeyPair,
    pub(super) ed25519: Ed25519KeyPair,
    /// Of somebody whom nobody trusts.
    pub(super) stranger: RsaKeyPair,
}

impl Keys {
    fn make() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
            stranger: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// The signature of `message` that `algorithm` makes.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            "RS256" => rsa_signature(&self.rsa, &signature::RSA_PKCS1_SHA256, message),
            "RS384" => rsa_signature(&self.rsa, &signature::RSA_PKCS1_SHA384, message),
            "RS512" => rsa_signature(&self.rsa, &signature::RSA_PKCS1_SHA512, message),
            "PS256" => rsa_signature(&self.rsa, &signature::RSA_PSS_SHA256, message),
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed25519.sign(message).as_ref().to_vec(),
            other => panic!("{other}"),
        }
    }
}

pub(super) fn rsa_signature(key: &RsaKeyPair, padding: &'static dyn signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut made = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut made).unwrap();
    made
}

pub(super) fn rsa_jwk(key: &RsaKeyPair, id: &str) -> Value {
    let public = key.public_key();
    let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent());
    json!({"kty": "RSA", "kid": id, "n": base64(n), "e": base64(e.big_endian_without_leading_zero())})
}

pub(super) fn ec_jwk(key: &EcdsaKeyPair, curve: &str, id: &str) -> Value {
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "kid": id, "x": base64(x), "y": base64(y)})
}

/// The public keys of [`KEYS`] as the provider lists them: `rsa`, `p256`, `p384` and `ed25519`.
pub(super) fn jwks() -> Value {
    let ed25519 = base64(KEYS.ed25519.public_key().as_ref());
    json!({"keys": [
        rsa_jwk(&KEYS.rsa, "rsa"),
        ec_jwk(&KEYS.p256, "P-256", "p256"),
        ec_jwk(&KEYS.p384, "P-384", "p384"),
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed25519", "x": ed25519},
    ]})
}

/// The public RSA key as a PEM file: what an HMAC would be keyed with by who confuses algorithms.
pub(super) fn rsa_public_pem() -> String {
    let der = KEYS.rsa.public_key().as_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// Claims that are good in every way.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "nbf": NOW - 5, "iat": NOW - 5, "sub": "drjones",
        "client_id": "viewer", "scope": "openid fhircast/Patient-open.read fhircast/Patient-open.write",
    })
}

/// `base` with the members of `changes` put in; those that are null are taken out.
pub(super) fn with(mut base: Value, changes: Value) -> Value {
    let object = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
    base
}

/// A token of exactly these texts, signed as `algorithm` does.
pub(super) fn signed_text(header: &str, claims: &str, algorithm: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = KEYS.sign(algorithm, message.as_bytes());
    format!("{message}.{}", base64(signature))
}

pub(super) fn signed(header: &Value, claims: &Value, algorithm: &str) -> String {
    signed_text(&header.to_string(), &claims.to_string(), algorithm)
}

pub(super) fn rs256(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "kid": "rsa"}), claims, "RS256")
}

/// What the settings of the tests' issuer start from.
pub(super) fn issuer_settings() -> IssuerSettings {
    IssuerSettings {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        jwks: format!("{ISSUER}/jwks"),
        ..IssuerSettings::default()
    }
}

pub(super) fn bearer(settings: IssuerSettings) -> AuthSettings {
    AuthSettings {
        mode: AuthMode::Bearer,
        issuer: [("hospital".to_owned(), settings)].into(),
        ..AuthSettings::default()
    }
}

/// A provider that answers as it is told, and counts how often it was asked.
pub(super) struct Provider {
    state: Mutex<ProviderState>,
    /// A question waits for one of these before it is answered.
    pub(super) answers: Semaphore,
}

struct ProviderState {
    otherwise: Answer,
    asked: Vec<FetchRequest>,
}

type Answer = Result<FetchResponse, FetchError>;

impl Provider {
    /// One that always answers `body`.
    pub(super) fn telling(body: &Value) -> Arc<Self> {
        let state = ProviderState { otherwise: answer(200, body), asked: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), answers: Semaphore::new(1_000_000) })
    }

    /// From now on it always answers so.
    pub(super) fn tell(&self, answer: Answer) {
        self.state.lock().unwrap().otherwise = answer;
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    /// Takes out what it was last asked.
    pub(super) fn last_question(&self) -> FetchRequest {
        self.state.lock().unwrap().asked.pop().unwrap()
    }
}

pub(super) fn answer(status: u16, body: &Value) -> Answer {
    Ok(FetchResponse { status, cache_control: None, body: body.to_string().into_bytes() })
}

impl Fetch for Provider {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Answer> {
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(request);
            state.otherwise.clone()
        };
        Box::pin(async move {
            self.answers.acquire().await.unwrap().forget();
            answer
        })
    }
}

/// An authenticator with `settings` that asks `provider`.
pub(super) fn authenticator(settings: &AuthSettings, clock: &Arc<Manual>, provider: &Arc<Provider>) -> Authenticator {
    let secrets = Secrets { introspection: Some(Secret::new("s:cret")), ..Secrets::default() };
    Authenticator::new(settings, &secrets, &site_key(), Arc::clone(clock) as _, Arc::clone(provider) as _).unwrap()
}

pub(super) fn site_key() -> SiteKey {
    SiteKey::from_bytes(&[7; 32])
}

/// What `authenticator` says of `token`.
pub(super) async fn judge(authenticator: &Authenticator, token: &str) -> Result<Grant, AuthenticationError> {
    authenticator.authenticate(Some(&format!("Bearer {token}"))).await
}

pub(super) fn is_invalid(judged: &Result<Grant, AuthenticationError>) -> bool {
    matches!(judged, Err(AuthenticationError::Invalid { .. }))
}
