//! Good tokens, and the table of bad ones (T14).

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::fhircast::{EventName, Scopes};
use crate::security::testing::*;
use crate::security::{AuthenticationError, Authenticator, Grant, IssuerSettings, SignatureAlgorithm, Topics};

async fn judged_by(settings: IssuerSettings, token: &str) -> Result<Grant, AuthenticationError> {
    judge(&authenticator(&bearer(settings), &clock(), &Provider::telling(&jwks())), token).await
}

#[tokio::test]
async fn sub_14_good_tokens_of_each_algorithm_are_granted_what_they_say() {
    for (algorithm, key) in [("RS256", "rsa"), ("RS384", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("ES384", "p384")]
    {
        let token = signed(&json!({"alg": algorithm, "kid": key, "typ": "at+jwt"}), &claims(), algorithm);
        let grant = judged_by(issuer_settings(), &token).await.unwrap();
        assert_eq!(&*grant.principal, r#"["https://login.example","drjones","viewer"]"#, "{algorithm}");
        assert_eq!(grant.expires.map(jiff::Timestamp::as_second), Some(NOW + 300));
        assert_eq!(grant.scopes, Scopes::parse("fhircast/Patient-open.*"));
        assert_eq!(grant.topics, Topics::Any);
        assert!(!grant.scopes.can_read(&EventName::parse("Patient-close").unwrap()));
    }
}

#[tokio::test]
async fn sub_14_an_algorithm_beyond_the_usual_ones_is_taken_where_it_is_configured() {
    let token = signed(&json!({"alg": "EdDSA", "kid": "ed25519"}), &claims(), "EdDSA");
    assert!(is_invalid(&judged_by(issuer_settings(), &token).await));
    let settings = IssuerSettings { algorithms: vec![SignatureAlgorithm::EdDsa], ..issuer_settings() };
    assert!(judged_by(settings, &token).await.is_ok());
}

#[tokio::test]
async fn sub_14_what_providers_do_differently_is_taken_as_well() {
    let typed = IssuerSettings { token_type: Some("at+jwt".to_owned()), ..issuer_settings() };
    let header = json!({"alg": "RS256", "kid": "rsa"});
    for (settings, header, changes) in [
        (issuer_settings(), header.clone(), json!({"aud": ["x", AUDIENCE]})),
        (issuer_settings(), header.clone(), json!({"nbf": null, "iat": null})),
        (issuer_settings(), header.clone(), json!({"exp": NOW - 29})),
        (issuer_settings(), header.clone(), json!({"nbf": NOW + 30})),
        (issuer_settings(), header.clone(), json!({"sub": null})),
        (issuer_settings(), header.clone(), json!({"client_id": null, "azp": "viewer"})),
        (issuer_settings(), json!({"alg": "ES256"}), json!({})),
        (issuer_settings(), with(header.clone(), json!({"x5u": "https://evil.example", "jku": "x"})), json!({})),
        (issuer_settings(), with(header.clone(), json!({"jwk": rsa_jwk(&KEYS.stranger, "rsa")})), json!({})),
        (typed.clone(), with(header.clone(), json!({"typ": "AT+JWT"})), json!({})),
        (typed, with(header, json!({"typ": "application/at+jwt"})), json!({})),
    ] {
        let algorithm = header["alg"].as_str().unwrap();
        let token = signed(&header, &with(claims(), changes.clone()), algorithm);
        assert!(judged_by(settings, &token).await.is_ok(), "{header} {changes}");
    }
}

#[tokio::test]
async fn sec_03_a_token_is_bound_to_the_topics_in_the_configured_claim() {
    let settings = IssuerSettings { topic_claim: Some("topic".to_owned()), ..issuer_settings() };
    for (topic, permitted) in [
        (json!(null), false),
        (json!("t-1"), true),
        (json!(["t-0", "t-1"]), true),
        (json!("t-2"), false),
        (json!({}), false),
    ] {
        let grant = judged_by(settings.clone(), &rs256(&with(claims(), json!({"topic": topic})))).await.unwrap();
        assert_eq!(grant.permits_topic("t-1"), permitted, "{topic}");
    }
    let many: Vec<String> = (0..=Topics::MOST).map(|number| format!("t-{number}")).collect();
    assert!(is_invalid(&judged_by(settings, &rs256(&with(claims(), json!({"topic": many})))).await));
}

/// Name and token of each.
struct Bad(Vec<(String, String)>);

impl Bad {
    fn add(&mut self, name: impl Into<String>, token: impl Into<String>) {
        self.0.push((name.into(), token.into()));
    }
}

/// Everything that T14 has against a token.
#[tokio::test]
async fn t14_bad_tokens_are_all_refused() {
    let mut bad = Bad(Vec::new());
    add_bad_algorithms(&mut bad);
    add_bad_claims(&mut bad);
    add_bad_times(&mut bad);
    add_bad_keys(&mut bad);
    add_bad_shapes(&mut bad);
    assert!(bad.0.len() >= 80, "{}", bad.0.len());
    let authenticator = authenticator(&bearer(issuer_settings()), &clock(), &Provider::telling(&jwks()));
    assert!(judge(&authenticator, &rs256(&claims())).await.is_ok());
    for (name, token) in bad.0 {
        let judged = judge(&authenticator, &token).await;
        assert!(is_invalid(&judged), "{name}: {judged:?}");
        assert_says_nothing(&judged.unwrap_err(), &token);
    }
}

#[tokio::test]
async fn t14_what_is_no_bearer_token_is_refused() {
    let authenticator = authenticator(&bearer(issuer_settings()), &clock(), &Provider::telling(&jwks()));
    let good = rs256(&claims());
    for header in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer undefined".to_owned()),
        Some("Bearer null".to_owned()),
        Some("Basic dXNlcjpwYXNz".to_owned()),
        Some(format!("Basic {good}")),
        Some(format!("DPoP {good}")),
        Some(good.clone()),
        Some(format!("Bearer {good} {good}")),
        Some(format!("Bearer {good}, Bearer {good}")),
        Some(format!("Bearer\t{good}")),
        Some(format!("Bearer {good}\u{0}")),
        Some(format!("Bearer \"{good}\"")),
        Some(format!("Bearer {}", "a".repeat(1 << 20))),
        Some(format!("Bearer {}", ".".repeat(1 << 20))),
    ] {
        let error = authenticator.authenticate(header.as_deref()).await.unwrap_err();
        assert!(error.www_authenticate().is_some_and(|value| value.starts_with("Bearer")), "{header:?}");
    }
}

#[tokio::test]
async fn t14_a_configured_type_is_required() {
    let settings = IssuerSettings { token_type: Some("at+jwt".to_owned()), ..issuer_settings() };
    for kind in [json!(null), json!("JWT"), json!("id+jwt"), json!("at+jwt "), json!(["at+jwt"]), json!("text/at+jwt")]
    {
        let header = with(json!({"alg": "RS256", "kid": "rsa"}), json!({"typ": kind}));
        let judged = judged_by(settings.clone(), &signed(&header, &claims(), "RS256")).await;
        assert!(is_invalid(&judged), "{header} {judged:?}");
    }
}

#[tokio::test]
async fn t14_an_issuer_cannot_speak_for_another() {
    let other = IssuerSettings {
        issuer: "https://other.example".to_owned(),
        jwks: "https://other.example/jwks".to_owned(),
        ..issuer_settings()
    };
    let mut settings = bearer(issuer_settings());
    settings.issuer.insert("other".to_owned(), other);
    // Both are told the same keys here; what tells them apart is the issuer, and each keeps its own audiences.
    settings.issuer.get_mut("other").unwrap().audiences = vec!["other".to_owned()];
    let authenticator = authenticator(&settings, &clock(), &Provider::telling(&jwks()));
    let of_other = with(claims(), json!({"iss": "https://other.example"}));
    assert!(is_invalid(&judge(&authenticator, &rs256(&of_other)).await));
    let grant = judge(&authenticator, &rs256(&with(of_other, json!({"aud": "other"})))).await.unwrap();
    assert!(grant.principal.contains("https://other.example"));
}

/// Errors are logged and sent: they repeat nothing of the token.
fn assert_says_nothing(error: &AuthenticationError, token: &str) {
    let said = format!("{error} {error:?} {:?}", error.www_authenticate());
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!said.contains(part));
    }
    assert!(!said.contains("drjones") && !said.contains(ISSUER), "{said}");
    let header = error.www_authenticate().unwrap();
    assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && !header.contains('\\'), "{header}");
    assert_eq!(header.matches('"').count(), 4, "{header}");
}

