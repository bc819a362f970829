//! The audit log on disk: one file a month, readable by its owner only, never shortened but by what a crash left half
//! written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::audit_reader::AuditPosition;
use crate::audit::{Digest, FIRST, Spool};

/// The files of the audit log, open for what is added.
#[derive(Debug)]
pub struct AuditFiles {
    directory: PathBuf,
    current: Option<MonthFile>,
    end: watch::Sender<AuditPosition>,
}

#[derive(Debug)]
struct MonthFile {
    month: String,
    file: File,
    length: u64,
}

/// Why the audit log cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the audit log in {}: {source}; set `store.directory` to a directory that can be written, or `audit.actions` to []", path.display())]
pub struct AuditFilesError {
    path: PathBuf,
    source: io::Error,
}

impl AuditFiles {
    /// The log in `directory`, which is made where it is missing, and the digest of its last line. What a crash left of a
    /// line was never acknowledged, and goes.
    ///
    /// # Errors
    /// When the directory or its last file cannot be read or written.
    pub fn open(directory: &Path) -> Result<(Self, Digest), AuditFilesError> {
        let failed = |source| AuditFilesError { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let mut files = Self { directory: directory.to_owned(), current: None, end: watch::Sender::default() };
        let Some((last, month)) = audit_files(directory).map_err(failed)?.pop() else { return Ok((files, FIRST)) };
        let whole = whole_lines(&last).map_err(failed)?;
        files.turn_to(&month).and_then(|file| file.cut(whole)).map_err(failed)?;
        files.tell_end();
        Ok((files, last_digest(directory).map_err(failed)?))
    }

    /// The end of what is durable, as it moves.
    pub fn end(&self) -> watch::Receiver<AuditPosition> {
        self.end.subscribe()
    }

    fn tell_end(&self) {
        if let Some(MonthFile { month, length, .. }) = &self.current {
            self.end.send_replace(AuditPosition { month: month.clone(), offset: *length });
        }
    }

    /// The file of `month`; never of an earlier one than before, so that the order of files is the order of lines also where
    /// the clock was set back.
    fn turn_to(&mut self, month: &str) -> io::Result<&mut MonthFile> {
        let goes_on = self.current.as_ref().is_some_and(|current| current.month.as_str() >= month);
        let file = match self.current.take().filter(|_| goes_on) {
            Some(file) => file,
            None => MonthFile::open(&self.directory, month)?,
        };
        Ok(self.current.insert(file))
    }
}

impl Spool for AuditFiles {
    fn append(&mut self, month: &str, lines: &str) -> io::Result<()> {
        self.turn_to(month)?.append(lines)?;
        self.tell_end();
        Ok(())
    }
}

impl MonthFile {
    fn open(directory: &Path, month: &str) -> io::Result<Self> {
        let path = audit_path(directory, month);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        // The directory too, or a power cut can take the new file away.
        File::open(directory)?.sync_all()?;
        let length = file.metadata()?.len();
        Ok(Self { month: month.to_owned(), file, length })
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += lines.len() as u64,
            // Nobody is told that it is there, so it must not be; and the next line must not follow half a line.
            Err(_) => self.cut(self.length)?,
        }
        written
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }
}

const EXTENSION: &str = "jsonl";

/// The file of a month.
pub(super) fn audit_path(directory: &Path, month: &str) -> PathBuf {
    directory.join(format!("{month}.{EXTENSION}"))
}

/// The files of the audit log in `directory`, each with its month, in the order of their lines.
///
/// # Errors
/// When the directory cannot be read.
pub fn audit_files(directory: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(month) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files.push((path.clone(), month.to_owned()));
        }
    }
    files.sort();
    Ok(files)
}

/// How many bytes of the file are whole lines.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let (start, tail) = tail(path)?;
    Ok(tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| start + end as u64 + 1))
}

/// The digest of the last line of all.
fn last_digest(directory: &Path) -> io::Result<Digest> {
    for (path, _) in audit_files(directory)?.into_iter().rev() {
        let (_, tail) = tail(&path)?;
        if let Some(line) = String::from_utf8_lossy(&tail).lines().next_back() {
            return Ok(Digest::of(line));
        }
    }
    Ok(FIRST)
}

/// The end of the file, longer than any line, and where it begins.
fn tail(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok((start, tail))
}

/// What is asked for is at most the form of a request, so that no line comes near this.
const TAIL: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ira_23_the_log_goes_on_where_it_ended_and_drops_what_was_half_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let (mut files, first) = AuditFiles::open(&path).unwrap();
        assert_eq!(first, FIRST);
        files.append("2026-05", "one\ntwo\n").unwrap();
        // The clock was set back.
        files.append("2026-04", "three\n").unwrap();
        files.append("2026-06", "half").unwrap();
        drop(files);
        let (mut files, last) = AuditFiles::open(&path).unwrap();
        assert_eq!(last, Digest::of("three"));
        files.append("2026-06", "four\n").unwrap();
        let read = |month: &str| fs::read_to_string(path.join(format!("{month}.jsonl"))).unwrap();
        assert_eq!((read("2026-05").as_str(), read("2026-06").as_str()), ("one\ntwo\nthree\n", "four\n"));
        assert_eq!(AuditFiles::open(&path).unwrap().1, Digest::of("four"));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path.join("2026-05.jsonl")).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
