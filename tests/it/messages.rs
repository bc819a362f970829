//! What became of a message, as an operator finds it out at a terminal, and what they do about it.

use std::path::{Path, PathBuf};

use reqwest::header;
use serde_json::{Value, json};

use crate::command_line::{run, temporary};
use crate::fixture::{Acknowledgement, Gateway};
use crate::main_job::{
    APPOINTMENT, PATIENT_AT_THE_DESK, READING_BEGINS, READING_ENDS, REPORT_DICTATED, REPORT_SIGNED, STUDY_NOT_NAMED,
};

/// A site whose gateways come and go.
struct Site {
    directory: PathBuf,
}

/// A mapping that finds no user where this RIS tells it.
const WRONG: &str = "extends = 'vendors/acme-ris'\n[accept]\nwhen = 'MSH-3.1 == \"OTHER\"'\n[session]\nuser = '${ZZZ-1}'\nworkstation = '${ZZZ-2}'\n";

/// The same, mended.
const RIGHT: &str = "extends = 'vendors/acme-ris'\n[accept]\nwhen = 'MSH-3.1 == \"OTHER\"'\n";

impl Site {
    fn new(mapping: &str) -> Self {
        let site = Self { directory: temporary("messages") };
        std::fs::create_dir_all(site.directory.join("mappings")).unwrap();
        site.map(mapping);
        site
    }

