//! What a check has found, when it is anything but right.

use std::fmt::Display;

/// Why a clause did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The hub does something else.
    Failed {
        /// What the clause asks for.
        asked: String,
        /// What the hub did.
        seen: String,
    },
    /// The clause says nothing of this hub.
    NotApplicable(String),
    /// It cannot be seen from outside.
    NotTestable(String),
}

/// What a check comes to.
pub(super) type Verdict = Result<(), Finding>;

/// The most of what a hub said that is repeated.
const MAX_SEEN: usize = 300;

impl Finding {
    pub(super) fn failed(asked: impl Into<String>, seen: impl Display) -> Self {
        Self::Failed { asked: asked.into(), seen: bounded(&seen.to_string(), MAX_SEEN) }
    }

    pub(super) fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable(why.into())
    }

    pub(super) fn not_testable(why: impl Into<String>) -> Self {
        Self::NotTestable(why.into())
    }

    /// The same without `secret`, which a hub may have repeated.
    pub(super) fn without(self, secret: &str) -> Self {
        match self {
            Self::Failed { asked, seen } if !secret.is_empty() => {
                Self::Failed { asked, seen: seen.replace(secret, "(the token)") }
            }
            other => other,
        }
    }
}

/// Holds, or is a failure.
pub(super) fn ensure(holds: bool, asked: impl Into<String>, seen: impl Display) -> Verdict {
    if holds { Ok(()) } else { Err(Finding::failed(asked, seen)) }
}

/// `text` in one line of at most `most` characters, without what could steer a terminal.
pub(super) fn bounded(text: &str, most: usize) -> String {
    let mut line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    line.retain(|character| !character.is_control());
    if let Some((cut, _)) = line.char_indices().nth(most) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hub_says_is_cut_and_cannot_steer_a_terminal() {
        for (text, most, expected) in
            [("a\u{1b}[31mb\r\nc", 20, "a[31mb  c"), ("äöüß", 3, "äöü…"), ("abc", 3, "abc"), ("", 3, "")]
        {
            assert_eq!(bounded(text, most), expected);
        }
    }

    #[test]
    fn a_token_that_the_hub_repeats_is_not_shown() {
        let finding = Finding::failed("a refusal", "invalid token SECRET");
        assert_eq!(finding.without("SECRET"), Finding::failed("a refusal", "invalid token (the token)"));
    }
}
