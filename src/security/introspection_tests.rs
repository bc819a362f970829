//! Introspection: what is sent, what is believed, and for how long (T16).

use std::time::Duration;

use serde_json::{Value, json};

use crate::fhircast::Scopes;
use crate::security::testing::*;
use crate::security::{AuthMode, AuthSettings, AuthenticationError, FetchError, IntrospectionSettings};

fn settings() -> AuthSettings {
    let introspection = IntrospectionSettings {
        endpoint: format!("{ISSUER}/introspect"),
        client_id: "hub:1".to_owned(),
        client_secret_file: "/unused".into(),
        ..IntrospectionSettings::default()
    };
    AuthSettings { mode: AuthMode::Bearer, introspection: Some(introspection), ..AuthSettings::default() }
}

fn active() -> Value {
    json!({"active": true, "scope": "fhircast/*.read", "sub": "drjones", "client_id": "viewer", "exp": NOW + 300})
}

#[tokio::test]
async fn t16_the_endpoint_is_asked_with_the_clients_credentials_and_its_answer_is_granted() {
    let provider = Provider::telling(&active());
    let grant = judge(&authenticator(&settings(), &clock(), &provider), "a+b/c==").await.unwrap();
    assert_eq!(&*grant.principal, r#"["https://login.example/introspect","drjones","viewer"]"#);
    assert_eq!(grant.scopes, Scopes::parse("fhircast/*.read"));
    let question = provider.last_question();
    assert_eq!(question.form.as_deref(), Some("token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token"));
    // hub%3A1:s%3Acret
    assert_eq!(question.authorization.as_deref(), Some("Basic aHViJTNBMTpzJTNBY3JldA=="));
    assert_eq!(question.url.as_str(), "https://login.example/introspect");
}

#[tokio::test]
async fn t16_a_good_answer_holds_for_a_minute_and_a_revoked_token_no_longer() {
    let (clock, provider) = (clock(), Provider::telling(&active()));
    let authenticator = authenticator(&settings(), &clock, &provider);
    assert!(judge(&authenticator, "token").await.is_ok());
    provider.tell(answer(200, &json!({"active": false})));
    clock.advance(Duration::from_secs(59));
    assert!(judge(&authenticator, "token").await.is_ok());
    assert_eq!(provider.asked(), 1);
    clock.advance(Duration::from_secs(1));
    assert!(is_invalid(&judge(&authenticator, "token").await));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn t16_a_good_answer_never_outlives_the_token() {
    let (clock, provider) = (clock(), Provider::telling(&with(active(), json!({"exp": NOW + 5}))));
    let authenticator = authenticator(&settings(), &clock, &provider);
    assert!(judge(&authenticator, "token").await.is_ok());
    clock.advance(Duration::from_secs(5));
    assert!(is_invalid(&judge(&authenticator, "token").await));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn t16_a_bad_answer_holds_for_ten_seconds_and_for_its_token_only() {
    let (clock, provider) = (clock(), Provider::telling(&json!({"active": false})));
    let authenticator = authenticator(&settings(), &clock, &provider);
    assert!(is_invalid(&judge(&authenticator, "token").await));
    provider.tell(answer(200, &active()));
    clock.advance(Duration::from_secs(9));
    assert!(is_invalid(&judge(&authenticator, "token").await));
    assert!(judge(&authenticator, "another").await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert!(judge(&authenticator, "token").await.is_ok());
}

#[tokio::test]
async fn t16_an_endpoint_that_fails_lets_nobody_in_and_is_asked_again() {
    let provider = Provider::telling(&active());
    let authenticator = authenticator(&settings(), &clock(), &provider);
    for failure in [
        Err(FetchError::Unreachable),
        Err(FetchError::TooLarge),
        answer(500, &active()),
        answer(302, &active()),
        answer(401, &json!({"error": "invalid_client"})),
        answer(200, &json!([])),
        answer(200, &json!({})),
        answer(200, &with(active(), json!({"active": "true"}))),
        answer(200, &with(active(), json!({"active": 1}))),
    ] {
        let told = format!("{failure:?}");
        provider.tell(failure);
        assert_eq!(judge(&authenticator, "token").await, Err(AuthenticationError::Unavailable), "{told}");
    }
    assert_eq!(AuthenticationError::Unavailable.www_authenticate(), None);
    provider.tell(answer(200, &active()));
    assert!(judge(&authenticator, "token").await.is_ok());
    assert_eq!(provider.asked(), 10);
}

#[tokio::test]
async fn t16_what_the_answer_says_is_held_against_the_token() {
    for changes in [
        json!({"exp": NOW}),
        json!({"exp": "soon"}),
        json!({"nbf": NOW + 1}),
        json!({"nbf": "0"}),
        json!({"sub": null, "client_id": null}),
        json!({"aud": "another"}),
        json!({"aud": null}),
    ] {
        let mut settings = settings();
        settings.introspection.as_mut().unwrap().audiences = vec![AUDIENCE.to_owned()];
        let told = with(with(active(), json!({"aud": [AUDIENCE]})), changes.clone());
        let judged = judge(&authenticator(&settings, &clock(), &Provider::telling(&told)), "token").await;
        assert!(is_invalid(&judged), "{changes} {judged:?}");
    }
}

#[tokio::test]
async fn t16_the_tokens_of_a_configured_issuer_are_never_asked_about() {
    let provider = Provider::telling(&active());
    let settings = AuthSettings { issuer: bearer(issuer_settings()).issuer, ..settings() };
    let authenticator = authenticator(&settings, &clock(), &provider);
    provider.tell(answer(200, &jwks()));
    assert!(judge(&authenticator, &rs256(&claims())).await.is_ok());
    provider.tell(answer(200, &active()));
    let forged = signed(&json!({"alg": "RS256", "kid": "rsa"}), &claims(), "ES256");
    assert!(is_invalid(&judge(&authenticator, &forged).await));
    assert!(judge(&authenticator, "opaque").await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn sec_03_introspected_tokens_are_bound_to_topics_too() {
    let mut settings = settings();
    settings.introspection.as_mut().unwrap().topic_claim = Some("topic".to_owned());
    let told = with(active(), json!({"topic": ["a"]}));
    let grant = judge(&authenticator(&settings, &clock(), &Provider::telling(&told)), "token").await.unwrap();
    assert!(grant.permits_topic("a") && !grant.permits_topic("b"));
    let grant = judge(&authenticator(&settings, &clock(), &Provider::telling(&active())), "token").await.unwrap();
    assert!(!grant.permits_topic("a"));
}
