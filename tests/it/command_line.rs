//! The program as its users start it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fhircast-gateway"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    finished(program().args(arguments).output().unwrap())
}

pub(crate) fn finished(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

pub(crate) fn temporary(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("fhircast-gateway-{name}-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A gateway in a process of its own, on free ports.
pub(crate) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    said: Vec<String>,
    log: BufReader<std::process::ChildStderr>,
    directory: PathBuf,
}

impl Running {
    fn start() -> Self {
        Self::with(&[])
    }

    /// One with these settings over the built-in ones.
    pub(crate) fn with(settings: &[&str]) -> Self {
        Self::started(settings, &[])
    }

    /// One that finds these variables in its environment.
    pub(crate) fn managed(environment: &[(&str, &str)]) -> Self {
        Self::started(&[], environment)
    }

    fn started(settings: &[&str], environment: &[(&str, &str)]) -> Self {
        let directory = temporary("running");
        let store = format!("store.directory={}", directory.join("data").display());
        let mut command = program();
        command.args(["--set", &store]).args(["--set", "http.listen=127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0"]);
        command.args(["--set", "adapter.ris.listen=127.0.0.1:0", "--set", "mappings.watch=false"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut said = Vec::new();
        while said.last().is_none_or(|line: &String| !line.starts_with("Ctrl-C")) {
            said.push(lines.next().expect("ended before it ran").unwrap());
        }
        Self { child, lines, said, log, directory }
    }

    /// The second word of the first line that starts with `label`.
    pub(crate) fn address(&self, label: &str) -> &str {
        let line = self.said.iter().find(|line| line.starts_with(label)).expect("no such line");
        line.split_whitespace().nth(1).unwrap()
    }

    /// The setting by which commands reach it.
    pub(crate) fn admin(&self) -> String {
        format!("admin.listen={}", self.address("operator").trim_start_matches("http://"))
    }

    /// The program, as the operator of this gateway.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let store = format!("store.directory={}", self.directory.join("data").display());
        run(&[&["--set", &self.admin(), "--set", &store], arguments].concat())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits until it logs a line that holds `words`, and gives that line.
    pub(crate) fn expect_logged(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "ended without logging {words}");
        }
        line
    }

    /// Stops it: its exit code, what it said meanwhile, its log.
    pub(crate) fn interrupt(&mut self) -> (i32, String, String) {
        self.signal("-INT");
        let rest = self.lines.by_ref().map(Result::unwrap).collect::<Vec<_>>().join("\n");
        let mut errors = String::new();
        self.log.read_to_string(&mut errors).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn check_shows_warnings_on_standard_error_and_takes_the_mappings() {
    let directory = temporary("warnings");
    let text = "extends = 'hl7v2/radiology'\n[session]\nuser = '${ORC-12.1}'\n";
    std::fs::write(directory.join("hasty.toml"), text).unwrap();
    let setting = format!("mappings.directory={}", directory.display());
    let (code, said, errors) = run(&["--set", &setting, "check"]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("ok  hasty"), "{said}");
    assert!(errors.starts_with("warning: ORC-12.1 names the ordering provider"), "{errors}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn run_tells_its_addresses_serves_and_ends_cleanly_on_ctrl_c() {
    let mut gateway = Running::start();
    let said = gateway.said.join("\n");
    for word in ["hub.url", "adapter ris", "operator", "vendors/acme-ris"] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    let (code, topic, errors) = gateway.run(&["sessions", "--user", "drjones"]);
    assert_eq!(code, 0, "{errors}");
    let mut listen = program();
    listen.args(["listen", "--count", "1", "--topic", topic.trim(), "--hub", gateway.address("hub.url")]);
    let mut listen = listen.stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(listen.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert!(line.starts_with("Subscribed"), "{line}");
    let order = "config/examples/messages/02-reading-begins.hl7";
    let (code, acknowledged, errors) = run(&["send", "--now", order, "--to", gateway.address("listens")]);
    assert_eq!(code, 0, "{errors}");
    assert!(acknowledged.contains("MSA|AA|ACME0002"), "{acknowledged}");
    assert!(!acknowledged.contains("long ago"), "{acknowledged}");
    let (code, acknowledged, _) = run(&["send", order, "--to", gateway.address("listens")]);
    assert!(code == 0 && acknowledged.contains("--now"), "what is sent and not shown is explained: {acknowledged}");
    let mut rest = String::new();
    heard.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("ImagingStudy-open") && rest.contains("ACC-2026-004711"), "{rest}");
    assert!(listen.wait().unwrap().success());
    let (_, sessions, _) = gateway.run(&["sessions"]);
    assert!(sessions.contains("drjones") && sessions.contains(topic.trim()), "{sessions}");
    let (code, rest, errors) = gateway.interrupt();
    assert_eq!(code, 0, "{errors}");
    assert!(rest.contains("Drained."), "{rest}");
    let store = format!("store.directory={}", gateway.directory.join("data").display());
    let (code, audited, errors) = run(&["--set", &store, "audit", "verify"]);
    assert_eq!(code, 0, "{errors}");
    assert!(audited.starts_with("3 audit events") && audited.contains("none was changed"), "{audited}");
    for patient in ["Berger", "4711001", "ACC-2026-004711"] {
        assert!(!errors.contains(patient), "a patient in the log: {errors}");
    }
}

#[test]
fn demo_shows_the_main_job_and_what_to_try_next() {
    let (code, shown, errors) = run(&["demo"]);
    assert_eq!(code, 0, "{errors}");
    for words in [
        "RIS → gateway",
        "became",
        "ImagingStudy-open",
        "MSA|AA|ACME0002",
        "MSA|AE|ACME0006",
        "hub → application",
        "What to try next",
    ] {
        assert!(shown.contains(words), "no {words} in {shown}");
    }
}

#[test]
fn check_shows_every_mistake_of_the_configuration_and_ends_with_1() {
    let directory = temporary("wrong");
    let site = directory.join("site.toml");
    std::fs::write(&site, "[http]\nlissen = \"127.0.0.1:1\"\n\n[sessions]\ntopic = \"guess\"\n").unwrap();
    let (code, _, errors) = run(&["--config", site.to_str().unwrap(), "check"]);
    assert_eq!(code, 1);
    for words in ["site.toml:2:1", "did you mean `listen`?", "site.toml:5:9", "2 problems"] {
        assert!(errors.contains(words), "no {words} in {errors}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_gateway_whose_configuration_or_mappings_are_wrong_ends_with_64() {
    let directory = temporary("refused");
    std::fs::write(directory.join("mine.toml"), "extends = \"hl7v2/radiologi\"\n").unwrap();
    let setting = format!("mappings.directory={}", directory.display());
    let (code, _, errors) = run(&["--set", &setting]);
    assert_eq!(code, 64, "{errors}");
    assert!(errors.contains("did you mean `hl7v2/radiology`?"), "{errors}");
    let (code, _, errors) = run(&["--set", "http.lissen=x"]);
    assert_eq!(code, 64, "{errors}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn config_prints_every_value_with_its_origin() {
    let (code, printed, errors) = run(&["--set", "log.filter=debug", "config"]);
    assert_eq!(code, 0, "{errors}");
    assert!(printed.contains("flag --set log.filter") && printed.contains("config/gateway.toml:"), "{printed}");
}

#[test]
fn sessions_without_a_gateway_says_what_to_do() {
    let (code, _, errors) = run(&["--set", "admin.listen=127.0.0.1:1", "sessions"]);
    assert_eq!(code, 1);
    assert!(errors.contains("no gateway answers") && errors.contains("fhircast-gateway run"), "{errors}");
}

#[test]
fn send_without_a_receiver_says_what_to_do() {
    let (code, _, errors) = run(&["send", "config/examples/messages/02-reading-begins.hl7", "--to", "127.0.0.1:1"]);
    assert_eq!(code, 1);
    assert!(errors.contains("127.0.0.1:1") && errors.contains("is it running"), "{errors}");
}

#[test]
fn a_reader_that_has_read_enough_ends_a_command_quietly() {
    let mut command = program();
    let mut child =
        command.args(["mapping", "reference"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let (_, _, errors) = finished(child.wait_with_output().unwrap());
    assert_eq!(errors, "");
}
