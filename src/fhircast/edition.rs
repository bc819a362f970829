//! The editions of the standard that are spoken.

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
    /// The edition as its number is written.
    pub fn number(self) -> &'static str {
        match self {
            Self::Stu2 => "2.0.0",
            Self::Ballot => "2.1.0-ballot",
            Self::Stu3 => "3.0.0",
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
