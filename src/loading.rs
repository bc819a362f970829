//! The mappings in force: loaded at the start, and again when somebody asks or a file changes. All of them, or none: on any
//! mistake what was loaded stays, and the operator is told.

mod watching;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use fhircast_gateway_adapter_api::Clock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use crate::adapters::GRAMMARS;
use crate::clock::timestamp;
use crate::diagnostic::{Diagnostic, Level};
use crate::mapping::{Diagnostics, MappingSet, SourceFile, shipped};
use crate::store::{MappingFilesError, mapping_files};

pub use watching::Watching;

/// Mapping files, and what they mean.
pub struct Loaded {
    /// The files as read, tables included.
    pub files: Vec<SourceFile>,
    /// The mappings in them.
    pub set: MappingSet,
}

/// Why no mappings were loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The files cannot be read.
    #[error("error: {0}")]
    Files(#[from] MappingFilesError),
    /// The files are wrong.
    #[error("{0}")]
    Mistakes(Diagnostics),
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The files cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A listener would be without its mapping.
    #[error("{}", vanished_in_words(.0))]
    Vanished(Vec<Diagnostic>),
}

impl ReloadError {
    /// Every mistake behind it, and the warnings beside them, for programs.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Load(LoadError::Files(error)) => vec![Diagnostic::without_place(error.to_string())],
            Self::Load(LoadError::Mistakes(mistakes)) => mistakes.list(),
            Self::Vanished(listeners) => listeners.clone(),
        }
    }

    /// As [`ReloadError::diagnostics`], without the warnings.
    fn mistakes(&self) -> Vec<Diagnostic> {
        self.diagnostics().into_iter().filter(|it| it.level == Level::Error).collect()
    }
}

fn vanished_in_words(listeners: &[Diagnostic]) -> String {
    let words =
        |it: &Diagnostic| format!("error: {}\n  = help: {}", it.message, it.help.as_deref().unwrap_or_default());
    listeners.iter().map(words).collect::<Vec<_>>().join("\n\n")
}

/// The shipped mappings, under the site's own where both have one name.
///
/// # Errors
/// When files cannot be read, or every mistake in them.
pub fn load(directory: &Path) -> Result<Loaded, LoadError> {
    compile(read(directory)?)
}

/// As [`load`], with one file more.
///
/// # Errors
/// As [`load`].
pub fn load_with(directory: &Path, file: SourceFile) -> Result<Loaded, LoadError> {
    let mut files = read(directory)?;
    files.push(file);
    compile(files)
}

fn read(directory: &Path) -> Result<Vec<SourceFile>, MappingFilesError> {
    let mut files = shipped();
    for file in mapping_files(directory, "toml")? {
        files.retain(|shipped| shipped.name != file.name);
        files.push(SourceFile { name: file.name, path: file.path, text: file.text });
    }
    for file in mapping_files(directory, "csv")? {
        files.push(SourceFile { name: format!("{}.csv", file.name), path: file.path, text: file.text });
    }
    Ok(files)
}

fn compile(files: Vec<SourceFile>) -> Result<Loaded, LoadError> {
    let set = MappingSet::load(&files, &GRAMMARS).map_err(LoadError::Mistakes)?;
    Ok(Loaded { files, set })
}

/// How it stands with the mappings, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingsStatus {
    /// When those in force were loaded.
    pub loaded: Timestamp,
    /// Their names.
    pub mappings: Vec<String>,
    /// What in them is most likely not meant so.
    pub warnings: Vec<Diagnostic>,
    /// Why the latest reload changed nothing, if it failed.
    pub failed: Option<FailedReload>,
}

/// A reload that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedReload {
    /// When.
    pub at: Timestamp,
    /// How many mistakes there were.
    pub mistakes: usize,
    /// The first of them, with its place.
    pub first: String,
}

/// The mappings in force, and how to load them again.
pub struct MappingsInForce {
    directory: PathBuf,
    /// The adapters that are configured with a mapping, and the mapping's name.
    bound: Vec<(String, String)>,
    set: Arc<ArcSwap<MappingSet>>,
    status: watch::Sender<MappingsStatus>,
    clock: Arc<dyn Clock>,
    /// The files of the latest attempt. Held while one is made: there is one at a time.
    latest: Mutex<Vec<SourceFile>>,
}

impl MappingsInForce {
    /// Puts `loaded` in force, which was read from `directory`; `bound` are adapters and the mapping of each.
    pub fn new(loaded: Loaded, directory: PathBuf, bound: Vec<(String, String)>, clock: Arc<dyn Clock>) -> Self {
        let Loaded { files, set } = loaded;
        let status = status(&set, &*clock);
        log_warnings(&status.warnings);
        Self {
            directory,
            bound,
            set: Arc::new(ArcSwap::from_pointee(set)),
            status: watch::Sender::new(status),
            clock,
            latest: Mutex::new(files),
        }
    }

