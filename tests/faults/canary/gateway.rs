//! The gateway that is looked at: a process of its own, in a directory of its own, with its log at the loudest.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fhircast_gateway::sessions::Seat;
use fhircast_gateway::store::OperatorToken;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits for this has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The secret of the one who may.
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

const SITE: &str = r#"
[auth]
mode = "bearer"
[auth.token.viewer]
file = "token"
scopes = "fhircast/*.*"
[hub]
response_time = "1s"
[hub.mount.stu2]
webhooks = true
[hub.webhooks]
allow_http_on_loopback = true
allowed = ["127.0.0.1"]
response_time = "2s"
[adapter.ris]
kind = "mllp"
listen = "127.0.0.1:0"
max_message = "64KiB"
[adapter.strict]
kind = "mllp"
listen = "127.0.0.1:0"
mapping_required = true
strict_charset = true
[adapter.split]
kind = "mllp"
listen = "127.0.0.1:0"
batch = "split"
answer.transient = "AE"
[adapter.desktop]
kind = "ccow"
listen = "127.0.0.1:0"
mapping = "ccow/base"
"#;

pub(super) struct Gateway {
    child: Child,
    directory: TempDir,
    said: Vec<String>,
    client: Client,
}

pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join("log")
}

/// Every file below `directory`.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

impl Gateway {
    pub(super) fn start(format: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("site.toml"), SITE).unwrap();
        fs::write(at("token"), TOKEN).unwrap();
        fs::set_permissions(at("token"), Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fhircast-gateway"));
        command.current_dir(directory.path()).args(["--config", "site.toml"]);
        for setting in ["http.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0", "log.filter=trace"] {
            command.args(["--set", setting]);
        }
        command.args(["--set", &format!("log.format={format}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log(directory.path())).unwrap());
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().is_some_and(|line| line.starts_with("Ctrl-C")) {
                break;
            }
        }
        let log = || fs::read_to_string(log(directory.path())).unwrap_or_default();
        assert!(said.iter().any(|line| line.starts_with("hub.url")), "it did not start: {}", log());
        Self { child, directory, said, client: Client::new() }
    }

    fn word(&self, label: &str, holds: &str) -> &str {
        let line =
            self.said.iter().find(|line| line.starts_with(label) && line.ends_with(holds)).expect("no such line");
        line.split_whitespace().nth(1).unwrap()
    }

    pub(super) fn hub(&self) -> &str {
        self.word("hub.url", "").trim_end_matches("/hub")
    }

    /// What the operator gets at `path`.
    pub(super) async fn operator(&self, path: &str) -> String {
        let url = format!("{}{path}", self.word("operator", ""));
        self.client.get(url).bearer_auth(self.token()).send().await.unwrap().text().await.unwrap()
    }

    fn token(&self) -> String {
        OperatorToken::read(&self.directory.path().join("data")).unwrap().reveal().to_owned()
    }

    /// What the operator gets who sends this to `path`.
    pub(super) async fn order(&self, path: &str, order: &Value) -> String {
        let url = format!("{}{path}", self.word("operator", ""));
        self.client.post(url).bearer_auth(self.token()).json(order).send().await.unwrap().text().await.unwrap()
    }

    pub(super) async fn topic(&self, user: &str) -> String {
        let seat = Seat { user: Some(user.to_owned()), workstation: None };
        let answer = self.operator(&format!("/topic?user={}", seat.user.unwrap())).await;
        serde_json::from_str::<Value>(&answer).unwrap()["topic"].as_str().unwrap().to_owned()
    }

    /// A request to the hub, with a token that is good for everything.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.stranger(path).bearer_auth(TOKEN)
    }

    /// One without a token.
    pub(super) fn stranger(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.hub()))
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.hub())).bearer_auth(TOKEN)
    }

    pub(super) async fn peer(&self, adapter: &str) -> Peer {
        Peer(TcpStream::connect(self.address(adapter)).await.unwrap())
    }

    /// Where this adapter listens.
    pub(super) fn address(&self, adapter: &str) -> &str {
        self.word("listens", &format!("adapter {adapter}"))
    }

    /// How large a core of it may be, as the system says: soft limit, hard limit.
    pub(super) fn core_limits(&self) -> Vec<String> {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        line.split_whitespace().skip(4).take(2).map(str::to_owned).collect()
    }

    /// Ends it as an operator does; gives what it has left behind.
    pub(super) fn stop(mut self) -> TempDir {
        // A pipe that nobody reads would be its own path: what it says last goes nowhere.
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sender over MLLP, byte by byte.
pub(super) struct Peer(TcpStream);

impl Peer {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        // A listener that has had enough need not read on.
        let _ = self.0.write_all(bytes).await;
    }

    /// The next answer; empty where the connection was closed instead.
    pub(super) async fn answer(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\x1c\r") {
            match timeout(PATIENCE, self.0.read_buf(&mut bytes)).await.expect("no answer") {
                Ok(read) if read > 0 => {}
                _ => break,
            }
        }
        bytes
    }
}
