//! The editions of the standard that are spoken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A published edition of FHIRcast. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Edition {
    /// STU2.
    #[serde(rename = "2.0.0")]
    Stu2,
    /// STU3 Ballot 1.
    #[serde(rename = "2.1.0-ballot")]
    Ballot,
    /// STU3.
    #[serde(rename = "3.0.0")]
    Stu3,
}

impl Edition {
    /// The edition that a hub means by its `fhircastVersion`, if it is one that is known. The ballot's own examples call it
    /// STU3, 3.0.0 gives its number (DISC-03).
    pub fn of_announced(text: &str) -> Option<Self> {
        let announced = text.to_ascii_lowercase();
        match announced.as_str() {
            "stu3" => Some(Self::Ballot),
            "stu2" => Some(Self::Stu2),
            other if other.starts_with("3.") => Some(Self::Stu3),
            other if other.starts_with("2.1") => Some(Self::Ballot),
            other if other.starts_with("2.0") => Some(Self::Stu2),
            _ => None,
        }
    }

    /// What a hub of this edition calls itself in its configuration (DISC-03).
    pub fn announced(self) -> &'static str {
        match self {
            Self::Stu2 => "STU2",
            Self::Ballot => "STU3",
            Self::Stu3 => "3.0.0",
        }
    }
}

/// A text that names no edition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no edition of FHIRcast: give 2.0.0, 2.1.0-ballot or 3.0.0")]
pub struct NoEdition;

impl FromStr for Edition {
    type Err = NoEdition;

    fn from_str(text: &str) -> Result<Self, NoEdition> {
        match text {
            "2.0.0" => Ok(Self::Stu2),
            "2.1.0-ballot" => Ok(Self::Ballot),
            "3.0.0" => Ok(Self::Stu3),
            _ => Err(NoEdition),
        }
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stu2 => "2.0.0",
            Self::Ballot => "2.1.0-ballot",
            Self::Stu3 => "3.0.0",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disc_03_an_edition_is_told_by_its_number_and_known_by_what_hubs_announce() {
        for edition in [Edition::Stu2, Edition::Ballot, Edition::Stu3] {
            assert_eq!(edition.to_string().parse(), Ok(edition));
            assert_eq!(Edition::of_announced(edition.announced()), Some(edition));
        }
        for text in ["", "4.0.0", "STU4"] {
            assert_eq!(Edition::of_announced(text), None, "{text}");
        }
        assert_eq!("3".parse::<Edition>(), Err(NoEdition));
    }
}
