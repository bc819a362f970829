//! What a power cut leaves of the database's files: all that was synced, and of the rest whatever the disk had got to.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;

/// The library that is the disk, built once a run.
pub(crate) struct Shim(PathBuf);

impl Shim {
    /// Builds it in `directory`, with the compiler that building the gateway needs as well.
    pub(crate) fn build(directory: &Path) -> Self {
        let library = directory.join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/crash/disk.c");
        let status =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        assert!(status.is_ok_and(|status| status.success()), "no C compiler (`cc`): building SQLite needs one too");
        Self(library)
    }

    /// Has `command` note what it does to `database`, in the file `notes`, and has that disk be as the file `fault` says.
    pub(crate) fn preload(&self, command: &mut Command, database: &Path, notes: &Path, fault: &Path) {
        command.env("LD_PRELOAD", &self.0).env("DISK_FILE", database);
        command.env("DISK_NOTES", notes).env("DISK_FAULT", fault);
    }
}

/// The database's files as they were before a process, all of it on the disk.
pub(crate) struct Before(HashMap<PathBuf, Vec<u8>>);

impl Before {
    pub(crate) fn of(database: &Path) -> Self {
        let files = [database.to_owned(), beside(database, "-wal")];
        Self(files.into_iter().filter_map(|path| fs::read(&path).ok().map(|bytes| (path, bytes))).collect())
    }

    /// Makes the files what the power cut leaves: of each write since the file's last sync all, a part or nothing.
    pub(crate) fn cut(self, database: &Path, notes: &Path, rng: &mut Rng) {
        let Self(mut durable) = self;
        let mut pending: HashMap<PathBuf, Vec<Change>> = HashMap::new();
        let mut names: HashMap<u32, PathBuf> = HashMap::new();
        let log = fs::read(notes).unwrap_or_default();
        let mut rest = &log[..];
        while let Some((note, after)) = Note::read(rest) {
            rest = after;
            match note {
                Note::Opened(file, path) => drop(names.insert(file, path)),
                Note::Changed(file, change) => pending.entry(names[&file].clone()).or_default().push(change),
                Note::Synced(file) => {
                    let path = &names[&file];
                    let bytes = durable.entry(path.clone()).or_default();
                    pending.remove(path).into_iter().flatten().for_each(|change| change.apply(bytes));
                }
            }
        }
        for (path, changes) in pending {
            let bytes = durable.entry(path).or_default();
            changes.into_iter().filter_map(|change| change.survives(rng)).for_each(|change| change.apply(bytes));
        }
        let _ = fs::remove_file(beside(database, "-shm"));
        for path in [database.to_owned(), beside(database, "-wal")] {
            let _ = fs::remove_file(&path);
            if let Some(bytes) = durable.remove(&path) {
                fs::write(&path, bytes).unwrap();
            }
        }
        let _ = fs::remove_file(notes);
    }
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

enum Note {
    Opened(u32, PathBuf),
    Changed(u32, Change),
    Synced(u32),
}

enum Change {
    Truncated(usize),
    Written(usize, Vec<u8>),
}

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

impl Note {
    /// The first note of `log`, and what comes after it. One that is cut off was never made.
    fn read(log: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = log.split_at_checked(21)?;
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let (file, offset, length) = (number(&head[1..5]) as u32, number(&head[5..13]) as usize, number(&head[13..21]));
        let (data, rest) = rest.split_at_checked(length as usize)?;
        let note = match head[0] {
            1 => Self::Opened(file, String::from_utf8_lossy(data).into_owned().into()),
            2 => Self::Changed(file, Change::Written(offset, data.to_vec())),
            3 => Self::Changed(file, Change::Truncated(offset)),
            4 => Self::Synced(file),
            other => panic!("no such note: {other}"),
        };
        Some((note, rest))
    }
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truncated(length) => bytes.resize(length, 0),
            Self::Written(offset, data) => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[offset..offset + data.len()].copy_from_slice(&data);
            }
        }
    }

    /// What the disk had got to of it.
    fn survives(self, rng: &mut Rng) -> Option<Self> {
        match (rng.u8(..3), self) {
            (0, _) => None,
            (1, Self::Written(offset, mut data)) => {
                data.truncate(rng.usize(..=data.len()) / SECTOR * SECTOR);
                Some(Self::Written(offset, data))
            }
            (_, change) => Some(change),
        }
    }
}
