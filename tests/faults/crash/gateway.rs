//! A gateway in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::power_cut::Shim;

pub(crate) struct Gateway {
    child: Mutex<Child>,
    pub(crate) mllp: String,
    pub(crate) hub_url: String,
    pub(crate) admin_url: String,
    /// From its start until it serves.
    pub(crate) started_in: Duration,
}

/// The same at every start, so that everybody finds it again: the hub's, the operator's and the adapter's.
pub(crate) struct Ports([u16; 3]);

impl Ports {
    pub(crate) fn free() -> Self {
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Self(held.map(|listener| listener.local_addr().unwrap().port()))
    }
}

pub(crate) fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

pub(crate) fn database(directory: &Path) -> PathBuf {
    fhircast_gateway::store::database_file(&data(directory))
}

pub(crate) fn notes(directory: &Path) -> PathBuf {
    directory.join("notes")
}

/// Where it stands what is wrong with the disk.
pub(crate) fn fault(directory: &Path) -> PathBuf {
    directory.join("fault")
}

impl Gateway {
    pub(crate) fn start(program: &Path, directory: &Path, ports: &Ports, shim: Option<&Shim>) -> Self {
        Self::start_with(program, directory, ports, shim, &[])
    }

    /// With more settings.
    pub(crate) fn start_with(
        program: &Path,
        directory: &Path,
        ports: &Ports,
        shim: Option<&Shim>,
        settings: &[&str],
    ) -> Self {
        let store = format!("store.directory={}", data(directory).display());
        let mut command = Command::new(program);
        command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Topics by name, so that the test knows them; every event of an application counts.
        for setting in [
            &*store,
            &*format!("http.listen=127.0.0.1:{}", ports.0[0]),
            &*format!("admin.listen=127.0.0.1:{}", ports.0[1]),
            &*format!("adapter.ris.listen=127.0.0.1:{}", ports.0[2]),
            "sessions.topic=name",
            "hub.max_content=1000000",
            "hub.max_content_size=1GiB",
            "hub.events_per_second=1000000",
            "hub.events_burst=1000000",
            "log.filter=error",
        ]
        .iter()
        .chain(settings)
        {
            command.args(["--set", setting]);
        }
        if let Some(shim) = shim {
            shim.preload(&mut command, &database(directory), &notes(directory), &fault(directory));
        }
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let is_last = line.starts_with("Ctrl-C");
            said.push(line);
            if is_last {
                break;
            }
        }
        let word = |label: &str| {
            let line = said.iter().find(|line| line.starts_with(label));
            line.and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned)
        };
        let (Some(mllp), Some(hub_url), Some(admin_url)) = (word("listens"), word("hub.url"), word("operator")) else {
            let mut errors = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut errors);
            panic!("it did not start: {}\n{errors}", said.join("\n"));
        };
        Self { child: Mutex::new(child), mllp, hub_url, admin_url, started_in: begun.elapsed() }
    }

    /// Ends it as nothing can be caught or put off.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Its exit code and what it has said of errors, once it has ended by itself.
    pub(crate) fn ended(self) -> (Option<i32>, String) {
        let mut child = self.child.lock().unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (child.wait().unwrap().code(), errors)
    }

    /// Asks it to end.
    pub(crate) fn stop(self) {
        let mut child = self.child.lock().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
