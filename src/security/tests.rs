//! Key rotation and outage (T15), fixed tokens, and what an authenticator refuses to be made of.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::testing::*;
use super::*;
use crate::clock::{Manual, System};
use crate::store::Secret;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Good for a week, so that only keys can be what is wrong.
fn long_lived() -> String {
    rs256(&with(claims(), json!({"exp": NOW + 7 * 86400})))
}

fn with_key(id: &str) -> String {
    signed(&json!({"alg": "RS256", "kid": id}), &with(claims(), json!({"exp": NOW + 7 * 86400})), "RS256")
}

fn hospital() -> (Authenticator, Arc<Manual>, Arc<Provider>) {
    let (clock, provider) = (clock(), Provider::telling(&jwks()));
    (authenticator(&bearer(issuer_settings()), &clock, &provider), clock, provider)
}

#[tokio::test]
async fn t15_keys_are_fetched_once_and_again_when_they_are_no_longer_fresh() {
    let (authenticator, clock, provider) = hospital();
    for _ in 0..3 {
        assert!(judge(&authenticator, &long_lived()).await.is_ok());
    }
    clock.advance(14 * MINUTE);
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    assert_eq!(provider.asked(), 1);
    clock.advance(MINUTE);
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn t15_a_new_key_is_fetched_at_once_and_a_withdrawn_one_refused() {
    let (authenticator, clock, provider) = hospital();
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    clock.advance(MINUTE);
    provider.tell(answer(200, &json!({"keys": [rsa_jwk(&KEYS.rsa, "rotated")]})));
    assert!(judge(&authenticator, &with_key("rotated")).await.is_ok());
    assert!(is_invalid(&judge(&authenticator, &long_lived()).await));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn t15_a_spray_of_unknown_keys_asks_the_provider_once_a_minute() {
    let (authenticator, clock, provider) = hospital();
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    for minute in 1..=3 {
        clock.advance(MINUTE);
        for number in 0..20 {
            assert!(is_invalid(&judge(&authenticator, &with_key(&format!("made-up-{number}"))).await));
        }
        assert_eq!(provider.asked(), 1 + minute);
    }
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
}

#[tokio::test]
async fn t15_many_at_once_ask_the_provider_once() {
    let (authenticator, _, provider) = hospital();
    provider.answers.forget_permits(usize::MAX >> 4);
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let authenticator = authenticator.clone();
            tokio::spawn(async move { judge(&authenticator, &long_lived()).await })
        })
        .collect();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.asked(), 1);
    provider.answers.add_permits(1);
    for request in requests {
        assert!(request.await.unwrap().is_ok());
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn t15_a_client_that_gives_up_does_not_take_the_answer_along() {
    let (authenticator, _, provider) = hospital();
    provider.answers.forget_permits(usize::MAX >> 4);
    let first = tokio::spawn({
        let authenticator = authenticator.clone();
        async move { judge(&authenticator, &long_lived()).await }
    });
    while provider.asked() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    provider.answers.add_permits(1);
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn t15_known_keys_outlive_an_outage_and_unknown_ones_are_no_fault_of_the_hub() {
    let (authenticator, clock, provider) = hospital();
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
    for failure in [
        Err(FetchError::Unreachable),
        Err(FetchError::TooLarge),
        answer(500, &json!({})),
        answer(301, &jwks()),
        answer(200, &json!({"keys": []})),
        answer(200, &json!("<html>")),
    ] {
        provider.tell(failure);
        clock.advance(HOUR);
        assert!(judge(&authenticator, &long_lived()).await.is_ok());
        assert!(is_invalid(&judge(&authenticator, &with_key("unknown")).await));
    }
    assert_eq!(provider.asked(), 7);
    clock.advance(24 * HOUR);
    assert_eq!(judge(&authenticator, &long_lived()).await, Err(AuthenticationError::Unavailable));
    provider.tell(answer(200, &jwks()));
    clock.advance(MINUTE);
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
}

#[tokio::test]
async fn t15_a_provider_that_never_answered_leaves_its_tokens_undecided() {
    let (authenticator, clock, provider) = hospital();
    provider.tell(Err(FetchError::Unreachable));
    for _ in 0..5 {
        assert_eq!(judge(&authenticator, &long_lived()).await, Err(AuthenticationError::Unavailable));
    }
    assert_eq!(provider.asked(), 1);
    provider.tell(answer(200, &jwks()));
    clock.advance(MINUTE);
    assert!(judge(&authenticator, &long_lived()).await.is_ok());
}

fn fixed(name: &str, scopes: &str) -> (String, StaticTokenSettings) {
    let settings = StaticTokenSettings { file: "/unused".into(), scopes: scopes.to_owned(), ..Default::default() };
    (name.to_owned(), settings)
}

fn secrets(tokens: &[(&str, &str)]) -> Secrets {
    let tokens = tokens.iter().map(|(name, token)| ((*name).to_owned(), Secret::new(*token))).collect();
    Secrets { tokens, ..Secrets::default() }
}

const ONE: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

#[tokio::test]
async fn sub_14_fixed_tokens_grant_what_their_table_says_until_they_end() {
    let (clock, provider) = (clock(), Provider::telling(&json!({})));
    let mut settings = AuthSettings {
        mode: AuthMode::Bearer,
        token: [fixed("one", "fhircast/*.read"), fixed("other", "fhircast/*.*")].into(),
        ..AuthSettings::default()
    };
    let one = settings.token.get_mut("one").unwrap();
    one.topics = Some(vec!["drjones".to_owned()]);
    one.expires = Some(jiff::Timestamp::from_second(NOW + 60).unwrap());
    let secrets = secrets(&[("one", ONE), ("other", OTHER)]);
    let authenticator =
        Authenticator::new(&settings, &secrets, &site_key(), Arc::clone(&clock) as _, Arc::clone(&provider) as _)
            .unwrap();
    let grant = judge(&authenticator, ONE).await.unwrap();
    assert!(grant.permits_topic("drjones") && !grant.permits_topic("drxray"));
    assert!(!grant.scopes.can_write(&crate::fhircast::EventName::parse("Patient-open").unwrap()));
    assert_ne!(grant.principal, judge(&authenticator, OTHER).await.unwrap().principal);
    for wrong in [&ONE[1..], "0", &ONE.to_uppercase(), &format!("{ONE}0")] {
        assert!(is_invalid(&judge(&authenticator, wrong).await), "{wrong}");
    }
    clock.advance(MINUTE);
    assert!(is_invalid(&judge(&authenticator, ONE).await));
    assert!(judge(&authenticator, OTHER).await.is_ok());
    assert_eq!(provider.asked(), 0);
}

#[test]
fn sec_04_an_authenticator_is_made_of_sound_settings_only() {
    let settings = AuthSettings {
        mode: AuthMode::Bearer,
        token: [fixed("one", "fhircast/*.*"), fixed("other", "fhircast/*.*")].into(),
        ..AuthSettings::default()
    };
    let made = |settings: &AuthSettings, secrets: &Secrets| {
        let made = Authenticator::new(settings, secrets, &site_key(), Arc::new(System), Provider::telling(&json!({})));
        made.map_err(|error| error.to_string())
    };
    assert!(!made(&settings, &secrets(&[("one", ONE), ("other", OTHER)])).unwrap().is_open());
    for (tokens, says) in [
        (vec![("one", ONE)], "no secret for `auth.token.other`"),
        (vec![("one", ONE), ("other", ONE)], "has the token of another table"),
        (vec![("one", ONE), ("other", "short")], "openssl rand -hex 32"),
        (vec![("one", ONE), ("other", "spaces are in this one, and a comma")], "openssl rand -hex 32"),
    ] {
        let error = made(&settings, &secrets(&tokens)).unwrap_err();
        assert!(error.contains(says) && !error.contains(ONE), "{error}");
    }
    let holes = AuthSettings { mode: AuthMode::Bearer, ..AuthSettings::default() };
    assert!(made(&holes, &Secrets::default()).unwrap_err().contains("nothing says which tokens are good"));
    assert!(made(&AuthSettings::default(), &Secrets::default()).unwrap().is_open());
    let open = Authenticator::from_settings(&AuthSettings::default(), &site_key(), Arc::new(System)).unwrap();
    assert!(open.is_open());
}

#[test]
fn sec_04_files_with_secrets_are_read_and_their_absence_is_reported() {
    let mut settings = AuthSettings {
        mode: AuthMode::Bearer,
        token: [fixed("one", "fhircast/*.*")].into(),
        ..AuthSettings::default()
    };
    settings.token.get_mut("one").unwrap().file = "/proc/no-such/token".into();
    let error = Authenticator::from_settings(&settings, &site_key(), Arc::new(System)).unwrap_err().to_string();
    assert!(error.contains("/proc/no-such/token"), "{error}");
}

#[test]
fn sub_14_challenges_are_those_of_rfc_6750() {
    let missing = AuthenticationError::Missing.www_authenticate().unwrap();
    let invalid = AuthenticationError::invalid("it has expired").www_authenticate().unwrap();
    assert_eq!(missing, "Bearer");
    assert_eq!(invalid, r#"Bearer error="invalid_token", error_description="it has expired""#);
}