fn add_bad_algorithms(bad: &mut Bad) {
    let hmac_keys = [
        ("public key in PEM", rsa_public_pem().into_bytes()),
        ("modulus", rsa_jwk(&KEYS.rsa, "rsa")["n"].as_str().unwrap().as_bytes().to_vec()),
        ("key set", jwks().to_string().into_bytes()),
        ("nothing", Vec::new()),
    ];
    for (name, key) in hmac_keys {
        for (algorithm, with) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let message = message(&json!({"alg": algorithm, "kid": "rsa"}), &claims());
            let tag = hmac::sign(&hmac::Key::new(with, &key), message.as_bytes());
            bad.add(format!("{algorithm} keyed with {name}"), format!("{message}.{}", base64(tag)));
        }
    }
    for algorithm in [json!("none"), json!("NONE"), json!("nOnE"), json!(""), json!(null), json!(["RS256"]), json!(256)]
    {
        let header = json!({"alg": algorithm, "kid": "rsa"});
        bad.add(format!("algorithm {algorithm}, no signature"), format!("{}.", message(&header, &claims())));
        bad.add(format!("algorithm {algorithm}, signed"), signed(&header, &claims(), "RS256"));
    }
    for algorithm in ["rs256", "RS256 ", "RS1", "ES256K", "RS257"] {
        bad.add(
            format!("algorithm {algorithm:?}"),
            signed(&json!({"alg": algorithm, "kid": "rsa"}), &claims(), "RS256"),
        );
    }
    let header = json!({"alg": "RS512", "kid": "rsa"});
    bad.add("algorithm not in the issuer's list", signed(&header, &claims(), "RS512"));
    bad.add("no algorithm", signed(&json!({"kid": "rsa"}), &claims(), "RS256"));
    for (said, key, used) in [
        ("ES256", "rsa", "RS256"),
        ("RS256", "p256", "ES256"),
        ("ES384", "p256", "ES256"),
        ("ES256", "p384", "ES384"),
        ("RS384", "rsa", "RS256"),
        ("PS256", "rsa", "RS256"),
        ("RS256", "rsa", "PS256"),
        ("RS256", "ed25519", "EdDSA"),
    ] {
        let token = signed(&json!({"alg": said, "kid": key}), &claims(), used);
        bad.add(format!("says {said}, key {key}, signed by {used}"), token);
    }
}

