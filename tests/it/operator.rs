//! Who may operate the running gateway: whoever can read its token, and no other user of its machine.

use fhircast_gateway::store::OperatorToken;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::command_line::{Running, run, temporary};
use crate::fixture::Gateway;

#[tokio::test]
async fn what_changes_the_gateway_or_tells_a_topic_needs_the_operators_token() {
    let gateway = Gateway::start().await;
    let (own, token) = (&gateway.node.admin_url, gateway.node.operator_token());
    for (method, path) in [
        (Method::POST, "/messages/1/reprocess"),
        (Method::POST, "/messages/1/handled"),
        (Method::POST, "/mappings/reload"),
        (Method::GET, "/sessions"),
        (Method::GET, "/topic?user=drjones"),
    ] {
        let request =
            || Client::new().request(method.clone(), format!("{own}{path}")).json(&json!({"operator": "anna"}));
        let wrong = "0".repeat(token.reveal().len());
        for refused in [request(), request().bearer_auth(wrong), request().basic_auth("operator", Some(token.reveal()))]
        {
            let answer = refused.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        }
        let status = request().bearer_auth(token.reveal()).send().await.unwrap().status();
        assert_ne!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/metrics", "/healthz", "/readyz", "/mappings", "/subscribers"] {
        assert!(reqwest::get(format!("{own}{path}")).await.unwrap().status().is_success(), "{path} tells no secret");
    }
}

#[test]
fn a_command_that_cannot_read_the_token_says_where_it_is() {
    let gateway = Running::with(&[]);
    assert_eq!(gateway.run(&["reload"]).0, 0);
    let elsewhere = temporary("elsewhere");
    let store = format!("store.directory={}", elsewhere.display());
    let (code, _, errors) = run(&["--set", &gateway.admin(), "--set", &store, "reload"]);
    assert_eq!(code, 1);
    let file = OperatorToken::file(&elsewhere).display().to_string();
    assert!(errors.contains(&file) && errors.contains("as the user that the gateway runs as"), "{errors}");
    std::fs::remove_dir_all(elsewhere).unwrap();
}
