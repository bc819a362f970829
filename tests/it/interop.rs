//! Real clients, and the wires of those that cannot be had, against a running hub: `tests/interop`, by Node.js.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::fixture::Gateway;

/// The mounts at which every client of edition 3 must find what it needs.
const MOUNTS: &str = "/hub,/hub-ballot,/fhircast/STU3,/api/hub";

/// The whole run takes less than a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// For machines that cannot have the programs.
const SKIP: &str = "FHIRCAST_GATEWAY_SKIP_INTEROP";

const CHROMIUM: &str = "FHIRCAST_INTEROP_CHROMIUM";

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_get_along_with_the_hub() {
    if env::var_os(SKIP).is_some_and(|value| value == "1") {
        return;
    }
    let chromium = chromium();
    for program in ["node", "npm"] {
        let version = Command::new(program).arg("--version").output().await;
        need(program, version.is_ok_and(|output| output.status.success()));
    }
    need("chromium", chromium.is_file());
    install_packages().await;
    // Short, as some tests wait until it has passed; long enough for a client on a busy machine.
    let gateway = Gateway::with(&["hub.response_time=3s", "hub.mount.powercast.enabled=true"]).await;
    let (origin, _) = gateway.node.hub_url.rsplit_once("/hub").unwrap();
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec"]).args(scripts());
    node.env("FHIRCAST_INTEROP_ORIGIN", origin).env("FHIRCAST_INTEROP_MOUNTS", MOUNTS);
    node.env("FHIRCAST_INTEROP_OPERATOR", &gateway.node.admin_url).env(CHROMIUM, chromium);
    let said = run(node).await;
    assert!(said.contains("skipped 0"), "the hub offers all that clients need, so none is left out:\n{said}");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Named one by one, since versions of Node.js differ in what they find in a directory.
fn scripts() -> Vec<String> {
    let names = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut scripts: Vec<_> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    scripts.sort();
    scripts
}

fn chromium() -> PathBuf {
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    let found = usual.into_iter().find(|path| path.is_file());
    env::var_os(CHROMIUM).map(PathBuf::from).or(found).unwrap_or_default()
}

#[track_caller]
fn need(program: &str, is_there: bool) {
    assert!(
        is_there,
        "{program} is missing: real clients are tested with Node.js (18 or newer), npm and Chromium. On Debian: apt-get install \
         nodejs npm chromium. A Chromium elsewhere is named by {CHROMIUM}; {SKIP}=1 leaves these tests out."
    );
}

/// Installs what the lock file says, unless that has been done.
async fn install_packages() {
    let lock = fs::read(directory().join("package-lock.json")).unwrap();
    let installed = directory().join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|from| from == lock) {
        return;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts"]);
    run(npm).await;
    fs::write(installed, lock).unwrap();
}

/// Runs `command` among the scripts; it must succeed, and in time. Gives what it has said.
async fn run(mut command: Command) -> String {
    command.current_dir(directory()).stdin(Stdio::null()).kill_on_drop(true);
    let Output { status, stdout, stderr } = timeout(PATIENCE, command.output()).await.expect("no end").unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}
