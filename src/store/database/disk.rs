//! How it stands with the disk, as the threads that write to it find it.

use rusqlite::ErrorCode;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// What the store can promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// What is committed is durable.
    Well,
    /// Nothing is taken until there is room again; what was taken is durable.
    Full,
    /// Nothing is promised any more, as nobody knows what the disk holds.
    Failed,
}

/// Says how it stands; clones say it together.
#[derive(Clone)]
pub(super) struct DiskState(watch::Sender<Disk>);

impl DiskState {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Disk::Well))
    }

    pub(super) fn is(&self, disk: Disk) -> bool {
        *self.0.borrow() == disk
    }

    pub(super) fn watch(&self) -> watch::Receiver<Disk> {
        self.0.subscribe()
    }

    /// Something has been written.
    pub(super) fn written(&self) {
        if self.set(Disk::Well) {
            info!("The store's disk has room again.");
        }
    }

    /// What is to be thought of it after `error`. A sync that has failed is never repeated: the system may have dropped the pages.
    pub(super) fn refused(&self, error: &rusqlite::Error) -> Disk {
        let disk = match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Disk::Failed,
            Some(ErrorCode::DiskFull) => Disk::Full,
            _ => Disk::Well,
        };
        match disk {
            Disk::Well => warn!(%error, "The store has not taken a change."),
            Disk::Full if self.set(disk) => {
                warn!("The store's disk is full: nothing is taken until there is room again.");
            }
            Disk::Full => {}
            Disk::Failed => self.failed(error),
        }
        disk
    }

    /// Nothing is promised any more.
    pub(super) fn failed(&self, error: &dyn std::fmt::Display) {
        if self.set(Disk::Failed) {
            error!(%error, "The store has failed; the gateway ends. What was acknowledged is kept.");
        }
    }

    /// Whether that is new; there is no way back from a failure.
    fn set(&self, disk: Disk) -> bool {
        self.0.send_if_modified(|now| {
            let is_new = *now != disk && *now != Disk::Failed;
            if is_new {
                *now = disk;
            }
            is_new
        })
    }
}

/// Held by a thread without which nothing is promised: however it ends early, the gateway ends with it.
pub(super) struct Indispensable {
    disk: DiskState,
    done: bool,
}

impl Indispensable {
    pub(super) fn new(disk: DiskState) -> Self {
        Self { disk, done: false }
    }

    /// The thread's work is done.
    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Indispensable {
    fn drop(&mut self) {
        if !self.done {
            self.disk.failed(&"the thread that writes has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Error, ffi};

    use super::*;

    fn error(code: std::ffi::c_int) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_full_disk_may_have_room_again_and_a_failed_one_is_never_well() {
        let disk = DiskState::new();
        assert_eq!(disk.refused(&error(ffi::SQLITE_CONSTRAINT)), Disk::Well);
        assert_eq!(disk.refused(&error(ffi::SQLITE_FULL)), Disk::Full);
        assert!(disk.is(Disk::Full));
        disk.written();
        assert!(disk.is(Disk::Well));
        assert_eq!(disk.refused(&error(ffi::SQLITE_IOERR_FSYNC)), Disk::Failed);
        disk.written();
        disk.refused(&error(ffi::SQLITE_FULL));
        assert!(disk.is(Disk::Failed));
    }

    #[test]
    fn a_writing_thread_that_panics_takes_the_promise_with_it_and_one_that_is_done_does_not() {
        let disk = DiskState::new();
        Indispensable::new(disk.clone()).done();
        assert!(disk.is(Disk::Well));
        let held = Indispensable::new(disk.clone());
        let thread = std::thread::spawn(move || {
            let _held = held;
            panic!("as a mistake would");
        });
        assert!(thread.join().is_err());
        assert!(disk.is(Disk::Failed));
    }
}
