//! HL7 v2 messages from files, folders and standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Failure;

/// One message: its file's name and its number in it, and its bytes with segments ended by CR.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) label: String,
    pub(super) bytes: Vec<u8>,
}

/// The messages of all `paths`, in order: files, folders with all that is in them, and `-` for standard input. Each path has
/// at least one.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    for path in paths {
        let before = messages.len();
        read_one(path, &mut messages)?;
        if messages.len() == before {
            let what = if path.is_dir() { "file with a message in the folder" } else { "message in" };
            return Err(Failure::Failed(format!("error: there is no {what} {}", label(path))));
        }
    }
    Ok(messages)
}

fn read_one(path: &Path, messages: &mut Vec<Message>) -> Result<(), Failure> {
    let mut files = Vec::new();
    collect(path, &mut files).map_err(|error| unreadable(path, &error))?;
    for path in files {
        let bytes = content(&path).map_err(|error| unreadable(&path, &error))?;
        let found = split(&bytes);
        let several = found.len() > 1;
        for (index, bytes) in found.into_iter().enumerate() {
            let number = if several { format!(" #{}", index + 1) } else { String::new() };
            messages.push(Message { label: format!("{}{number}", label(&path)), bytes });
        }
    }
    Ok(())
}

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The file, or all files below the folder by name. Names that begin with a dot are left out.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut entries: Vec<PathBuf> = entries.into_iter().filter(|path| !hidden(path)).collect();
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, files))
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new(STANDARD_INPUT) {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn label(path: &Path) -> String {
    if path == Path::new(STANDARD_INPUT) { "standard input".to_owned() } else { path.display().to_string() }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("error: cannot read {}: {error}", label(path)))
}

/// What a batch is wrapped in.
const ENVELOPES: [&[u8]; 4] = [b"FHS", b"BHS", b"BTS", b"FTS"];

/// The messages of a file: one begins at each line that starts with `MSH`. A file without any is taken as it is, since a
/// tester may want to see how it is refused.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split(|&byte| matches!(byte, b'\r' | b'\n' | 0x0b | 0x1c)).filter(|line| !line.is_empty());
    let is_batch = lines.clone().any(|line| line.starts_with(b"MSH"));
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in lines.filter(|line| !is_batch || !ENVELOPES.iter().any(|envelope| line.starts_with(envelope))) {
        if messages.is_empty() || line.starts_with(b"MSH") {
            messages.push(Vec::new());
        }
        if let Some(message) = messages.last_mut() {
            message.extend_from_slice(line);
            message.push(b'\r');
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_any_line_ends_are_split_into_their_messages() {
        let expected = vec![b"MSH|1\rPID|1\r".to_vec(), b"MSH|2\r".to_vec()];
        for text in [
            "MSH|1\nPID|1\nMSH|2\n",
            "MSH|1\r\nPID|1\r\nMSH|2",
            "\u{b}MSH|1\rPID|1\r\u{1c}\r\u{b}MSH|2\r\u{1c}\r",
            "FHS|x\rBHS|x\rMSH|1\rPID|1\rMSH|2\rBTS|2\rFTS|1\r",
        ] {
            assert_eq!(split(text.as_bytes()), expected);
        }
        assert_eq!(split(b"no HL7"), [b"no HL7\r".to_vec()]);
        assert_eq!(split(b"BHS|x"), [b"BHS|x\r".to_vec()]);
    }
}
