//! Requests for tokens, and the tokens themselves: tables of good and bad ones.

use std::sync::Arc;
use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::testing::{NOW, Provider, clock, is_invalid, judge, site_key};
use super::super::{AuthMode, Authenticator, ClientSettings};
use super::access_token::AccessToken;
use super::*;
use crate::clock::{Manual, timestamp};
use crate::store::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NEXT_SECRET: &str = "fedcba9876543210fedcba9876543210";
const OTHER_SECRET: &str = "other-other-other-other-other-other";

fn client(scopes: &str, user: Option<&str>) -> ClientSettings {
    ClientSettings {
        secret_files: vec!["/unused".into()],
        scopes: scopes.to_owned(),
        user: user.map(str::to_owned),
        ..ClientSettings::default()
    }
}

/// `dictation` is for one user, `viewer` for any.
fn settings() -> AuthSettings {
    let dictation = client("fhircast/*.read fhircast/Patient-open.write", Some("drjones"));
    let viewer = client("fhircast/Patient-open.read", None);
    AuthSettings {
        mode: AuthMode::Bearer,
        client: [("dictation".to_owned(), dictation), ("viewer".to_owned(), viewer)].into(),
        ..AuthSettings::default()
    }
}

fn secrets() -> Secrets {
    let of = |name: &str, secrets: &[&str]| (name.to_owned(), secrets.iter().map(|&text| Secret::new(text)).collect());
    let clients = [of("dictation", &[SECRET, NEXT_SECRET]), of("viewer", &[OTHER_SECRET])].into();
    Secrets { clients, ..Secrets::default() }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn issuer() -> TokenIssuer {
    TokenIssuer::new(&settings(), &secrets(), &site_key()).unwrap().unwrap()
}

fn topic_of(user: &str) -> Option<String> {
    Some(if user == "star" { "*".to_owned() } else { format!("topic-of-{user}") })
}

fn ask(issuer: &TokenIssuer, authorization: Option<&str>, form: &str) -> Result<IssuedToken, TokenError> {
    issuer.issue(authorization, form.as_bytes(), topic_of, now())
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// A form of `dictation` with `more` behind it.
fn form(more: &str) -> String {
    format!("grant_type=client_credentials&client_id=dictation&client_secret={SECRET}{more}")
}

#[test]
fn sma_01_cli_17_a_client_that_proves_itself_gets_a_token_for_its_users_topic() {
    let grant = "grant_type=client_credentials";
    let by_header = basic(&format!("dictation:{SECRET}"));
    let encoded = basic(&format!("d%69ctation:{}", SECRET.replace('0', "%30")));
    let viewer = basic(&format!("viewer:{OTHER_SECRET}"));
    let next = form("").replace(SECRET, NEXT_SECRET);
    let all = "fhircast/*.read fhircast/Patient-open.write";
    for (header, form, scopes, topic) in [
        (None, form(""), all, "topic-of-drjones"),
        (None, next, all, "topic-of-drjones"),
        (Some(&by_header), grant.to_owned(), all, "topic-of-drjones"),
        (Some(&encoded), grant.to_owned(), all, "topic-of-drjones"),
        (Some(&by_header.replace("Basic ", "basic  ")), grant.to_owned(), all, "topic-of-drjones"),
        (Some(&by_header), format!("{grant}&client_id=dictation"), all, "topic-of-drjones"),
        (None, form("&username=drjones"), all, "topic-of-drjones"),
        (None, form("&username=&scope="), all, "topic-of-drjones"),
        (None, form("&audience=a&resource=b&resource=c&audience=%ff"), all, "topic-of-drjones"),
        (None, form("&scope=fhircast/*.read"), "fhircast/*.read", "topic-of-drjones"),
        (None, form("&scope=openid+fhircast/*.*+launch"), all, "topic-of-drjones"),
        (None, form("&scope=fhircast/Home-open.*"), "fhircast/Home-open.read", "topic-of-drjones"),
        (Some(&viewer), format!("{grant}&username=drxray"), "fhircast/Patient-open.read", "topic-of-drxray"),
        (
            Some(&viewer),
            format!("{grant}&username=M%C3%BCller+A&scope=fhircast/*.read"),
            "fhircast/Patient-open.read",
            "topic-of-Müller A",
        ),
    ] {
        let issuer = issuer();
        let issued = ask(&issuer, header.map(String::as_str), &form).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!((issued.scopes.to_string().as_str(), issued.topic.as_str()), (scopes, topic), "{form}");
        assert_eq!(issued.expires_in, 300);
        let granted = issuer.judge(&issued.access_token, now()).unwrap().unwrap();
        assert_eq!((&granted.scopes, granted.expires), (&issued.scopes, Timestamp::from_second(NOW + 300).ok()));
        assert!(granted.permits_topic(topic) && !granted.permits_topic("topic-of-drnobody"));
    }
}

#[test]
fn sma_01_every_bad_request_is_refused_in_the_words_of_rfc_6749() {
    let dictation = basic(&format!("dictation:{SECRET}"));
    let grant = "grant_type=client_credentials";
    let as_dictation = |more: &str| (Some(dictation.clone()), format!("{grant}{more}"));
    let viewer = |more: &str| (Some(basic(&format!("viewer:{OTHER_SECRET}"))), format!("{grant}{more}"));
    let header = |header: &str| (Some(header.to_owned()), grant.to_owned());
    let body = |form: String| (None, form);
    let unknown = |id: &str, secret: &str| (None, format!("{grant}&client_id={id}&client_secret={secret}"));
    for (code, (authorization, form)) in [
        // Nobody who is known, and no way to tell in what.
        ("invalid_client", body(String::new())),
        ("invalid_client", body(grant.to_owned())),
        ("invalid_client", body(format!("{grant}&client_id=dictation"))),
        ("invalid_client", body(format!("{grant}&client_secret={SECRET}"))),
        ("invalid_client", unknown("dictation", "")),
        ("invalid_client", unknown("nobody", SECRET)),
        ("invalid_client", unknown("Dictation", SECRET)),
        ("invalid_client", unknown("viewer", SECRET)),
        ("invalid_client", unknown("dictation", &SECRET[1..])),
        ("invalid_client", unknown("dictation", &format!("{SECRET}0"))),
        ("invalid_client", unknown("dictation", &SECRET.to_uppercase())),
        ("invalid_client", unknown("dictation%00", SECRET)),
        ("invalid_client", header("")),
        ("invalid_client", header("Basic")),
        ("invalid_client", header("Basic ")),
        ("invalid_client", header("Basic not,base64")),
        ("invalid_client", header(&format!("Basic dictation:{SECRET}"))),
        ("invalid_client", header(&basic("dictation"))),
        ("invalid_client", header(&basic(&format!(":{SECRET}")))),
        ("invalid_client", header(&basic(&format!("dictation:{SECRET}:")))),
        ("invalid_client", header(&basic(&format!("dictation:{SECRET}&x")))),
        ("invalid_client", header(&format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])))),
        ("invalid_client", header(&format!("Bearer {SECRET}"))),
        ("invalid_client", header(&dictation.replace("Basic", "Digest"))),
        // Two proofs, or two of anything.
        ("invalid_request", (Some(dictation.clone()), self::form(""))),
        ("invalid_request", as_dictation("&client_secret=x")),
        ("invalid_request", as_dictation("&client_id=viewer")),
        ("invalid_request", body(self::form("&client_id=dictation"))),
        ("invalid_request", body(self::form(&format!("&client_secret={SECRET}")))),
        ("invalid_request", as_dictation("&grant_type=client_credentials")),
        ("invalid_request", as_dictation("&scope=fhircast/*.read&scope=fhircast/*.read")),
        ("invalid_request", as_dictation("&username=drjones&username=drjones")),
        ("invalid_request", as_dictation("&username=%ff")),
        // Whose session?
        ("invalid_request", as_dictation("&username=drxray")),
        ("invalid_request", as_dictation("&username=DrJones")),
        ("invalid_request", viewer("")),
        ("invalid_request", viewer("&username=")),
        ("invalid_request", viewer("&username=+")),
        ("invalid_request", viewer("&username=a%00b")),
        ("invalid_request", viewer("&username=star")),
        ("invalid_request", viewer(&format!("&username={}", "a".repeat(257)))),
        // What for?
        ("invalid_request", (Some(dictation.clone()), "x=y".to_owned())),
        ("invalid_request", (Some(dictation.clone()), "grant_type=".to_owned())),
        ("unsupported_grant_type", (Some(dictation.clone()), "grant_type=password".to_owned())),
        ("unsupported_grant_type", (Some(dictation.clone()), "grant_type=authorization_code&code=x".to_owned())),
        ("unsupported_grant_type", (Some(dictation.clone()), "grant_type=Client_Credentials".to_owned())),
        ("invalid_scope", as_dictation("&scope=openid")),
        ("invalid_scope", as_dictation("&scope=fhircast/*.reed")),
        ("invalid_scope", as_dictation("&scope=fhircast/Home-open.write")),
        ("invalid_scope", viewer("&username=drxray&scope=fhircast/*.write")),
    ] {
        let error = ask(&issuer(), authorization.as_deref(), &form).expect_err(&form);
        assert_eq!(error.code(), code, "{authorization:?} {form}");
        assert!(!error.to_string().contains(['"', '\\']), "RFC 6749 5.2 leaves out these: {error}");
    }
}

