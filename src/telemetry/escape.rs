//! Makes what peers have sent harmless in a log: one record stays one line, and a terminal that shows it does nothing (T11).

use std::fmt::{self, Write as _};
use std::io;

/// Whether `character` does something to a terminal or to the order of the text around it, instead of being seen: control
/// characters (line breaks, ANSI sequences), and those that turn or hide text.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes text with what is harmful in it spelt out as Rust spells it: `\n`, `\u{202e}`.
pub(super) struct Escaped<'w>(pub(super) &'w mut dyn fmt::Write);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match is_harmful(character) {
                true => write!(self.0, "{}", character.escape_default())?,
                false => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Writes records of JSON, one a line, with what is harmful in them spelt as JSON spells it: `\u202e`. It stands in texts only,
/// as nothing else of JSON can hold it; the writer above has escaped line breaks already.
pub(super) struct JsonLines<W>(pub(super) W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.chars().any(is_harmful) {
            self.0.write_all(escaped_json(line).as_bytes())?;
            self.0.write_all(b"\n")?;
        } else {
            self.0.write_all(record)?;
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escaped_json(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if is_harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}
