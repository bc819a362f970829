//! What fields of HL7 v2 may say, as data: who the user is, at which workstation, and what is opened or closed.
//!
//! Sources: HL7 v2.5.1 for what the fields are; that they say whose screen it is, is our reading.

/// A field that may say something.
pub(super) struct Candidate {
    pub(super) path: &'static str,
    /// What HL7 calls it.
    pub(super) is: &'static str,
}

const fn field(path: &'static str, is: &'static str) -> Candidate {
    Candidate { path, is }
}

/// Fields that may name the user, the plainest first. Not among them are ORC-12, OBR-16 and PV1-7: those doctors sit elsewhere.
pub(super) const USERS: [Candidate; 14] = [
    field("ORC-19.1", "action by"),
    field("OBR-34.1.1", "technician"),
    field("OBR-32.1.1", "principal result interpreter"),
    field("OBR-33.1.1", "assistant result interpreter"),
    field("OBX-16.1", "responsible observer"),
    field("OBR-35.1.1", "transcriptionist"),
    field("TXA-22.1", "authentication person"),
    field("TXA-9.1", "originator"),
    field("TXA-10.1", "assigned document authenticator"),
    field("SCH-20.1", "entered by person"),
    field("AIP-3.1", "personnel resource"),
    field("EVN-5.1", "operator"),
    field("ORC-10.1", "entered by"),
    field("ORC-11.1", "verified by"),
];

/// Fields that may name the workstation, the plainest first.
pub(super) const WORKSTATIONS: [Candidate; 4] = [
    field("ORC-18.1", "entering device"),
    field("ORC-13.1", "enterer's location"),
    field("ORC-17.1", "entering organization"),
    field("EVN-7.1", "event facility"),
];

/// How many of the workstations are taken; the others name places that are larger than one.
pub(super) const SURE_WORKSTATIONS: usize = 1;

/// What messages of some kinds tell by their status.
pub(super) struct Signal {
    /// MSH-9.1
    pub(super) kinds: &'static [&'static str],
    /// The fields that hold the status.
    pub(super) status: &'static [&'static str],
    pub(super) meanings: &'static [Meaning],
}

/// One value of a status, and the event that it may mean.
pub(super) struct Meaning {
    pub(super) path: &'static str,
    /// In capitals.
    pub(super) values: &'static [&'static str],
    pub(super) event: &'static str,
    pub(super) why: &'static str,
}

const fn meaning(
    path: &'static str,
    values: &'static [&'static str],
    event: &'static str,
    why: &'static str,
) -> Meaning {
    Meaning { path, values, event, why }
}

/// What may be read from which messages. Of several meanings the first counts.
pub(super) const SIGNALS: [Signal; 5] = [
    Signal {
        kinds: &["ORM", "OMG", "OMI"],
        status: &["ORC-1", "ORC-5"],
        meanings: &[
            meaning("ORC-1", &["CA", "DC"], "ImagingStudy-close", "the order is cancelled"),
            meaning("ORC-5", &["IP"], "ImagingStudy-open", "the order is in process"),
            meaning("ORC-5", &["CM", "CA", "DC"], "ImagingStudy-close", "the order is completed or cancelled"),
        ],
    },
    Signal {
        kinds: &["ORU"],
        status: &["OBR-25"],
        meanings: &[
            meaning("OBR-25", &["P", "R", "I"], "DiagnosticReport-open", "the result is preliminary"),
            meaning("OBR-25", &["F", "C"], "DiagnosticReport-close", "the result is final"),
        ],
    },
    Signal {
        kinds: &["MDM"],
        status: &["TXA-17"],
        meanings: &[
            meaning(
                "TXA-17",
                &["DI", "DO", "IN", "IP", "PA"],
                "DiagnosticReport-open",
                "the document is being written",
            ),
            meaning("TXA-17", &["AU", "LA"], "DiagnosticReport-close", "the document is signed"),
        ],
    },
    Signal {
        kinds: &["ADT"],
        status: &["MSH-9.2"],
        meanings: &[
            meaning("MSH-9.2", &["A04"], "Patient-open", "somebody registers the patient"),
            meaning("MSH-9.2", &["A03", "A11"], "Patient-close", "the patient leaves"),
        ],
    },
    Signal {
        kinds: &["SIU"],
        status: &["SCH-25.1"],
        meanings: &[
            meaning("SCH-25.1", &["ARRIVED", "STARTED"], "Patient-open", "the patient is there"),
            meaning("SCH-25.1", &["COMPLETE", "CANCELLED", "DC", "NOSHOW"], "Patient-close", "the appointment is over"),
        ],
    },
];

/// The shipped mapping of the fields of such messages, of which some have these segments.
pub(super) fn base(kinds: &[String], has: impl Fn(&str) -> bool) -> &'static str {
    if kinds.iter().any(|kind| kind == "MDM") {
        "hl7v2/documents"
    } else if ["ORC-1", "OBR-1", "OBR-4", "IPC-1", "ZDS-1"].into_iter().any(has) {
        "hl7v2/radiology"
    } else {
        "hl7v2/patient"
    }
}

/// The fields with a value in segments of the sender's own, and the components of those that have any: `ZUS-2`, `ZUS-3.1`.
/// ZDS-1 is not among them: it is IHE's, and holds the study.
pub(super) fn own_fields(message: &str) -> Vec<String> {
    let mut separators = message.strip_prefix("MSH").unwrap_or_default().chars();
    let (Some(field), Some(component)) = (separators.next(), separators.next()) else { return Vec::new() };
    let mut fields = Vec::new();
    for line in message.split(['\r', '\n']).filter(|line| line.starts_with('Z')) {
        let mut parts = line.split(field);
        let segment = parts.next().unwrap_or_default();
        if segment.len() == 3 && segment.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            for (number, value) in (1..).zip(parts) {
                note(&format!("{segment}-{number}"), value, component, &mut fields);
            }
        }
    }
    fields.retain(|name| name != "ZDS-1" && !name.starts_with("ZDS-1."));
    fields
}

/// Adds the field `name`, or those of its components that have a value.
fn note(name: &str, value: &str, separator: char, fields: &mut Vec<String>) {
    let filled = |text: &str| !text.trim().is_empty() && text != "\"\"";
    if !value.contains(separator) {
        fields.extend(filled(value).then(|| name.to_owned()));
        return;
    }
    let components = (1..).zip(value.split(separator)).filter(|(_, text)| filled(text));
    fields.extend(components.map(|(number, _)| format!("{name}.{number}")));
}