    fn map(&self, mapping: &str) {
        std::fs::write(self.directory.join("mappings/other.toml"), mapping).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn settings(&self) -> [String; 2] {
        let setting = |key, path: &Path| format!("{key}={}", path.display());
        [setting("store.directory", &self.data()), setting("mappings.directory", &self.directory.join("mappings"))]
    }

    /// A gateway of this site, so many seconds after the messages were sent.
    async fn gateway(&self, seconds: u64) -> Gateway {
        self.gateway_with(&[], seconds).await
    }

    async fn gateway_with(&self, settings: &[&str], seconds: u64) -> Gateway {
        let own = self.settings();
        let settings: Vec<&str> = own.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        Gateway::kept(&settings, seconds).await
    }

    /// The program at a terminal: its exit code, and what it says.
    async fn command(&self, gateway: Option<&Gateway>, arguments: &[&str]) -> (i32, String, String) {
        let admin = gateway.map_or("http://127.0.0.1:1", |gateway| &gateway.node.admin_url);
        let admin = format!("admin.listen={}", admin.trim_start_matches("http://"));
        let mut words: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        words.extend(self.settings().into_iter().chain([admin]).flat_map(|setting| ["--set".to_owned(), setting]));
        let ran = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run(&words)
        });
        ran.await.unwrap()
    }

    /// What the program says of `messages …`, which must go well.
    async fn messages(&self, gateway: Option<&Gateway>, arguments: &[&str]) -> String {
        let (code, said, errors) = self.command(gateway, &[&["messages"], arguments].concat()).await;
        assert_eq!(code, 0, "{arguments:?}: {said}{errors}");
        said
    }

    /// What it says where it does not go well.
    async fn refused(&self, gateway: Option<&Gateway>, arguments: &[&str]) -> String {
        let (code, said, errors) = self.command(gateway, &[&["messages"], arguments].concat()).await;
        assert_eq!(code, 1, "{arguments:?}: {said}{errors}");
        errors
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// An order of the other RIS.
fn order(control_id: &str) -> String {
    READING_BEGINS.replace("|ACME_RIS|", "|OTHER|").replace("ACME0002", control_id)
}

async fn send(gateway: &Gateway, message: &str) -> Acknowledgement {
    gateway.ris().await.send(message).await
}

#[track_caller]
fn expect(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

#[tokio::test]
async fn a_dead_letter_is_found_explained_mended_and_published_once() {
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    send(&gateway, &order("OTHER1")).await.expect_code("AE");
    send(&gateway, READING_ENDS).await.expect_code("AA");
    assert!(gateway.node.drain().await);

    let listed = site.messages(None, &[]).await;
    expect(&listed, &["rejected !", "OTHER1", "2 messages: ", "1 dead letter (!) waits", "messages show 1`"]);
    let shown = site.messages(None, &["OTHER1"]).await;
    expect(&shown, &["message      1", "no user and no workstation", "a dead letter that nobody has seen to yet"]);
    assert!(!shown.contains("Berger"), "{shown}");
    let raw = site.messages(None, &["show", "1", "--raw"]).await;
    expect(&raw, &["\nPID|1||4711001", "Berger"]);
    expect(
        &site.messages(None, &["explain", "1"]).await,
        &["mapping other", "`ZZZ-1` is empty", "is emitted", "In short: it names no user"],
    );
    let down = site.refused(None, &["reprocess", "1", "2", "--operator", "anna"]).await;
    expect(&down, &["no gateway answers", "Stopped at message 1, after 0 of 2"]);

    site.map(RIGHT);
    let gateway = site.gateway(30).await;
    let mut viewer = gateway.subscriber("drjones").await;
    let heard_of = gateway.node.sessions.sessions().len();
    let dry = site.messages(Some(&gateway), &["reprocess", "--dead-letters", "--dry-run", "--operator", "anna"]).await;
    expect(&dry, &["1  would be accepted: ImagingStudy-open to session", "Nothing was changed"]);
    assert_eq!(gateway.node.sessions.sessions().len(), heard_of, "a dry run was heard of");
    expect(&site.messages(None, &["--dead-letters"]).await, &["rejected !"]);

    let done = site.messages(Some(&gateway), &["reprocess", "--dead-letters", "--operator", "anna"]).await;
    expect(&done, &["1  accepted: ImagingStudy-open", "Reprocessed: 1 accepted."]);
    viewer.expect_event("ImagingStudy-open").await;
    send(&gateway, &READING_ENDS.replace("ACME0005", "ACME0105")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-close").await;

    let shown = site.messages(Some(&gateway), &["OTHER1"]).await;
    expect(
        &shown,
        &["by anna: accepted, by other", "handled      2026-11-22", "by anna: reprocessed", "dead letter, handled"],
    );
    expect(&site.messages(None, &[]).await, &["rejected > accepted"]);
    expect(&site.messages(None, &["explain", "1"]).await, &["In short: ImagingStudy-open for user drjones"]);
    let none = site.messages(Some(&gateway), &["reprocess", "--dead-letters"]).await;
    assert_eq!(none, "No dead letter matches.\n");
    assert!(gateway.node.drain().await);
    let audited = std::fs::read_dir(site.data().join("audit")).unwrap().map(|file| file.unwrap().path());
    let audited: String = audited.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let reprocessed: Vec<Value> = audited.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reprocessed: Vec<_> = reprocessed.iter().filter(|it| it["subtype"][0]["display"] == "Reprocess").collect();
    assert_eq!(reprocessed.len(), 1, "a dry run was audited, or nothing");
    assert_eq!(reprocessed[0]["agent"][0]["who"]["identifier"]["value"], "anna");
}

#[tokio::test]
async fn what_is_too_old_is_not_shown_unless_it_is_asked_for() {
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    send(&gateway, &order("OTHER1")).await.expect_code("AE");
    assert!(gateway.node.drain().await);
    site.map(RIGHT);
    let gateway = site.gateway(600).await;
    let mut viewer = gateway.subscriber("drjones").await;
    let again = ["reprocess", "1", "--operator", "anna"];
    expect(
        &site.messages(Some(&gateway), &again).await,
        &["too old: by other; too old: ImagingStudy-open is 601 s old", "--even-if-old"],
    );
    send(&gateway, &READING_ENDS.replace("20261122081530", "20261122082530")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-close").await;
    let shown = site.messages(Some(&gateway), &[&again[..], &["--even-if-old"]].concat()).await;
    expect(&shown, &["1  accepted: ImagingStudy-open"]);
    viewer.expect_event("ImagingStudy-open").await;
}

#[tokio::test]
async fn what_is_refused_again_stays_a_dead_letter() {
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    send(&gateway, &order("OTHER1")).await.expect_code("AE");
    let again = site.messages(Some(&gateway), &["reprocess", "1", "--operator", "anna"]).await;
    expect(&again, &["1  rejected: by other; no user and no workstation", "Still dead letters: 1."]);
    expect(&site.messages(None, &["--dead-letters"]).await, &["rejected again !"]);
}

#[tokio::test]
async fn many_are_reprocessed_until_the_gateway_cannot_and_the_rest_is_as_it_was() {
    const LETTERS: usize = 60;
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    for number in 0..LETTERS {
        let letter = order(&format!("OTHER{number}")).replace("drjones", &format!("reader{number}"));
        send(&gateway, &letter).await.expect_code("AE");
    }
    assert!(gateway.node.drain().await);
    site.map(RIGHT);
    let full = site.gateway_with(&["hub.max_topics=1"], 30).await;
    let all = ["messages", "reprocess", "--dead-letters", "--operator", "anna"];
    let (code, said, errors) = site.command(Some(&full), &all).await;
    assert_eq!(code, 1, "{said}");
    let published = said.lines().filter(|line| line.contains("  accepted: ImagingStudy-open")).count();
    assert!(0 < published && published < LETTERS, "{said}");
    let stopped =
        format!("Stopped at message {}, after {published} of {LETTERS}; the rest is as it was.", published + 1);
    expect(&errors, &["as many topics as it may have", &stopped]);
    expect(&said, &[&format!("Reprocessed: {published} accepted.")]);
    assert!(full.node.drain().await);
    let gateway = site.gateway(30).await;
    let (code, said, errors) = site.command(Some(&gateway), &all).await;
    assert_eq!(code, 0, "{errors}");
    expect(&said, &[&format!("Reprocessed: {} accepted.", LETTERS - published)]);
}

#[tokio::test]
async fn somebody_sees_to_a_dead_letter_and_takes_it_back() {
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    send(&gateway, &order("OTHER1")).await.expect_code("AE");
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    let by = ["--operator", "anna"];
    let handled =
        |rest: &[&str]| [&["handled"], rest, &by].concat().iter().map(|it| it.to_string()).collect::<Vec<_>>();
    for (arguments, code, words) in [
        (handled(&["1", "--note", "asked the RIS"]), 0, "marked as handled: 1"),
        (handled(&["1"]), 1, "message 1 was handled by anna at 2026-11-22"),
        (handled(&["1", "--undo"]), 0, "again dead letters: 1"),
        (handled(&["1", "--undo"]), 1, "message 1 is not marked as handled"),
        (handled(&["2"]), 1, "message 2 is no dead letter"),
        (handled(&["77", "1"]), 1, "there is no message 77"),
        (handled(&["1", "--undo", "--note", "x"]), 2, "cannot be used with"),
        (handled(&["OTHER1"]), 2, "for a control id"),
    ] {
        let words_given: Vec<&str> = std::iter::once("messages").chain(arguments.iter().map(String::as_str)).collect();
        let (found, said, errors) = site.command(Some(&gateway), &words_given).await;
        assert_eq!(found, code, "{arguments:?}: {said}{errors}");
        expect(&(said + &errors), &[words]);
    }
    let shown: Value = serde_json::from_str(&site.messages(None, &["show", "1", "--format", "json"]).await).unwrap();
    assert_eq!((&shown["is_dead_letter"], &shown["handled"]["by"]), (&json!(false), &json!("anna")));
}

#[tokio::test]
async fn messages_are_found_by_patient_control_id_time_source_and_outcome() {
    let site = Site::new(WRONG);
    let gateway = site.gateway(0).await;
    send(&gateway, &order("OTHER1")).await.expect_code("AE");
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    send(&gateway, &READING_BEGINS.replace("4711001", "4711999").replace("ACME0002", "ACME0102"))
        .await
        .expect_code("AA");
    for (arguments, expected) in [
        (&["--patient", "4711001"][..], &[2, 1][..]),
        (&["--patient", "4711999"], &[4]),
        (&["--patient", "4711"], &[1]),
        (&["--control-id", "ACME0002"], &[3, 2]),
        (&["--outcome", "duplicate"], &[3]),
        (&["--outcome", "accepted", "--source", "ris"], &[4, 2]),
        (&["--source", "elsewhere"], &[]),
        (&["--since", "2026-11-22T08:15:30+01:00", "--limit", "1"], &[4]),
        (&["--until", "2026-11-22T08:15:30+01:00"], &[]),
        (&["list", "--dead-letters"], &[1]),
    ] {
        let listed = site.messages(None, &[arguments, &["--format", "json"]].concat()).await;
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let ids: Vec<i64> = listed.iter().map(|message| message["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{arguments:?}");
    }
    let shown = site.messages(None, &["ACME0002"]).await;
    expect(&shown, &["message      2", "resent       1 times, last", "(messages 3)", "event        ImagingStudy-open"]);
    assert!(!shown.contains("message      3"), "a resend stands with its message: {shown}");
    expect(&site.messages(None, &["ACME0002", "--limit", "1"]).await, &["message      2", "(messages 3)"]);
    expect(&site.refused(None, &["4"]).await, &["no message has the control id `4`", "messages show 4"]);
    expect(&site.refused(None, &["NEVER"]).await, &["did not arrive"]);
    expect(&site.refused(None, &["show", "3", "--raw"]).await, &["messages show 2 --raw"]);
    expect(
        &site.refused(Some(&gateway), &["reprocess", "3", "--operator", "anna"]).await,
        &["is a resend of message 2"],
    );
    expect(&site.refused(None, &["--last", "2h", "show", "2"]).await, &["options belong to the command"]);
    expect(&site.messages(None, &["--source", "elsewhere"]).await, &["No message matches."]);
}

#[tokio::test]
async fn a_page_of_another_origin_can_have_nothing_done() {
    let site = Site::new(RIGHT);
    let gateway = site.gateway(0).await;
    let mut viewer = gateway.subscriber("drjones").await;
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    let own = gateway.node.admin_url.clone();
    let body = json!({"operator": "mallory"}).to_string();
    for (path, kind, origin, host, expected) in [
        ("reprocess", "text/plain", None, None, 415),
        ("handled", "application/x-www-form-urlencoded", None, None, 415),
        ("reprocess", "application/json", Some("http://evil.example"), None, 403),
        ("reprocess", "application/json", Some("null"), None, 403),
        ("handled", "application/json", Some("http://localhost:3000"), None, 403),
        ("reprocess", "application/json", None, Some("evil.example"), 421),
        ("handled", "application/json", Some(own.as_str()), None, 409),
        ("reprocess", "application/json", Some(own.as_str()), None, 200),
    ] {
        let mut request = reqwest::Client::new().post(format!("{own}/messages/1/{path}")).body(body.clone());
        request = request.bearer_auth(gateway.node.operator_token().reveal());
        request = request.header(header::CONTENT_TYPE, kind);
        for (name, value) in [(header::ORIGIN, origin), (header::HOST, host)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let status = request.send().await.unwrap().status();
        assert_eq!(status, expected, "{path} {kind} {origin:?} {host:?}");
    }
    viewer.expect_event("ImagingStudy-open").await;
    for (operator, expected) in [("", 400), (" ", 400), ("a\nb", 400), (&"a".repeat(101), 400), ("Anna Ö.", 200)] {
        let request = reqwest::Client::new().post(format!("{own}/messages/1/reprocess"));
        let request = request.bearer_auth(gateway.node.operator_token().reveal());
        let status = request.json(&json!({"operator": operator, "dry_run": true})).send().await.unwrap().status();
        assert_eq!(status, expected, "{operator:?}");
    }
}

#[tokio::test]
async fn a_store_is_checked_backed_up_while_it_runs_and_restored_by_copying() {
    let site = Site::new(RIGHT);
    expect(&site.refused(None, &[]).await, &["there is no store in", "--config"]);
    let gateway = site.gateway(0).await;
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    let copy = site.directory.join("copy.db");
    let copy_text = copy.display().to_string();
    let (code, said, errors) = site.command(None, &["store", "backup", &copy_text]).await;
    assert_eq!(code, 0, "{errors}");
    expect(&said, &["is copied to", "site.key"]);
    let (code, _, errors) = site.command(None, &["store", "backup", &copy_text]).await;
    assert_eq!(code, 1);
    expect(&errors, &["cannot write", "copy.db", "exists"]);
    let (code, said, errors) = site.command(None, &["store", "check"]).await;
    assert_eq!(code, 0, "{errors}");
    expect(&said, &["gateway.db is whole"]);
    assert!(gateway.node.drain().await);

    let database = site.data().join("gateway.db");
    std::fs::write(&database, "not a database, whatever its name says".repeat(100)).unwrap();
    let (code, _, errors) = site.command(None, &["store", "check"]).await;
    assert_eq!(code, 1, "{errors}");
    expect(&errors, &["error: "]);
    expect(&site.refused(None, &[]).await, &["store check"]);
    for stale in ["gateway.db-wal", "gateway.db-shm"] {
        let _ = std::fs::remove_file(site.data().join(stale));
    }
    std::fs::copy(&copy, &database).unwrap();
    let gateway = site.gateway(10).await;
    expect(&site.messages(None, &["ACME0002"]).await, &["accepted"]);
    send(&gateway, READING_BEGINS).await.expect_code("AA");
    expect(&site.messages(None, &["ACME0002"]).await, &["resent"]);
}

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_readmes_commands_run_as_written() {
    let (_, section) = README.split_once("## What became of a message").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let site = Site::new(RIGHT);
    let gateway = site.gateway(0).await;
    for message in [
        PATIENT_AT_THE_DESK,
        READING_BEGINS,
        REPORT_DICTATED,
        REPORT_SIGNED,
        READING_ENDS,
        STUDY_NOT_NAMED,
        APPOINTMENT,
    ] {
        send(&gateway, message).await;
    }
    let mut said = String::new();
    for line in block.lines() {
        let command = line.split('#').next().unwrap().trim().strip_prefix("fhircast-gateway messages").unwrap();
        // One argument is quoted, as a shell has it.
        let (words, quoted) = command.split_once('"').unwrap_or((command, ""));
        let mut words: Vec<&str> = words.split_whitespace().collect();
        words.extend(quoted.strip_suffix('"'));
        // A machine that tests may not say who sits at it.
        words.extend(words.first().filter(|word| ["reprocess", "handled"].contains(word)).map(|_| "--operator=anna"));
        said += &site.messages(Some(&gateway), &words).await;
    }
    expect(
        &said,
        &["7 messages: ", "message      6", "In short: it is refused", "6  would be rejected", "marked as handled: 1"],
    );
}
