//! What the standard's messages and segments hold, in any version from 2.1 to 2.9 (and what 2.9.1 adds): the union of them, so
//! that only what no version has is called wrong. Sources: the message structures and segment definitions of the versions.

use super::{FieldPath, FieldStep, SegmentId};

/// Whether a segment of that name is in the standard.
pub(super) fn is_segment(name: &str) -> bool {
    fields(name).is_some()
}

/// The highest number of a field in the segment, in any version; none where it is not in the standard, 0 where it is open.
fn fields(name: &str) -> Option<u16> {
    SEGMENTS.split_ascii_whitespace().find_map(|entry| match entry.split_once(':') {
        Some((known, highest)) => (known == name).then(|| highest.parse().unwrap_or_default()),
        None => (entry == name).then_some(0),
    })
}

/// What is wrong with a field that its segment has in no version.
pub(super) fn beyond(segment: SegmentId, number: u16) -> Option<String> {
    let name = std::str::from_utf8(&segment).ok()?;
    let highest = fields(name).filter(|highest| *highest > 0 && number > *highest)?;
    Some(format!("{name} has fields 1 to {highest}"))
}

/// Why no message of one of these `types` has the segment of `path`: in no version, and not by IHE.
pub(super) fn lacking(path: &FieldPath, types: &[&str]) -> Option<String> {
    let FieldPath::Absolute { segment, .. } = path else { return None };
    let name = std::str::from_utf8(segment).ok()?;
    let anywhere = (name.starts_with('Z') && name != "ZDS") || listed(ANYWHERE, name);
    if anywhere || types.is_empty() || !(is_segment(name) || name == "ZDS") {
        return None;
    }
    let lacks = |of: &&str| MESSAGES.iter().any(|(known, segments)| known == of && !listed(segments, name));
    types.iter().all(lacks).then(|| format!("no {} message has the segment {name}", types.join(" or ")))
}

/// Whether `path` is the message's type, MSH-9.1.
pub(super) fn is_message_type(path: &FieldPath) -> bool {
    let FieldPath::Absolute { segment: [b'M', b'S', b'H'], field: Some(field), .. } = path else { return false };
    matches!(field, FieldStep { number: 9, below: [None | Some(1), None], .. })
}

/// Whom a field names, where that is a person who sits elsewhere than at the screen that the message comes from.
pub(super) fn bystander(path: &FieldPath) -> Option<&'static str> {
    let FieldPath::Absolute { segment, field: Some(field), .. } = path else { return None };
    match (segment, field.number) {
        (b"ORC", 12) | (b"OBR", 16) => Some("the ordering provider"),
        (b"PV1", 7) => Some("the attending doctor"),
        _ => None,
    }
}

fn listed(names: &str, name: &str) -> bool {
    names.split_ascii_whitespace().any(|known| known == name)
}

/// Segments that are not looked for in single messages: they are common to all, or came to many with the latest versions.
const ANYWHERE: &str = "ADD ARV DEV DSC ERR GSC GSP GSR MSA MSH NTE OH1 OH2 OH3 OH4 PRT SFT UAC";

