//! Why a payload is answered by this adapter itself, without the gateway ever seeing it. HL7 v2 reference, section 2.2.

use crate::charset::CharsetError;
use crate::oddity::Oddity;
use crate::separators::SeparatorsError;

/// A payload that is no message the gateway could be asked about. Always the sender's fault: the same bytes fail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Refusal(#[from] pub(crate) Reason);

/// The reasons, in words for the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("batches are not accepted here; send one message a frame")]
    Batch,
    #[error("{0}")]
    Charset(#[from] CharsetError),
    #[error("MSH-10, the message control id, is missing")]
    ControlIdMissing,
    #[error("the frame is empty")]
    Empty,
    #[error("MSH-9, the message type, is missing")]
    KindMissing,
    #[error("the frame does not start with an MSH segment")]
    NoHeader,
    #[error("MSH-1 and MSH-2 cannot be used: {0}")]
    Separators(#[from] SeparatorsError),
    #[error("the message is longer than is accepted here")]
    TooLong,
    #[error("the version in MSH-12 is not accepted here; 2 and 2.1 to 2.9 are")]
    VersionUnknown,
    #[error("v2 XML is not accepted here, send ER7")]
    Xml,
}

impl Reason {
    /// What the peer is counted and logged for.
    pub(crate) fn oddity(self) -> Oddity {
        match self {
            Self::Batch => Oddity::Batch,
            Self::Charset(CharsetError::Mismatch) => Oddity::CharsetMismatch,
            Self::Charset(CharsetError::CannotTravel | CharsetError::Unknown) => Oddity::CharsetUnknown,
            Self::ControlIdMissing | Self::KindMissing | Self::Separators(_) => Oddity::HeaderUnusable,
            Self::Empty | Self::NoHeader | Self::Xml => Oddity::NotHl7,
            Self::TooLong => Oddity::MessageTooLong,
            Self::VersionUnknown => Oddity::VersionUnknown,
        }
    }
}
