//! Mappings are loaded again while the gateway runs: all of them, or none.

use std::time::Duration;

use fhircast_gateway::loading::MappingsStatus;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

use crate::command_line::{Running, run};
use crate::fixture::Gateway;
use crate::mapping_tools::{DESK, Site};

/// Longer than anything here takes; a test that waits for this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const WRONG: &str = "extends = \"hl7v2/radiologi\"\nabuot = \"\"\n";

fn settings(site: &Site) -> String {
    format!("mappings.directory={}", site.directory().display())
}

/// How it stands after the next attempt.
async fn next(attempts: &mut Receiver<MappingsStatus>) -> MappingsStatus {
    timeout(PATIENCE, attempts.changed()).await.expect("no reload").unwrap();
    attempts.borrow_and_update().clone()
}

#[tokio::test]
async fn a_changed_file_is_taken_up_by_itself_and_a_wrong_one_changes_nothing() {
    let site = Site::new(&[]);
    let gateway = Gateway::with(&[&settings(&site), "mappings.watch=true"]).await;
    let mut attempts = gateway.node.mapping_reloads();
    let before = gateway.node.mappings();
    site.write("vendors/desk.toml", DESK);
    assert!(next(&mut attempts).await.mappings.contains(&"vendors/desk".to_owned()));
    assert!(gateway.node.mappings().mapping("vendors/desk").is_some());
    assert!(before.mapping("vendors/desk").is_none(), "who has taken a set keeps it");
    site.write("vendors/desk.toml", WRONG);
    let failed = next(&mut attempts).await.failed.unwrap();
    assert_eq!(failed.mistakes, 2);
    assert!(
        site.anonymous(&failed.first).starts_with("SITE/vendors/desk.toml:1:11: there is no mapping"),
        "{failed:?}"
    );
    assert!(gateway.node.mappings().mapping("vendors/desk").is_some());
    site.write("vendors/desk.toml", &DESK.replace("The desk", "The other desk"));
    assert_eq!(next(&mut attempts).await.failed, None);
    let about = gateway.node.mappings().mapping("vendors/desk").and_then(|it| it.about().map(str::to_owned));
    assert_eq!(about.as_deref(), Some("The other desk"));
}

#[tokio::test]
async fn a_directory_that_comes_later_is_taken_up_too() {
    let site = Site::new(&[]);
    let setting = format!("mappings.directory={}/later", site.directory().display());
    let gateway = Gateway::with(&[&setting, "mappings.watch=true"]).await;
    let mut attempts = gateway.node.mapping_reloads();
    site.write("later/desk.toml", DESK);
    assert!(next(&mut attempts).await.mappings.contains(&"desk".to_owned()));
}

#[tokio::test]
async fn where_the_system_does_not_tell_the_files_are_looked_at() {
    let site = Site::new(&[]);
    let gateway = Gateway::with(&[&settings(&site), "mappings.watch=true", "mappings.poll_every=1s"]).await;
    let mut attempts = gateway.node.mapping_reloads();
    site.write("desk.toml", DESK);
    assert!(next(&mut attempts).await.mappings.contains(&"desk".to_owned()));
}

#[tokio::test]
async fn what_editors_put_aside_is_no_mapping() {
    let site =
        Site::new(&[(".desk.toml", WRONG), (".git/desk.toml", WRONG), ("desk.toml~", WRONG), ("desk.toml", DESK)]);
    let gateway = Gateway::with(&[&settings(&site)]).await;
    assert!(gateway.node.mappings().mapping("desk").is_some());
}