/// The types of messages of which the segments are known, with the segments of all their events; ZDS is where IHE puts it.
const MESSAGES: [(&str, &str); 12] = [
    (
        "ADT",
        "ACC AL1 AUT DB1 DG1 DRG EVN GT1 IAM IAR IN1 IN2 IN3 MRG NK1 NPU OBX PD1 PDA PID PR1 PV1 PV2 RF1 ROL UB1 \
         UB2",
    ),
    ("BAR", "ABS ACC AL1 BLC DB1 DG1 DRG EVN GP1 GP2 GT1 IN1 IN2 IN3 NK1 OBX PD1 PID PR1 PV1 PV2 RMI ROL UB1 UB2"),
    ("DFT", "ACC DB1 DG1 DRG EVN FT1 GT1 IN1 IN2 IN3 OBR OBX ORC PD1 PID PR1 PV1 PV2 ROL TQ1 TQ2"),
    ("MDM", "CON EVN OBR OBX ORC PID PV1 TQ1 TQ2 TXA ZDS"),
    (
        "OMG",
        "AL1 BLG CTD CTI DG1 FT1 GT1 IN1 IN2 IN3 NK1 OBR OBX ORC PD1 PID PV1 PV2 REL ROL SAC SGH SGT SPM TQ1 TQ2 \
         ZDS",
    ),
    ("OMI", "AL1 CTD DG1 GT1 IN1 IN2 IN3 IPC OBR OBX ORC PD1 PID PV1 PV2 REL ROL TQ1 TQ2 ZDS"),
    (
        "OML",
        "AL1 BLG CTD CTI DG1 FT1 GT1 IN1 IN2 IN3 IPC NK1 OBR OBX ORC PAC PD1 PID PV1 PV2 REL ROL SAC SGH SGT SHP \
         SPM TCD TQ1 TQ2 ZDS",
    ),
    ("ORM", "AL1 BLG CTD CTI DG1 FT1 GT1 IN1 IN2 IN3 OBR OBX ODS ODT ORC ORO PD1 PID PV1 PV2 RQ1 RQD RX1 RXO ZDS"),
    ("ORU", "CTD CTI FT1 IN1 IN2 IN3 NK1 OBR OBX ORC PD1 PID PV1 PV2 ROL SPM TQ1 TQ2 TXA ZDS"),
    ("OUL", "CTI INV NK1 OBR OBX ORC PD1 PID PV1 PV2 ROL SAC SID SPM TCD TQ1 TQ2 TXA ZDS"),
    ("SIU", "AIG AIL AIP AIS DG1 OBX PD1 PID PV1 PV2 RGS SCH TQ1 ZDS"),
    ("VXU", "GT1 IN1 IN2 IN3 NK1 OBX ORC PD1 PID PV1 PV2 RXA RXR TQ1 TQ2"),
];

/// The segments, each with the highest number of its fields, where it has one.
const SEGMENTS: &str = "
    ABS:14 ACC:13 ADD ADJ:15 AFF:5 AIG:14 AIL:12 AIP:12 AIS:12 AL1:6 APR:5 ARQ:26 ARV:10 AUT:29 BHS:17 BLC:2 BLG:4
    BPO:14 BPX:22 BTS:3 BTX:21 BUI:13 CDM:13 CDO:4 CER:31 CM0:11 CM1:3 CM2:4 CNS:6 CON:25 CSP:4 CSR:17 CSS:3 CTD:7
    CTI:4 CTR:21 DB1:8 DEV:17 DG1:26 DMI:5 DON:34 DPS:5 DRG:33 DSC DSP DST:2 ECD:5 ECR:3 EDU:9 EQL:4 EQP:5 EQU:6
    ERQ:3 ERR:12 EVN:7 FAC:12 FHS:17 FT1:56 FTS:2 GOL:22 GP1:5 GP2:14 GSC:8 GSP:7 GSR:10 GT1:57 IAM:30 IAR:4 IIM:15
    ILT:10 IN1:56 IN2:73 IN3:31 INV:22 IPC:10 IPR:8 ISD:3 ITM:38 IVC:30 IVT:26 LAN:4 LCC:4 LCH:5 LDP:12 LOC:9 LRL:6
    MCP:5 MFA:6 MFE:7 MFI:6 MRG:7 MSA:8 MSH:28 NCK:1 NDS:4 NK1:41 NPU:2 NSC:9 NST:15 NTE:9 OBR:55 OBX:33 ODS:4
    ODT:3 OH1:7 OH2:18 OH3:8 OH4:6 OM1:59 OM2:11 OM3:8 OM4:18 OM5:4 OM6:3 OM7:24 OMC:13 ORC:38 ORG:13 ORO OSD OSP OVR:5
    PAC:9 PCE:4 PCR:23 PD1:23 PDA:9 PDC:15 PEO:25 PES:13 PID:40 PKG:11 PM1:24 PMT:12 PR1:25 PRA:12 PRB:28 PRC:18
    PRD:14 PRT:24 PSG:6 PSH:14 PSL:48 PSS:5 PTH:7 PV1:54 PV2:50 PYE:7 QAK:6 QID QPD QRD:12 QRF:10 QRI RCP:7 RDF RDT
    REL:18 RF1:25 RFI:4 RGS:3 RMI:3 ROL:14 RQ1:7 RQD:10 RX1:30 RXA:29 RXC:11 RXD:35 RXE:45 RXG:33 RXO:36 RXR:6
    RXV:22 SAC:49 SCD:37 SCH:28 SCP:8 SDD:7 SFT:6 SGH:2 SGT:2 SHP:12 SID:4 SLT:5 SPM:35 SPR:4 STF:41 STZ:4 TCC:15
    TCD:11 TQ1:14 TQ2:10 TXA:31 UAC:2 UB1:23 UB2:17 URD:7 URS:9 VAR:6 VND:11 VTQ:5
