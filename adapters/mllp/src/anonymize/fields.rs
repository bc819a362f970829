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
    /// One of the staff (XCN): the number is the user's name, too.
    Staff,
    /// One of the staff, with when and where (NDL).
    StaffAndPlace,
    Street,
    /// A telephone number or mail address (XTN).
    Telecom,
    /// Free text.
    Text,
    /// A DICOM UID.
    Uid,
}

use Kind::{Address, City, Date, Id, Person, Staff, StaffAndPlace, Telecom, Text, Uid};

/// The fields of each segment that name somebody, or something that is somebody's alone.
const FIELDS: [(&str, &[(usize, Kind)]); 24] = [
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
    ("PV1", &[(5, Id), (7, Staff), (8, Staff), (9, Staff), (17, Staff), (19, Id), (50, Id), (52, Staff)]),
    (
        "ORC",
        &[
            (2, Id),
            (3, Id),
            (4, Id),
            (8, Id),
            (10, Staff),
            (11, Staff),
            (12, Staff),
            (14, Telecom),
            (19, Staff),
            (22, Address),
            (23, Telecom),
            (24, Address),
        ],
    ),
    (
        "OBR",
        &[
            (2, Id),
            (3, Id),
            (10, Staff),
            (13, Text),
            (16, Staff),
            (17, Telecom),
            (18, Id),
            (28, Staff),
            (29, Id),
            (32, StaffAndPlace),
            (33, StaffAndPlace),
            (34, StaffAndPlace),
            (35, StaffAndPlace),
        ],
    ),
    ("OBX", &[(16, Staff)]),
    ("EVN", &[(5, Staff)]),
    ("NTE", &[(3, Text)]),
    ("SCH", &[(1, Id), (2, Id), (12, Staff), (13, Telecom), (16, Staff), (17, Telecom), (20, Staff), (21, Telecom)]),
    ("AIP", &[(3, Staff)]),
    ("ROL", &[(4, Staff), (11, Address), (12, Telecom)]),
    ("IPC", &[(1, Id), (2, Id), (3, Uid), (4, Id)]),
    ("ZDS", &[(1, Uid)]),
    (
        "TXA",
        &[(5, Staff), (9, Staff), (10, Staff), (11, Staff), (12, Id), (13, Id), (15, Id), (22, Staff), (23, Staff)],
    ),
    ("ACC", &[(11, Address)]),
    ("PD1", &[(4, Staff), (14, Id)]),
    ("PV2", &[(13, Staff)]),
    ("PRT", &[(5, Staff), (14, Address), (15, Telecom)]),
    ("PRD", &[(2, Person), (3, Address), (5, Telecom), (7, Id)]),
    ("CTD", &[(2, Person), (3, Address), (5, Telecom), (7, Id)]),
];

/// Types of results (OBX-2) that are a person, or may say anything: texts, documents, references to them. Codes, numbers, dates
/// and short strings (ST) are results, and stay.
const TYPES: [(&str, Kind); 14] = [
    ("AD", Address),
    ("CN", Staff),
    ("CX", Id),
    ("ED", Text),
    ("EI", Id),
    ("FT", Text),
    ("PN", Person),
    ("RP", Text),
    ("TN", Telecom),
    ("TX", Text),
    ("XAD", Address),
    ("XCN", Staff),
    ("XPN", Person),
    ("XTN", Telecom),
];

/// What field `number` of `segment` names, if it names somebody; `second` is the segment's second field.
pub(super) fn kind_of(segment: &str, number: usize, second: &str) -> Option<Kind> {
    if (segment, number) == ("OBX", 5) {
        return TYPES.iter().find(|(id, _)| *id == second).map(|(_, kind)| *kind);
    }
    let (_, fields) = FIELDS.iter().find(|(id, _)| *id == segment)?;
    fields.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
}

impl Kind {
    /// What this part of a component of such a field names; nothing where it is a code, a type, an authority.
    pub(super) fn of_part(self, component: usize, subcomponent: usize) -> Option<Kind> {
        match (self, component) {
            (Self::Person, 1) | (Self::Staff, 2) => Some(Self::Family),
            (Self::Person, 2 | 3) | (Self::Staff, 3 | 4) => Some(Self::Given),
            (Self::StaffAndPlace, 1) => Self::Staff.of_part(subcomponent, 1),
            (Self::Staff, 1) => Some(Self::Id),
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
