//! `mapping new`.

use std::fs;

use super::Site;

/// A sample of each kind of message that can be drafted from, the event that it may mean, and who did it.
const SAMPLES: [(&str, &str, &str, &str); 6] = [
    (
        "ORM",
        "MSH|^~\\&|RIS_A|MAIN|||20260504081530||ORM^O01|1|P|2.3.1\n\
         PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n\
         ORC|SC|P77001|F77001||IP||||20260504081528||||||||||MLINDQV\n\
         OBR|1|P77001|F77001|CTCHWO^CT chest without contrast||||||||||||||A2026-00815\n\
         ZDS|1.2.826.0.1.3680043.9.7133.1\n",
        "ImagingStudy-open",
        "mlindqv",
    ),
    (
        "OMI",
        "MSH|^~\\&|RIS_B|MAIN|||20260504081530+0200||OMI^O23^OMI_O23|1|P|2.5.1\n\
         PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n\
         PV1|1|O|||||||||||||||||V77^^^LAKESIDE\n\
         ORC|XO|P77001|F77001||CM||||20260504081528+0200||||||||||MLINDQV\n\
         OBR|1|P77001|F77001|CTCHWO^CT chest without contrast^L\n\
         IPC|A2026-00815|RP1|1.2.826.0.1.3680043.9.7133.1|SPS1|CT\n",
        "ImagingStudy-close",
        "mlindqv",
    ),
    (
        "ORU",
        "MSH|^~\\&|RIS_C|MAIN|||20260504081530||ORU^R01|1|P|2.5.1\n\
         PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n\
         ORC|RE|P77001|F77001\n\
         OBR|1|P77001|F77001|CTCHWO^CT chest without contrast||||||||||||||A2026-00815|||||||P|||||||\
         MLINDQV&Lindqvist&Maria\n\
         OBX|1|HD|113014^DICOM Study^DCM||1.2.826.0.1.3680043.9.7133.1||||||P\n\
         OBX|2|TX|FIND^Findings^L||Mrs. Okafor has a clear chest||||||P\n",
        "DiagnosticReport-open",
        "mlindqv",
    ),
    (
        "ADT",
        "MSH|^~\\&|PAS_D|MAIN|||20260504081530||ADT^A04^ADT_A01|1|P|2.5.1\n\
         EVN|A04|20260504081530|||MLINDQV\n\
         PID|1||4455667^^^LAKESIDE^MR~77123^^^LAKESIDE^AN||Okafor^Ngozi||19700412|F\n\
         PV1|1|O|DESK1\n",
        "Patient-open",
        "mlindqv",
    ),
    (
        "SIU",
        "MSH|^~\\&|PLAN_E|MAIN|||20260504081530||SIU^S14^SIU_S12|1|P|2.5.1\n\
         SCH|P1|F1||||CHECKUP||||||||||||||MLINDQV^Lindqvist^Maria|||||ARRIVED\n\
         PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n",
        "Patient-open",
        "mlindqv",
    ),
    (
        "MDM",
        "MSH|^~\\&|DICT_F|MAIN|||20260504081530||MDM^T02^MDM_T02|1|P|2.5.1\n\
         PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n\
         ORC|RE|P77001|F77001\n\
         OBR|1|P77001|F77001|CTCHWO^CT chest without contrast||||||||||||||A2026-00815\n\
         TXA|1|DI|TX|||||||MLINDQV^Lindqvist^Maria||DOC1|||||IP\n",
        "DiagnosticReport-open",
        "mlindqv",
    ),
];

/// A site with the samples beside its mappings' directory.
fn site() -> (Site, Site) {
    let samples = Site::new(&[]);
    SAMPLES.iter().for_each(|(kind, text, ..)| samples.write(&format!("{kind}-Okafor.hl7"), text));
    (Site::new(&[]), samples)
}

#[test]
fn what_is_drafted_from_a_message_of_each_kind_is_right_and_passes_its_case() {
    let (site, samples) = site();
    for (kind, _, event, user) in SAMPLES {
        let name = format!("vendors/{}", kind.to_lowercase());
        let said = site.succeed(&["mapping", "new", &name, "--from", &samples.path(&format!("{kind}-Okafor.hl7"))]);
        assert!(said.contains(&format!("event       {event} when")), "{said}");
        let case = site.read(&format!("{name}/cases/first.md"));
        assert!(case.contains(&format!("\"event\": \"{event}\"")), "{case}");
        assert!(case.contains(&format!("\"user\": \"{user}\"")), "{case}");
    }
    let (code, said, warnings) = site.run(&["check"]);
    assert_eq!((code, warnings.as_str()), (0, ""), "{said}");
    let said = site.succeed(&["test"]);
    assert!(said.contains("6 of 6 cases passed"), "{said}");
}