";

#[cfg(test)]
mod tests {
    use fhircast_gateway_adapter_api::{Grammar, Path};

    use super::super::Hl7v2;
    use super::*;

    fn path(text: &str) -> Path {
        Hl7v2.path(text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
    }

    #[test]
    fn fields_go_as_far_as_any_version_lets_them() {
        for (last, message) in [
            ("MSH-28", "MSH has fields 1 to 28"),
            ("PID-40", "PID has fields 1 to 40"),
            ("PV1-54", "PV1 has fields 1 to 54"),
            ("ORC-38", "ORC has fields 1 to 38"),
            ("OBR-55", "OBR has fields 1 to 55"),
            ("OBX[3.1=113014]-33", "OBX has fields 1 to 33"),
            ("TXA-31", "TXA has fields 1 to 31"),
            ("IPC-10", "IPC has fields 1 to 10"),
        ] {
            path(last);
            let (segment, number) = last.rsplit_once('-').unwrap();
            let beyond = format!("{segment}-{}", number.parse::<u16>().unwrap() + 1);
            let error = Hl7v2.path(&beyond).unwrap_err();
            assert_eq!(error.message, message);
            assert_eq!(beyond[error.span], beyond[segment.len() + 1..]);
        }
        for open in ["ZDS-99", "RDT-99", "QPD-99", "XYZ-99"] {
            path(open);
        }
    }

    #[test]
    fn segments_that_no_message_of_its_type_has_are_known() {
        for (text, types, expected) in [
            ("ZDS-1", &["ADT"][..], Some("no ADT message has the segment ZDS")),
            ("OBR-18", &["ADT"], Some("no ADT message has the segment OBR")),
            ("ORC", &["ADT", "SIU"], Some("no ADT or SIU message has the segment ORC")),
            ("ORC-1", &["ADT", "ORM"], None),
            ("MRG-1", &["ADT"], None),
            ("MRG-1", &["ORM"], Some("no ORM message has the segment MRG")),
            ("IPC-1", &["OMI"], None),
            ("ZDS-1", &["ORM"], None),
            ("ZDK-1", &["ADT"], None),
            ("NTE-3", &["ADT"], None),
            ("TXA-17", &["MDM"], None),
            ("TXA-17", &["ORU"], None),
            ("SCH-1", &["SIU"], None),
            ("ORC-1", &["XYZ"], None),
            ("XYZ-1", &["ADT"], None),
            (".1", &["ADT"], None),
            ("ORC-1", &[], None),
        ] {
            let kind = path("MSH-9");
            assert_eq!(
                Hl7v2.never_has(&path(text), &[(&kind, types.to_vec())]).as_deref(),
                expected,
                "{text} {types:?}"
            );
        }
        let (field, kind, other) = (path("ZDS-1"), path("MSH-9.1"), path("MSH-9.2"));
        assert_eq!(Hl7v2.never_has(&field, &[(&other, vec!["ADT"])]), None, "the type is not said");
        let known = [(&kind, vec!["ADT", "ORM"]), (&other, vec!["A04"]), (&kind, vec!["ADT"])];
        assert!(Hl7v2.never_has(&field, &known).is_some(), "what is said twice holds together");
    }

    #[test]
    fn the_doctors_who_order_and_attend_sit_elsewhere() {
        for (text, expected) in [
            ("ORC-12.1", Some("the ordering provider")),
            ("OBR-16", Some("the ordering provider")),
            ("PV1-7.1", Some("the attending doctor")),
            ("ORC-19.1", None),
            ("ORC", None),
            (".12", None),
        ] {
            assert_eq!(Hl7v2.bystander(&path(text)), expected, "{text}");
        }
    }

    #[test]
    fn every_segment_of_a_message_is_in_the_standard() {
        for (kind, segments) in MESSAGES {
            for name in segments.split_ascii_whitespace().filter(|name| *name != "ZDS") {
                assert!(is_segment(name), "{kind} {name}");
                assert!(!listed(ANYWHERE, name), "{kind} {name}");
            }
        }
    }
}
