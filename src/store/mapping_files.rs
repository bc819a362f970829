//! The site's mapping files, as they stand on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One file of the mappings' folder: its name as `extends` writes it, where it stands, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingFile {
    /// `vendors/acme-ris`
    pub name: String,
    /// `mappings/vendors/acme-ris.toml`
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Why the site's mapping files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MappingFilesError {
    /// The disk refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever read them did not come to an end.
    #[error("the mapping files were not read to their end")]
    Interrupted,
    /// There are more files than any site has: most likely the wrong directory.
    #[error("{} holds more than {MOST_FILES} files; is `mappings.directory` right?", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// A file is larger than any mapping.
    #[error("{} is larger than a mapping or a table can be ({LARGEST} bytes)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

const MOST_FILES: usize = 10_000;
const LARGEST: u64 = 1 << 20;

/// Every file below `directory` whose name ends in `extension`, in the order of their names. A missing directory has none.
///
/// # Errors
/// When a file or directory cannot be read, is too large, or there are too many.
pub fn mapping_files(directory: &Path, extension: &str) -> Result<Vec<MappingFile>, MappingFilesError> {
    let mut paths = Vec::new();
    if directory.is_dir() {
        collect(directory, directory, extension, &mut paths)?;
    }
    paths.sort();
    paths.iter().map(|path| read(directory, path)).collect()
}

fn collect(root: &Path, directory: &Path, extension: &str, paths: &mut Vec<PathBuf>) -> Result<(), MappingFilesError> {
    let io = |source| MappingFilesError::Io { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        // What editors and mounts put aside under a name with a dot is no file of the site's.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, extension, paths)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(MappingFilesError::TooMany { path: root.to_owned() });
        }
    }
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<MappingFile, MappingFilesError> {
    let io = |source| MappingFilesError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > LARGEST {
        return Err(MappingFilesError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(io)?;
    let name = path.strip_prefix(root).unwrap_or(path).with_extension("");
    Ok(MappingFile {
        name: name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"),
        path: path.to_string_lossy().into_owned(),
        text,
    })
}