#[test]
fn one_mapping_is_drafted_from_messages_of_every_kind() {
    let (site, samples) = site();
    let said = site.succeed(&["mapping", "new", "all", "--from", &samples.path("")]);
    for (_, _, event, _) in SAMPLES {
        assert!(said.contains(event), "{said}");
    }
    assert_eq!(site.run(&["check"]).2, "");
    assert!(site.succeed(&["test"]).contains("6 of 6 cases passed"));
}

#[test]
fn the_draft_says_what_was_guessed_and_what_to_look_at() {
    let (site, samples) = site();
    samples.write("other.hl7", &SAMPLES[0].1.replace("|IP|", "|ZZ|").replace("7133.1\n", "7133.1|RAD-DESK-03\n"));
    site.succeed(&[
        "mapping",
        "new",
        "x",
        "--from",
        &samples.path("ORM-Okafor.hl7"),
        "--from",
        &samples.path("other.hl7"),
    ]);
    insta::assert_snapshot!(site.read("x.toml"));
}

#[test]
fn a_sample_of_a_sender_that_is_known_extends_its_mapping() {
    let (site, samples) = site();
    let sample = samples.path("ADT-Okafor.hl7");
    site.succeed(&["mapping", "new", "first", "--from", &sample]);
    let said = site.succeed(&["mapping", "new", "second", "--from", &sample]);
    assert!(said.contains("extends     first, which speaks for such messages already"), "{said}");
    assert!(site.succeed(&["test"]).contains("2 of 2 cases passed"));
}

#[test]
fn nobody_is_named_once_the_samples_are_anonymized() {
    let (site, samples) = site();
    let said = site.succeed(&["mapping", "new", "x", "--anonymize", "--from", &samples.path("")]);
    let written = [site.read("x.toml"), site.read("x/cases/first.md"), said].join("\n");
    for known in ["Okafor", "Ngozi", "Lindqvist", "MLINDQV", "mlindqv", "4455667", "19700412", "A2026-00815"] {
        assert!(!written.contains(known), "{known} in {written}");
    }
    insta::assert_snapshot!(written.split_once("\nanonymized\n").unwrap().1);
    assert!(site.succeed(&["test"]).contains("6 of 6 cases passed"));
}

#[test]
fn what_is_written_never_has_the_name_of_a_samples_file() {
    let (site, samples) = site();
    let said = site.succeed(&["mapping", "new", "x", "--from", &samples.path("SIU-Okafor.hl7")]);
    assert!(said.contains("SIU-Okafor.hl7"), "the terminal tells which sample is which: {said}");
    let written = site.read("x.toml") + site.read("x/cases/first.md").split("```").next().unwrap();
    assert!(!written.contains("SIU-Okafor"), "{written}");
}

#[test]
fn what_cannot_be_a_sample_is_refused_with_its_reason_and_nothing_is_written() {
    let (site, samples) = site();
    samples.write("empty.hl7", "");
    samples.write("letter.txt", "Dear colleague,\nthank you.\n");
    samples.write("short.hl7", "MSH|^~\\&|A\n");
    samples.write("tree.xml", "<ORM_O01 xmlns=\"urn:hl7-org:v2xml\"/>\n");
    fs::write(samples.path("picture.png"), b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe").unwrap();
    fs::create_dir(samples.path("nothing")).unwrap();
    for (file, words) in [
        ("empty.hl7", "there is no message in "),
        ("nothing", "there is no file with a message in the folder "),
        ("missing.hl7", "missing.hl7: No such file"),
        ("letter.txt", "letter.txt cannot be a sample: "),
        ("picture.png", "picture.png cannot be a sample: "),
        ("short.hl7", "short.hl7 cannot be a sample: MSH-9, the message type, is missing"),
        ("tree.xml", "tree.xml cannot be a sample: v2 XML is not accepted here, send ER7"),
    ] {
        // The one that is right does not hide the other.
        let good = samples.path("ORM-Okafor.hl7");
        let (code, said, errors) = site.run(&["mapping", "new", "x", "--from", &good, "--from", &samples.path(file)]);
        assert_eq!((code, said.as_str()), (1, ""), "{file}");
        assert!(errors.contains(words), "no {words} in {errors}");
        assert_eq!(fs::read_dir(site.directory()).unwrap().count(), 0, "{file} left something");
    }
}

#[test]
fn nothing_is_overwritten_and_a_name_must_be_one_of_a_file() {
    let (site, samples) = site();
    let sample = samples.path("ADT-Okafor.hl7");
    site.succeed(&["mapping", "new", "x", "--from", &sample]);
    for (name, words) in [
        ("x", "there is a mapping `x` already"),
        ("hl7v2/patient", "there is a mapping `hl7v2/patient` already"),
        ("../x", "`../x` cannot be a mapping's name"),
        ("x.toml", "`x.toml` cannot be a mapping's name"),
        ("", "`` cannot be a mapping's name"),
    ] {
        let (code, _, errors) = site.run(&["mapping", "new", name, "--from", &sample]);
        assert_eq!(code, 1, "{name}");
        assert!(errors.contains(words), "no {words} in {errors}");
    }
}
