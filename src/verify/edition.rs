//! The editions of FHIRcast that a hub can speak.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// An edition of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 2.0.0, STU2.
    Stu2,
    /// 2.1.0-ballot, the first ballot of STU3.
    Ballot,
    /// 3.0.0, STU3.
    Stu3,
}

/// A text that names no edition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no edition of FHIRcast: give 2.0.0, 2.1.0-ballot or 3.0.0")]
pub struct NoEdition;

impl Edition {
    /// The edition that a discovery document claims, where it claims one that is known.
    pub(super) fn of_discovery(document: &Value) -> Option<Self> {
        let claimed = document["fhircastVersion"].as_str()?.to_ascii_lowercase();
        match claimed.as_str() {
            // The ballot's own examples call it so; 3.0.0 gives the full version instead.
            "stu3" => Some(Self::Ballot),
            "stu2" => Some(Self::Stu2),
            other if other.starts_with("3.") => Some(Self::Stu3),
            other if other.starts_with("2.1") => Some(Self::Ballot),
            other if other.starts_with("2.0") => Some(Self::Stu2),
            _ => None,
        }
    }
}

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
    fn an_edition_is_read_from_what_hubs_claim() {
        for (claimed, edition) in [
            ("3.0.0", Some(Edition::Stu3)),
            ("STU3", Some(Edition::Ballot)),
            ("2.1.0-ballot", Some(Edition::Ballot)),
            ("STU2", Some(Edition::Stu2)),
            ("2.0.0", Some(Edition::Stu2)),
            ("1.0", None),
        ] {
            assert_eq!(Edition::of_discovery(&serde_json::json!({"fhircastVersion": claimed})), edition, "{claimed}");
        }
        assert_eq!(Edition::of_discovery(&Value::Null), None);
    }

    #[test]
    fn an_edition_is_written_as_it_is_read() {
        for edition in [Edition::Stu2, Edition::Ballot, Edition::Stu3] {
            assert_eq!(edition.to_string().parse(), Ok(edition));
        }
        assert_eq!("STU3".parse::<Edition>(), Err(NoEdition));
    }
}
