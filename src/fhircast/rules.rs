//! How a mount reads what it is sent: the edition, and how far it bends towards real clients (POL-10 to POL-14).

use serde::{Deserialize, Serialize};

use super::Edition;

/// How events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The edition.
    pub edition: Edition,
    /// Which names may be published (POL-10).
    pub names: Names,
    /// Whether events may be called as they were before FHIRcast had its present names (CLI-39).
    pub legacy_names: bool,
    /// What a context must hold (POL-11).
    pub contexts: Contexts,
    /// Whether an update must name the version that it changes (POL-12).
    pub version_required: bool,
    /// What a POST in an update is (POL-14).
    pub post_entries: PostEntries,
}

/// Which names may be published (POL-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// Those of the standard (REQ-04).
    Standard,
    /// Those of the standard, and a subscriber's own `HeartBeat` (IRA-03).
    StandardAndHeartbeat,
    /// Every name that clients in the field use (CLI-42).
    Any,
}

/// What a context must hold (POL-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contexts {
    /// What the event's definition requires (REQ-05).
    Enforced,
    /// What can be understood without guessing between two patients (CLI-43 to CLI-52).
    Lenient,
    /// What IHE RAD IRA requires: a report's study too, and of a close its report alone (IRA-10, IRA-12).
    Strict,
}

/// What a POST in an update's bundle is (POL-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostEntries {
    /// A mistake: updates are made of PUT and DELETE (UPD-05).
    Refuse,
    /// An addition, or a replacement of what has its type and id (CLI-52).
    Upsert,
}

impl Rules {
    /// Those of the standard's current edition, by which the gateway's own events are held too.
    pub const STANDARD: Self = Self {
        edition: Edition::Stu3,
        names: Names::Standard,
        legacy_names: false,
        contexts: Contexts::Enforced,
        version_required: true,
        post_entries: PostEntries::Refuse,
    };
}
