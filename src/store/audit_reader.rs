//! The audit log read again, line after line, for who passes it on: what was passed on is remembered across restarts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::audit_files::{audit_files, audit_path};

/// A place between two lines of the log. An earlier one is less than a later one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPosition {
    /// The file, by its month.
    pub month: String,
    /// Bytes of it that are before this place.
    pub offset: u64,
}

/// Reads the log from a place on.
#[derive(Debug)]
pub struct AuditReader {
    directory: PathBuf,
    position: AuditPosition,
}

/// Lines that were read together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AuditLines {
    /// The lines, without their ends.
    pub lines: Vec<String>,
    /// Whether lines that should have been there are gone: a file was taken away or cut.
    pub gap: bool,
}

/// Where it is kept how far the log was passed on.
const FILE: &str = "syslog.position";

/// What is read at once, in bytes; and the longest line by far.
const MOST: u64 = 1 << 20;

impl AuditReader {
    /// Goes on where [`AuditReader::remember`] last said, at the beginning where that cannot be read any more, and at `end` where
    /// nothing was ever passed on.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(directory: &Path, end: &AuditPosition) -> io::Result<Self> {
        let position = match fs::read_to_string(directory.join(FILE)) {
            Ok(text) => parse(&text).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => end.clone(),
            Err(error) => return Err(error),
        };
        let reader = Self { directory: directory.to_owned(), position };
        reader.remember(&reader.position)?;
        Ok(reader)
    }

    /// The place that the next line is at.
    pub fn position(&self) -> &AuditPosition {
        &self.position
    }

    /// Goes to a place that [`Self::position`] gave.
    pub fn go_to(&mut self, position: AuditPosition) {
        self.position = position;
    }

    /// The next lines before `end`, some at a time; none where there are none yet.
    ///
    /// # Errors
    /// What the disk said.
    pub fn next(&mut self, end: &AuditPosition) -> io::Result<AuditLines> {
        let mut gap = false;
        while self.position < *end {
            let bound = self.bound(&self.position.month, end)?;
            gap |= bound.is_none_or(|bound| bound < self.position.offset) && !self.position.month.is_empty();
            if bound.is_some_and(|bound| bound > self.position.offset) {
                let lines = self.lines(bound.unwrap_or_default())?;
                return Ok(AuditLines { lines, gap });
            }
            match self.month_after(&self.position.month, end)? {
                Some(month) => self.position = AuditPosition { month, offset: 0 },
                None => self.position = end.clone(),
            }
        }
        Ok(AuditLines { lines: Vec::new(), gap })
    }

    /// How many bytes there are from here to `end`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn waiting(&self, end: &AuditPosition) -> io::Result<u64> {
        let mut bytes = 0;
        for (_, month) in audit_files(&self.directory)?.into_iter().filter(|(_, month)| *month >= self.position.month) {
            let read = if month == self.position.month { self.position.offset } else { 0 };
            bytes += self.bound(&month, end)?.unwrap_or_default().saturating_sub(read);
        }
        Ok(bytes)
    }

    /// Remembers that all before `position` was passed on. Written beside and renamed, so that a crash leaves no half a place.
    ///
    /// # Errors
    /// What the disk said.
    pub fn remember(&self, position: &AuditPosition) -> io::Result<()> {
        let (fresh, path) = (self.directory.join(format!("{FILE}.new")), self.directory.join(FILE));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(format!("{} {}\n", position.month, position.offset).as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }

    /// How many bytes of a month's file may be read; `None` where there is no such file, or where it is after `end`.
    fn bound(&self, month: &str, end: &AuditPosition) -> io::Result<Option<u64>> {
        if month > end.month.as_str() {
            return Ok(None);
        }
        match fs::metadata(audit_path(&self.directory, month)) {
            Ok(file) if month == end.month => Ok(Some(file.len().min(end.offset))),
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn month_after(&self, month: &str, end: &AuditPosition) -> io::Result<Option<String>> {
        let months = audit_files(&self.directory)?.into_iter().map(|(_, month)| month);
        Ok(months.filter(|other| other.as_str() > month && *other <= end.month).min())
    }

    /// Whole lines of the file in hand, up to `bound`.
    fn lines(&mut self, bound: u64) -> io::Result<Vec<String>> {
        let mut file = File::open(audit_path(&self.directory, &self.position.month))?;
        file.seek(SeekFrom::Start(self.position.offset))?;
        let most = MOST.min(bound - self.position.offset);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        // What has no end although it may be read is no line of ours.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        self.position.offset += whole as u64;
        Ok(String::from_utf8_lossy(&bytes[..whole]).lines().map(str::to_owned).collect())
    }
}

fn parse(text: &str) -> Option<AuditPosition> {
    let (month, offset) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(AuditPosition { month: month.to_owned(), offset: offset.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(month: &str, offset: u64) -> AuditPosition {
        AuditPosition { month: month.to_owned(), offset }
    }

    fn log(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (month, text) in files {
            fs::write(audit_path(directory.path(), month), text).unwrap();
        }
        directory
    }

    #[test]
    fn lines_come_in_order_up_to_what_is_durable_and_once() {
        let log = log(&[("2026-05", "one\ntwo\n"), ("2026-06", "three\nhalf")]);
        fs::write(log.path().join(FILE), " 0\n").unwrap();
        let mut reader = AuditReader::open(log.path(), &at("2026-06", 6)).unwrap();
        let end = at("2026-06", 6);
        assert_eq!(reader.waiting(&end).unwrap(), 14);
        assert_eq!(reader.next(&end).unwrap().lines, ["one", "two"]);
        assert_eq!(reader.next(&end).unwrap(), AuditLines { lines: vec!["three".into()], gap: false });
        assert_eq!((reader.next(&end).unwrap(), reader.waiting(&end).unwrap()), (AuditLines::default(), 0));
        reader.remember(&at("2026-05", 4)).unwrap();
        let mut reader = AuditReader::open(log.path(), &end).unwrap();
        assert_eq!(reader.next(&end).unwrap().lines, ["two"], "it goes on where it was told to");
    }

    #[test]
    fn what_was_never_passed_on_begins_at_the_end_and_what_is_spoilt_at_the_beginning() {
        let log = log(&[("2026-05", "one\n")]);
        let end = at("2026-05", 4);
        assert_eq!(AuditReader::open(log.path(), &end).unwrap().next(&end).unwrap(), AuditLines::default());
        fs::write(log.path().join(FILE), "").unwrap();
        assert_eq!(AuditReader::open(log.path(), &end).unwrap().next(&end).unwrap().lines, ["one"]);
    }

    #[test]
    fn what_was_taken_away_is_a_gap_and_the_rest_comes() {
        let log = log(&[("2026-05", "one\n"), ("2026-07", "three\n")]);
        let end = at("2026-07", 6);
        for lost in [at("2026-06", 9), at("2026-05", 99)] {
            let mut reader = AuditReader { directory: log.path().to_owned(), position: lost };
            assert_eq!(reader.next(&end).unwrap(), AuditLines { lines: vec!["three".into()], gap: true });
        }
    }
}