    /// Where those in force always are. Who takes a set from there keeps it until done with it.
    pub fn set(&self) -> &Arc<ArcSwap<MappingSet>> {
        &self.set
    }

    /// How it stands.
    pub fn status(&self) -> MappingsStatus {
        self.status.borrow().clone()
    }

    /// How it stands after each attempt from now on.
    pub fn attempts(&self) -> watch::Receiver<MappingsStatus> {
        self.status.subscribe()
    }

    /// Reads all files again, and puts them in force if nothing is wrong with any of them.
    ///
    /// # Errors
    /// All that is wrong. What was in force stays.
    pub async fn reload(&self) -> Result<MappingsStatus, ReloadError> {
        let mut latest = self.latest.lock().await;
        let read = self.read().await;
        self.attempt(read, &mut latest).await
    }

    /// As [`MappingsInForce::reload`], unless the files are those of the latest attempt.
    async fn reload_if_changed(&self) {
        let mut latest = self.latest.lock().await;
        let read = self.read().await;
        let known = match &read {
            Ok(files) => *files == *latest,
            Err(error) => self.has_been_told(error),
        };
        if known {
            return;
        }
        // The log and the status tell how it went.
        let _ = self.attempt(read, &mut latest).await;
    }

    /// Whether the latest attempt failed for the same reason: it is not told again at each look.
    fn has_been_told(&self, error: &LoadError) -> bool {
        let LoadError::Files(error) = error else { return false };
        self.status.borrow().failed.as_ref().is_some_and(|failed| failed.first == error.to_string())
    }

    async fn read(&self) -> Result<Vec<SourceFile>, LoadError> {
        let directory = self.directory.clone();
        Ok(off_the_runtime(move || read(&directory)).await??)
    }

    async fn attempt(
        &self,
        read: Result<Vec<SourceFile>, LoadError>,
        latest: &mut Vec<SourceFile>,
    ) -> Result<MappingsStatus, ReloadError> {
        let checked = match read {
            Ok(files) => {
                latest.clone_from(&files);
                off_the_runtime(move || compile(files)).await.map_err(LoadError::from).flatten()
            }
            Err(error) => Err(error),
        };
        match checked.map_err(ReloadError::from).and_then(|loaded| self.with_all_bound(loaded)) {
            Ok(loaded) => Ok(self.put_in_force(loaded.set)),
            Err(error) => {
                self.note_failure(&error);
                Err(error)
            }
        }
    }

    fn with_all_bound(&self, loaded: Loaded) -> Result<Loaded, ReloadError> {
        let missing = self.bound.iter().filter(|(_, mapping)| loaded.set.mapping(mapping).is_none());
        let missing: Vec<Diagnostic> = missing
            .map(|(adapter, mapping)| Diagnostic {
                help: Some(format!("put its file back, or start again with another `adapter.{adapter}.mapping`")),
                ..Diagnostic::without_place(format!("the mapping of adapter `{adapter}` is gone: `{mapping}`"))
            })
            .collect();
        if missing.is_empty() { Ok(loaded) } else { Err(ReloadError::Vanished(missing)) }
    }

    fn put_in_force(&self, set: MappingSet) -> MappingsStatus {
        let status = status(&set, &*self.clock);
        info!(mappings = status.mappings.len(), "Mappings reloaded.");
        log_warnings(&status.warnings);
        self.set.store(Arc::new(set));
        self.status.send_replace(status.clone());
        status
    }

    fn note_failure(&self, error: &ReloadError) {
        let problems = error.mistakes();
        let first = problems.first().map(Diagnostic::to_string).unwrap_or_default();
        warn!(mistakes = problems.len(), %first, "Mappings not reloaded; those in force stay.");
        let failed = FailedReload { at: timestamp(&*self.clock), mistakes: problems.len(), first };
        self.status.send_modify(|status| status.failed = Some(failed));
    }
}

fn status(set: &MappingSet, clock: &dyn Clock) -> MappingsStatus {
    let mappings = set.names().map(str::to_owned).collect();
    MappingsStatus { loaded: timestamp(clock), mappings, warnings: set.warnings().list(), failed: None }
}

fn log_warnings(warnings: &[Diagnostic]) {
    if let Some(first) = warnings.first() {
        let warnings = warnings.len();
        warn!(warnings, %first, "Some mappings hold what is most likely not meant so; `check` shows all of it.");
    }
}

/// Reading and compiling take longer than the runtime's threads should be away.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, MappingFilesError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| MappingFilesError::Interrupted)
}