#[test]
fn t18_whoever_fails_too_often_is_told_so_and_nobody_who_is_known_suffers() {
    let issuer = issuer();
    let wrong = form("").replace(SECRET, OTHER_SECRET);
    let failed = || ask(&issuer, None, &wrong).unwrap_err();
    assert!((0..FAILURES_AT_ONCE).all(|_| failed() == TokenError::InvalidClient));
    assert_eq!((failed(), failed()), (TokenError::TooOften, TokenError::TooOften));
    let got = (0..1000).take_while(|_| ask(&issuer, None, &form("")).is_ok()).count();
    assert_eq!(got, 200);
    assert_eq!(ask(&issuer, None, &form("")).unwrap_err(), TokenError::TooOften);
    let viewer = basic(&format!("viewer:{OTHER_SECRET}"));
    assert!(ask(&issuer, Some(&viewer), "grant_type=client_credentials&username=a").is_ok(), "the other client");
    let later = now() + jiff::SignedDuration::from_secs(1);
    assert!(issuer.issue(None, form("").as_bytes(), topic_of, later).is_ok());
    assert_eq!(issuer.issue(None, wrong.as_bytes(), topic_of, later).unwrap_err(), TokenError::InvalidClient);
}

fn token(issuer: &TokenIssuer) -> String {
    ask(issuer, None, &form("")).unwrap().access_token
}

