//! What a service manager and a container see of the program: what it tells, and whether it is ready.

use std::os::unix::net::UnixDatagram;

use crate::command_line::{Running, run, temporary};
use crate::fixture::PATIENCE;

#[test]
fn a_service_manager_is_told_that_it_serves_that_it_lives_and_that_it_ends() {
    let directory = temporary("notified");
    let path = directory.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut state = [0; 64];
        let length = manager.recv(&mut state).expect("told nothing");
        String::from_utf8_lossy(&state[..length]).trim_end().to_owned()
    };
    let mut gateway = Running::managed(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "300000")]);
    assert_eq!(told(), "READY=1");
    assert_eq!((told(), told()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()), "again and again");
    let (code, ..) = gateway.interrupt();
    assert_eq!(code, 0);
    let mut last = told();
    while last == "WATCHDOG=1" {
        last = told();
    }
    assert_eq!(last, "STOPPING=1\nWATCHDOG=1");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn health_says_whether_the_running_gateway_is_ready() {
    let mut gateway = Running::with(&[]);
    let admin = gateway.admin();
    let health = || run(&["--set", &admin, "health"]);
    assert_eq!(health(), (0, "ready\n".into(), String::new()));
    let (code, said, _) = run(&["--set", &admin, "health", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["ready"]), (0, &true.into()));
    gateway.interrupt();
    let (code, said, errors) = health();
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(errors.contains("no gateway answers"), "{errors}");
}
