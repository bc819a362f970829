//! The process itself: what it holds, and that its memory, which patients are in, is never written to a file.

use std::io;

/// What the process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) resident_bytes: u64,
    pub(crate) open_descriptors: u64,
    pub(crate) max_descriptors: u64,
    pub(crate) processor_seconds: f64,
}

/// `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn figures() -> Option<Figures> {
    use procfs::process::{LimitValue, Process};

    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let max_descriptors = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(most) => most,
        LimitValue::Unlimited => u64::MAX,
    };
    // Ticks stay far below where a float loses them.
    let ticks = (stat.utime + stat.stime) as f64;
    Some(Figures {
        resident_bytes: process.statm().ok()?.resident * procfs::page_size(),
        open_descriptors: process.fd_count().ok()? as u64,
        max_descriptors,
        processor_seconds: ticks / procfs::ticks_per_second() as f64,
    })
}

/// `None`, as this system is not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn figures() -> Option<Figures> {
    None
}

/// What the machine calls itself.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// No core of this process is written from now on, and no debugger of the same user attaches (T12): patients are in its memory.
///
/// # Errors
/// What the system said.
pub(crate) fn forbid_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn the_process_says_what_it_holds() {
        let figures = figures().unwrap();
        assert!(figures.resident_bytes > 1 << 20, "{figures:?}");
        assert!((3..=figures.max_descriptors).contains(&figures.open_descriptors), "{figures:?}");
    }

    #[test]
    fn t12_no_core_of_the_process_is_written() {
        forbid_core_dumps().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert!(figures().is_some(), "it can still look at itself");
    }
}