fn add_bad_claims(bad: &mut Bad) {
    for (name, changes) in [
        ("no aud", json!({"aud": null})),
        ("no iss", json!({"iss": null})),
        ("no exp", json!({"exp": null})),
        ("no subject, no client", json!({"sub": null, "client_id": null})),
        ("subject is a number", json!({"sub": 7, "client_id": null})),
        ("subject too long", json!({"sub": "a".repeat(1000)})),
        ("other aud", json!({"aud": "https://other.example"})),
        ("aud in other case", json!({"aud": AUDIENCE.to_uppercase()})),
        ("aud with more", json!({"aud": format!("{AUDIENCE}/")})),
        ("aud empty", json!({"aud": ""})),
        ("aud empty list", json!({"aud": []})),
        ("aud object", json!({"aud": {AUDIENCE: true}})),
        ("aud list of lists", json!({"aud": [[AUDIENCE]]})),
        ("other iss", json!({"iss": "https://evil.example"})),
        ("iss with slash", json!({"iss": format!("{ISSUER}/")})),
        ("iss list", json!({"iss": [ISSUER, "https://evil.example"]})),
        ("iss empty", json!({"iss": ""})),
    ] {
        bad.add(name, rs256(&with(claims(), changes)));
    }
    for (name, member) in
        [("iss", json!(ISSUER)), ("aud", json!(AUDIENCE)), ("exp", json!(NOW + 300)), ("scope", json!("fhircast/*.*"))]
    {
        let text = claims().to_string();
        let doubled = format!("{{\"{name}\":{member},{}", &text[1..]);
        bad.add(format!("{name} twice"), signed_text(r#"{"alg":"RS256","kid":"rsa"}"#, &doubled, "RS256"));
    }
    for text in ["", "null", "[]", "7", "{", "\"x\"", "{}", "\u{feff}{}"] {
        bad.add(format!("claims {text:?}"), signed_text(r#"{"alg":"RS256","kid":"rsa"}"#, text, "RS256"));
    }
    let deep = format!(r#"{{"iss":"{ISSUER}","x":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
    bad.add("deeply nested", signed_text(r#"{"alg":"RS256","kid":"rsa"}"#, &deep, "RS256"));
}

fn add_bad_times(bad: &mut Bad) {
    for (name, changes) in [
        ("expired just past the leeway", json!({"exp": NOW - 30})),
        ("expired long ago", json!({"exp": NOW - 86400})),
        ("exp 0", json!({"exp": 0})),
        ("exp negative", json!({"exp": -1})),
        ("exp huge", json!({"exp": u64::MAX})),
        ("exp beyond the calendar", json!({"exp": 1_000_000_000_000_i64})),
        ("exp beyond 64 bits", json!({"exp": 1e300})),
        ("exp in fractions", json!({"exp": NOW as f64 + 300.5})),
        ("exp string", json!({"exp": (NOW + 300).to_string()})),
        ("exp list", json!({"exp": [NOW + 300]})),
        ("exp true", json!({"exp": true})),
        ("nbf just past the leeway", json!({"nbf": NOW + 31})),
        ("nbf string", json!({"nbf": "0"})),
        ("nbf in fractions", json!({"nbf": 0.5})),
        ("nbf negative", json!({"nbf": -1})),
        ("nbf object", json!({"nbf": {}})),
    ] {
        bad.add(name, rs256(&with(claims(), changes)));
    }
    let text = claims().to_string().replace(&format!("\"nbf\":{}", NOW - 5), "\"nbf\":null");
    bad.add("nbf null", signed_text(r#"{"alg":"RS256","kid":"rsa"}"#, &text, "RS256"));
}

fn add_bad_keys(bad: &mut Bad) {
    for id in [
        json!("unknown"),
        json!(""),
        json!("RSA"),
        json!(["rsa"]),
        json!({"rsa": 1}),
        json!(0),
        json!("../rsa"),
        json!("/dev/null"),
        json!("rsa\u{0}"),
        json!("rsa' OR '1'='1"),
        json!("https://evil.example/jwks"),
    ] {
        bad.add(format!("kid {id}"), signed(&json!({"alg": "RS256", "kid": id}), &claims(), "RS256"));
    }
    let jwk = rsa_jwk(&KEYS.stranger, "rsa");
    for header in [
        json!({"alg": "RS256", "jwk": jwk}),
        json!({"alg": "RS256", "kid": "rsa", "jwk": jwk}),
        json!({"alg": "RS256", "kid": "mine", "jku": "https://evil.example/jwks"}),
        json!({"alg": "RS256", "kid": "rsa", "jku": "https://evil.example/jwks"}),
        json!({"alg": "RS256", "kid": "rsa", "x5u": "https://evil.example/cert"}),
        json!({"alg": "RS256", "kid": "rsa", "x5c": ["AAAA"]}),
        json!({"alg": "RS256", "kid": "rsa"}),
    ] {
        let message = message(&header, &claims());
        let signature = rsa_signature(&KEYS.stranger, &aws_lc_rs::signature::RSA_PKCS1_SHA256, message.as_bytes());
        bad.add(format!("a stranger's key: {header}"), format!("{message}.{}", base64(signature)));
    }
    for header in [
        json!({"alg": "RS256", "kid": "rsa", "crit": ["exp"]}),
        json!({"alg": "RS256", "kid": "rsa", "crit": []}),
        json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false}),
    ] {
        bad.add(format!("crit: {header}"), signed(&header, &claims(), "RS256"));
    }
    let twice = r#"{"alg":"none","alg":"RS256","kid":"rsa"}"#;
    bad.add("alg twice", signed_text(twice, &claims().to_string(), "RS256"));
}

fn add_bad_shapes(bad: &mut Bad) {
    let good = rs256(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("three parts") };
    for (name, token) in [
        ("one segment", (*header).to_owned()),
        ("two segments", format!("{header}.{claims}")),
        ("four segments", format!("{good}.{signature}")),
        ("a fourth that is empty", format!("{good}.")),
        ("five segments", format!("{good}.a.b")),
        ("no signature", format!("{header}.{claims}.")),
        ("no claims", format!("{header}..{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("dots only", "..".to_owned()),
        ("padding after the signature", format!("{good}==")),
        ("padding after the header", format!("{header}=.{claims}.{signature}")),
        ("the other alphabet", format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+"))),
        ("truncated signature", good[..good.len() - 4].to_owned()),
        ("signature twice", format!("{header}.{claims}.{signature}{signature}")),
        ("garbage", "garbage".to_owned()),
        ("one letter", "a".to_owned()),
        ("claims and header swapped", format!("{claims}.{header}.{signature}")),
    ] {
        bad.add(name, token);
    }
    // The alphabet's other characters are in almost every signature, but not in every one.
    bad.0.retain(|(_, token)| *token != good);
    let es256 = signed(&json!({"alg": "ES256", "kid": "p256"}), &super::super::testing::claims(), "ES256");
    let (message, _) = es256.rsplit_once('.').unwrap();
    bad.add("ECDSA signature of zeros", format!("{message}.{}", base64([0; 64])));
    bad.add("ECDSA signature empty", format!("{message}."));
    for (part, text) in parts.iter().enumerate() {
        for place in [0, text.len() / 3, text.len() / 2, text.len() - 2] {
            let mut flipped: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
            let old = flipped[part].as_bytes()[place];
            flipped[part].replace_range(place..=place, if old == b'A' { "B" } else { "A" });
            bad.add(format!("part {part} flipped at {place}"), flipped.join("."));
        }
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

#[tokio::test]
async fn cli_05_an_open_hub_ignores_whatever_stands_in_the_header() {
    let open = Authenticator::open();
    for header in [None, Some("Bearer "), Some("Bearer undefined"), Some("junk \u{0}"), Some("Basic x")] {
        assert_eq!(open.authenticate(header).await, Ok(Grant::anonymous()), "{header:?}");
    }
    assert!(open.is_open());
}

#[tokio::test]
async fn t14_without_a_key_id_none_of_several_keys_is_tried() {
    let set = json!({"keys": [rsa_jwk(&KEYS.rsa, "rsa"), rsa_jwk(&KEYS.stranger, "stranger")]});
    let authenticator = authenticator(&bearer(issuer_settings()), &clock(), &Provider::telling(&set));
    let nameless = signed(&json!({"alg": "RS256"}), &claims(), "RS256");
    assert!(is_invalid(&judge(&authenticator, &nameless).await));
    assert!(judge(&authenticator, &rs256(&claims())).await.is_ok());
}