fn judged(issuer: &TokenIssuer, token: &str) -> Option<bool> {
    issuer.judge(token, now()).map(|judged| judged.is_ok())
}

/// The claims of `token` with `changes`, under its old seal.
fn altered(token: &str, changes: Value) -> String {
    let (head, seal) = token.split_once('.').unwrap();
    let payload = head.strip_prefix("fhircast_gateway_").unwrap();
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let claims = super::super::testing::with(claims, changes);
    format!("fhircast_gateway_{}.{seal}", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn cli_17_a_token_with_any_byte_changed_is_refused() {
    let issuer = issuer();
    let token = token(&issuer);
    assert_eq!(judged(&issuer, &token), Some(true));
    for index in 0..token.len() {
        for bit in [1, 2, 4, 32] {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(judged(&issuer, &changed), Some(true), "byte {index}, bit {bit}");
        }
        assert_ne!(judged(&issuer, &token[..index]), Some(true), "cut off at {index}");
    }
}

#[test]
fn cli_17_what_is_not_sealed_by_this_site_as_it_is_says_nothing() {
    let issuer = issuer();
    let token = token(&issuer);
    let (head, seal) = token.split_once('.').unwrap();
    let other_seal = self::token(&issuer).split_once('.').unwrap().1.to_owned();
    for bad in [
        altered(&token, json!({"topic": "topic-of-drxray"})),
        altered(&token, json!({"exp": NOW + 86_400})),
        altered(&token, json!({"scope": "fhircast/*.*"})),
        altered(&token, json!({"client_id": "viewer"})),
        altered(&token, json!({"sub": "drxray"})),
        altered(&token, json!({"jti": null})),
        format!("{head}.{other_seal}"),
        format!("{head}."),
        head.to_owned(),
        format!("{head}.{seal}="),
        format!("{head}.{seal}.{seal}"),
        format!("{head}..{seal}"),
        "fhircast_gateway_".to_owned(),
        "fhircast_gateway_.".to_owned(),
        format!("fhircast_gateway_.{seal}"),
        format!("fhircast_gateway_{}.{}", seal, seal),
    ] {
        assert_eq!(judged(&issuer, &bad), Some(false), "{bad}");
    }
    for foreign in ["", "abc", "e30.e30.e30", &token[1..], &token.to_uppercase(), seal] {
        assert_eq!(judged(&issuer, foreign), None, "{foreign}");
    }
    let stranger = SiteKey::from_bytes(&[8; 32]);
    let elsewhere = TokenIssuer::new(&settings(), &secrets(), &stranger).unwrap().unwrap();
    assert_eq!(judged(&elsewhere, &token), Some(false), "another site");
    assert_eq!(judged(&self::issuer(), &token), Some(true), "the same site after a restart");
}

/// Sealed by this site, and yet of no use: as of another version.
#[test]
fn cli_17_a_sealed_token_that_lacks_something_is_refused() {
    let good = json!({
        "client_id": "dictation", "sub": "drjones", "topic": "t", "scope": "fhircast/*.read", "exp": NOW + 1, "jti": "x",
    });
    let sealed = |claims: &Value| {
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let seal = URL_SAFE_NO_PAD.encode(site_key().derive(&["access token", &payload]));
        format!("fhircast_gateway_{payload}.{seal}")
    };
    assert_eq!(judged(&issuer(), &sealed(&good)), Some(true));
    for member in ["client_id", "sub", "topic", "scope", "exp", "jti"] {
        let lacking = super::super::testing::with(good.clone(), json!({(member): null}));
        assert_eq!(judged(&issuer(), &sealed(&lacking)), Some(false), "{member}");
        let strange = super::super::testing::with(good.clone(), json!({(member): {}}));
        assert_eq!(judged(&issuer(), &sealed(&strange)), Some(false), "{member}");
    }
    assert_eq!(judged(&issuer(), &sealed(&json!([]))), Some(false));
    let other_purpose = {
        let payload = URL_SAFE_NO_PAD.encode(good.to_string());
        format!(
            "fhircast_gateway_{payload}.{}",
            URL_SAFE_NO_PAD.encode(site_key().derive(&["topic", "user", &payload]))
        )
    };
    assert_eq!(judged(&issuer(), &other_purpose), Some(false), "a topic is no seal");
}

#[test]
fn cli_17_a_token_ends_and_loses_what_its_client_loses() {
    let token = token(&issuer());
    let at = |second: i64| issuer().judge(&token, Timestamp::from_second(NOW + second).unwrap()).unwrap();
    assert!(at(0).is_ok() && at(299).is_ok() && is_invalid(&at(300)) && is_invalid(&at(86_400)));
    let with = |change: fn(&mut AuthSettings)| {
        let mut settings = settings();
        change(&mut settings);
        let issuer = TokenIssuer::new(&settings, &secrets(), &site_key()).unwrap().unwrap();
        issuer.judge(&token, now()).unwrap()
    };
    assert!(is_invalid(&with(|settings| drop(settings.client.remove("dictation")))));
    let other_user =
        |settings: &mut AuthSettings| settings.client.get_mut("dictation").unwrap().user = Some("x".into());
    assert!(is_invalid(&with(other_user)));
    let fewer = |settings: &mut AuthSettings| {
        settings.client.get_mut("dictation").unwrap().scopes = "fhircast/Patient-open.*".into();
    };
    assert_eq!(with(fewer).unwrap().scopes, Scopes::parse("fhircast/Patient-open.*"));
    let more =
        |settings: &mut AuthSettings| settings.client.get_mut("dictation").unwrap().scopes = "fhircast/*.*".into();
    assert_eq!(with(more).unwrap().scopes, Scopes::parse("fhircast/*.read fhircast/Patient-open.write"));
}

#[test]
fn cli_17_two_tokens_of_one_client_and_user_are_one_principal_and_no_two_others_are() {
    let issuer = issuer();
    let viewer = basic(&format!("viewer:{OTHER_SECRET}"));
    let of = |header: Option<&str>, form: &str| {
        let token = ask(&issuer, header, form).unwrap().access_token;
        (issuer.judge(&token, now()).unwrap().unwrap().principal, token)
    };
    let ((one, first), (again, second)) = (of(None, &form("")), of(None, &form("")));
    let (other, _) = of(Some(&viewer), "grant_type=client_credentials&username=drjones");
    let (third, _) = of(Some(&viewer), "grant_type=client_credentials&username=drxray");
    assert!(one == again && one != other && other != third && first != second);
    assert_ne!(one, claims::principal_of("", "dictation", ""), "a fixed token of that name");
}

fn authenticator(clock: &Arc<Manual>) -> Authenticator {
    let provider = Provider::telling(&json!({}));
    Authenticator::new(&settings(), &secrets(), &site_key(), Arc::clone(clock) as _, provider).unwrap()
}

#[tokio::test]
async fn sma_01_the_hub_takes_the_gateways_own_tokens_until_they_end() {
    let clock = clock();
    let authenticator = authenticator(&clock);
    let issuer = authenticator.token_issuer().unwrap();
    let token = issuer.issue(None, form("").as_bytes(), topic_of, timestamp(&*clock)).unwrap().access_token;
    assert!(judge(&authenticator, &token).await.unwrap().permits_topic("topic-of-drjones"));
    assert!(is_invalid(&judge(&authenticator, &token.replace('.', "")).await));
    clock.advance(Duration::from_secs(300));
    assert!(is_invalid(&judge(&authenticator, &token).await));
    assert!(Authenticator::open().token_issuer().is_none());
}

#[test]
fn sec_04_secrets_that_can_be_guessed_or_are_anothers_are_refused_and_never_shown() {
    let made = |dictation: &[&str]| {
        let mut secrets = secrets();
        secrets.clients.insert("dictation".to_owned(), dictation.iter().map(|&text| Secret::new(text)).collect());
        TokenIssuer::new(&settings(), &secrets, &site_key()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(made(&[SECRET]), Ok(()));
    for (secrets, says) in [
        (&[][..], "no secret for `auth.client.dictation`"),
        (&["short"], "openssl rand -hex 32"),
        (&[&SECRET[1..]], "openssl rand -hex 32"),
        (&["this+one/is=spelt+differently/by=some"], "openssl rand -hex 32"),
        (&[SECRET, "short"], "openssl rand -hex 32"),
        (&[OTHER_SECRET], "a secret that is there already"),
    ] {
        let error = made(secrets).unwrap_err();
        assert!(error.contains(says), "{error}");
        assert!(secrets.iter().all(|secret| !error.contains(secret) || *secret == "short"), "{error}");
    }
    let issued = ask(&issuer(), None, &form("")).unwrap();
    let shown = format!("{issued:?} {:?}", issuer());
    assert!(!shown.contains(&issued.access_token) && !shown.contains("drjones") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn cli_17_a_token_is_short_enough_for_a_header_whatever_it_spells_out() {
    let longest = AccessToken {
        client: "c".repeat(64),
        user: "ü".repeat(128),
        topic: "\u{10ffff}".repeat(256),
        scopes: Scopes::parse(&(0..70).map(|n| format!("fhircast/org.example.event{n}.* ")).collect::<String>()),
        expires: now(),
        id: random_id().unwrap(),
    };
    let token = longest.sealed(&site_key());
    assert!(token.len() < 16 * 1024 && AccessToken::opened(&site_key(), &token).unwrap() == Ok(longest));
}
