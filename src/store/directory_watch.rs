//! Whether something below a directory has changed, told by the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// A watch over all that lies below a directory, whether the directory is there yet or not.
///
/// It holds for the folders that were there when it began: after a change a new one is begun, before the files are read.
pub struct DirectoryWatch {
    changed: Arc<Notify>,
    /// Ends the watch when it is dropped.
    _watcher: RecommendedWatcher,
}

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}: {source}", directory.display())]
pub struct DirectoryWatchError {
    /// The directory.
    pub directory: PathBuf,
    /// What the system said.
    pub source: notify::Error,
}

impl DirectoryWatchError {
    /// Whoever was to begin it did not come to an end.
    pub fn interrupted(directory: &Path, reason: &impl std::fmt::Display) -> Self {
        Self { directory: directory.to_owned(), source: notify::Error::generic(&reason.to_string()) }
    }
}

impl DirectoryWatch {
    /// Begins to watch `directory`, and tells `changed` of each change; of many at once, as of one.
    ///
    /// # Errors
    /// When the system does not let it: it watches so many things at the most.
    pub fn begin(directory: &Path, changed: &Arc<Notify>) -> Result<Self, DirectoryWatchError> {
        let failed = |source| DirectoryWatchError { directory: directory.to_owned(), source };
        let whole = std::path::absolute(directory).map_err(|error| failed(notify::Error::io(error)))?;
        let (teller, watched) = (Arc::clone(changed), whole.clone());
        let tell = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| may_change(&watched, &event)) {
                teller.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(failed)?;
        if whole.is_dir() {
            watcher.watch(&whole, RecursiveMode::Recursive).map_err(failed)?;
        }
        // The directory itself may come, go, or be put in another's place: its parent tells.
        if let Some(parent) = whole.ancestors().skip(1).find(|ancestor| ancestor.is_dir()) {
            watcher.watch(parent, RecursiveMode::NonRecursive).map_err(failed)?;
        }
        Ok(Self { changed: Arc::clone(changed), _watcher: watcher })
    }

    /// Waits for a change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Whether an event may have changed what is below `directory`. That somebody reads there, as we do, changes nothing.
fn may_change(directory: &Path, event: &Event) -> bool {
    let changes = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let near = |path: &PathBuf| path.starts_with(directory) || directory.starts_with(path);
    event.need_rescan() || changes && event.paths.iter().any(near)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn expect_change(watch: &DirectoryWatch) {
        timeout(Duration::from_secs(20), watch.changed()).await.expect("no change was told");
    }

    #[tokio::test]
    async fn a_file_in_a_folder_below_is_told() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("vendors")).unwrap();
        let changed = Arc::default();
        let watch = DirectoryWatch::begin(directory.path(), &changed).unwrap();
        fs::write(directory.path().join("vendors/mine.toml"), "").unwrap();
        expect_change(&watch).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_yet_is_told_when_it_comes() {
        let parent = tempfile::tempdir().unwrap();
        let changed = Arc::default();
        let watch = DirectoryWatch::begin(&parent.path().join("mappings"), &changed).unwrap();
        fs::create_dir(parent.path().join("mappings")).unwrap();
        expect_change(&watch).await;
    }

    #[test]
    fn reading_and_what_lies_elsewhere_change_nothing() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let modify = EventKind::Modify(notify::event::ModifyKind::Any);
        for (kind, path, expected) in [
            (open, "/site/mappings/a.toml", false),
            (modify, "/site/mappings/a.toml", true),
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), "/site/mappings/a.toml", true),
            (modify, "/site/other", false),
            (EventKind::Create(notify::event::CreateKind::Any), "/site", true),
        ] {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(may_change(Path::new("/site/mappings"), &event), expected, "{event:?}");
        }
    }
}
