//! Which fields say who somebody is (HL7 v2.5.1, chapters 3, 4, 6, 7, 9).

/// What a field, or a part of it, names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A whole address (XAD).
    Address,
    City,
    Date,
    Family,
    Given,
    /// A number (CX, EI, ST): its first component. Who assigned it stays.
    Id,
    /// A person (XPN).
    Person,
    Street,
    /// A telephone number or mail address (XTN).
    Telecom,
    /// A DICOM UID.
    Uid,
}

use Kind::{Address, City, Date, Id, Person, Telecom, Uid};

/// The fields of each segment that name somebody, or something that is somebody's alone.
const FIELDS: [(&str, &[(usize, Kind)]); 14] = [
    (
        "PID",
        &[
            (2, Id),
            (3, Id),
            (4, Id),
            (5, Person),
            (6, Person),
            (7, Date),
            (9, Person),
            (11, Address),
            (12, City),
            (13, Telecom),
            (14, Telecom),
            (18, Id),
            (19, Id),
            (20, Id),
            (21, Id),
            (23, City),
            (29, Date),
        ],
    ),
    (
        "NK1",
        &[
            (2, Person),
            (4, Address),
            (5, Telecom),
            (6, Telecom),
            (12, Id),
            (16, Date),
            (26, Person),
            (30, Person),
            (31, Telecom),
            (32, Address),
            (33, Id),
            (37, Id),
        ],
    ),
    (
        "GT1",
        &[
            (2, Id),
            (3, Person),
            (4, Person),
            (5, Address),
            (6, Telecom),
            (7, Telecom),
            (8, Date),
            (12, Id),
            (16, Person),
            (17, Address),
            (18, Telecom),
            (19, Id),
        ],
    ),
    ("IN1", &[(16, Person), (18, Date), (19, Address), (36, Id), (49, Id)]),
    ("IN2", &[(1, Id), (2, Id), (6, Id), (8, Id), (25, Id), (26, Id), (61, Id), (63, Telecom)]),
    ("MRG", &[(1, Id), (2, Id), (3, Id), (4, Id), (5, Id), (6, Id), (7, Person)]),
    ("PV1", &[(5, Id), (19, Id), (50, Id)]),
    ("ORC", &[(2, Id), (3, Id), (4, Id)]),
    ("OBR", &[(2, Id), (3, Id), (18, Id)]),
    ("IPC", &[(1, Id), (3, Uid)]),
    ("ZDS", &[(1, Uid)]),
    ("TXA", &[(12, Id), (13, Id), (15, Id)]),
    ("ACC", &[(11, Address)]),
    ("PD1", &[(14, Id)]),
];

/// What field `number` of `segment` names, if it names somebody.
pub(super) fn kind_of(segment: &str, number: usize) -> Option<Kind> {
    let (_, fields) = FIELDS.iter().find(|(id, _)| *id == segment)?;
    fields.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
}

impl Kind {
    /// What component `number` of such a field names; nothing where it is a code, a type, an authority.
    pub(super) fn of_component(self, number: usize) -> Option<Kind> {
        match (self, number) {
            (Self::Person, 1) => Some(Self::Family),
            (Self::Person, 2 | 3) => Some(Self::Given),
            (Self::Address, 1 | 2) => Some(Self::Street),
            (Self::Address, 3 | 8 | 9) => Some(Self::City),
            (Self::Address, 5) => Some(Self::Id),
            // The use and the type are words without digits, and stay by that.
            (Self::Telecom, _) => Some(Self::Telecom),
            (Self::Id | Self::Date | Self::Uid | Self::City, 1) => Some(self),
            _ => None,
        }
    }

    /// Whether a value of this kind says who it is outside of its field, too.
    pub(super) fn tells_wherever_it_stands(self) -> bool {
        !matches!(self, Self::City | Self::Street)
    }
}
