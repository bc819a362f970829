//! Words for a terminal: emphasis where a person reads, plain text where a program does.

use std::io::IsTerminal;

/// How standard output is written to.
#[derive(Clone, Copy)]
pub(super) struct Terminal {
    styled: bool,
}

impl Terminal {
    /// Standard output as it is: styled when it is a terminal.
    pub(super) fn of_stdout() -> Self {
        Self { styled: std::io::stdout().is_terminal() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.styled("2", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.styled("32", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.styled("31", text)
    }

    fn styled(self, code: &str, text: &str) -> String {
        if self.styled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// `text` in one line: what could steer a terminal is shown as a dot, and what is longer than `most` is cut with an ellipsis.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text.chars().map(|character| if character.is_control() { '·' } else { character }).collect();
    if let Some((cut, _)) = line.char_indices().nth(most) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// `text` in lines of at most `most` characters; what could steer a terminal is shown as a dot.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let shown: Vec<char> = one_line(text, usize::MAX).chars().collect();
    shown.chunks(most.max(1)).map(|line| line.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::{one_line, wrapped};

    #[test]
    fn a_long_line_is_wrapped_and_nothing_is_lost() {
        assert_eq!(wrapped("abcdeä\u{b}", 3), ["abc", "deä", "·"]);
        assert!(wrapped("", 3).is_empty());
    }

    #[test]
    fn what_a_peer_sends_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\rc", 80), "a·[2Jb·c");
        assert_eq!(one_line("äöüß", 3), "äöü…");
    }
}