#[test]
fn reload_tells_what_it_did_or_all_that_is_wrong() {
    let site = Site::new(&[]);
    let mut gateway = Running::with(&[&settings(&site)]);
    let reload = |arguments: &[&str]| {
        let (code, said, errors) = gateway.run(&[&["reload"], arguments].concat());
        (code, site.anonymous(&said), site.anonymous(&errors))
    };
    let (code, before, _) = reload(&["--status"]);
    assert_eq!(code, 0);
    assert!(before.contains("hl7v2/radiology") && !before.contains(" desk,"), "{before}");
    site.write("desk.toml", DESK);
    let (code, said, errors) = reload(&[]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with("Reloaded: "), "{said}");
    site.write("desk.toml", &format!("{DESK}\n[table.wards]\nA = \"1\"\n"));
    let (code, said, errors) = reload(&[]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("\nwarning: SITE/desk.toml:14:8: "), "{said}");
    site.write("desk.toml", WRONG);
    site.write("other.toml", "extends = \"hl7v2/radiology\"\nabuot = \"\"\n");
    let (code, said, errors) = reload(&[]);
    assert_eq!((code, said.as_str()), (1, ""));
    for words in ["SITE/desk.toml:1:11", "SITE/other.toml:2:1", "did you mean `about`?", "Nothing was reloaded"] {
        assert!(errors.contains(words), "no {words} in {errors}");
    }
    let (_, status, _) = reload(&["--status"]);
    assert!(status.contains(" desk,") && status.contains("failed") && status.contains("3 mistakes"), "{status}");
    let (code, json, _) = reload(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["problems"][0]["file"]), (1, &"SITE/desk.toml".into()));
    let logged = site.anonymous(&gateway.expect_logged("most likely not meant so"));
    assert!(logged.contains("warnings=1") && logged.contains("SITE/desk.toml:14:8"), "{logged}");
    let logged = site.anonymous(&gateway.expect_logged("Mappings not reloaded"));
    assert!(logged.contains("mistakes=3") && logged.contains("SITE/desk.toml:1:11"), "{logged}");
}

#[test]
fn warnings_are_logged_at_the_start() {
    let site = Site::new(&[("desk.toml", &format!("{DESK}\n[table.wards]\nA = \"1\"\n"))]);
    let mut gateway = Running::with(&[&settings(&site)]);
    let logged = site.anonymous(&gateway.expect_logged("most likely not meant so"));
    assert!(logged.contains("warnings=1") && logged.contains("SITE/desk.toml:14:8"), "{logged}");
}

#[test]
fn a_listeners_mapping_that_vanishes_is_a_mistake() {
    let site = Site::new(&[("desk.toml", DESK)]);
    let gateway = Running::with(&[&settings(&site), "adapter.ris.mapping=desk"]);
    std::fs::remove_file(site.path("desk.toml")).unwrap();
    let (code, _, errors) = gateway.run(&["reload"]);
    assert_eq!(code, 1);
    assert!(errors.contains("the mapping of adapter `ris` is gone: `desk`"), "{errors}");
}

#[test]
fn a_hang_up_signal_reloads() {
    let site = Site::new(&[]);
    let mut gateway = Running::with(&[&settings(&site)]);
    site.write("desk.toml", DESK);
    gateway.signal("-HUP");
    gateway.expect_logged("Mappings reloaded.");
    let (_, status, _) = gateway.run(&["reload", "--status"]);
    assert!(status.contains(" desk,"), "{status}");
}

#[tokio::test]
async fn no_web_page_can_make_it_reload() {
    let gateway = Gateway::start().await;
    let url = format!("{}/mappings/reload", gateway.node.admin_url);
    let request = reqwest::Client::new().post(&url).header("Origin", "http://evil.example");
    assert_eq!(request.send().await.unwrap().status(), 403);
    assert_eq!(
        reqwest::Client::new()
            .post(&url)
            .bearer_auth(gateway.node.operator_token().reveal())
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[test]
fn reload_without_a_gateway_says_what_to_do() {
    let (code, _, errors) = run(&["--set", "admin.listen=127.0.0.1:1", "reload"]);
    assert_eq!(code, 1);
    assert!(errors.contains("fhircast-gateway run"), "{errors}");
}
