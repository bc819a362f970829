//! What events were called before FHIRcast had its present names, by pages of its first year (CLI-39).

/// Old names, and what they are called now. To switch to something was to open it.
const NAMES: [(&str, &str); 6] = [
    ("open-patient-chart", "Patient-open"),
    ("switch-patient-chart", "Patient-open"),
    ("close-patient-chart", "Patient-close"),
    ("open-imaging-study", "ImagingStudy-open"),
    ("switch-imaging-study", "ImagingStudy-open"),
    ("close-imaging-study", "ImagingStudy-close"),
];

/// The present name of the event that `name` was once; `None` for every other text.
pub fn present(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(old, _)| old.eq_ignore_ascii_case(name)).map(|(_, present)| *present)
}

/// What `name` means where old names are understood; elsewhere, itself.
pub fn meant(name: &str, old_names_are_understood: bool) -> &str {
    present(name).filter(|_| old_names_are_understood).unwrap_or(name)
}

/// Whether who follows the old name `spelling` follows the event that is called `name` now.
pub fn means(spelling: &str, name: &str) -> bool {
    present(spelling).is_some_and(|present| present.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::EventName;

    #[test]
    fn cli_39_old_names_mean_present_ones_in_any_case_and_nothing_else_does() {
        for (old, now) in [
            ("open-patient-chart", Some("Patient-open")),
            ("Switch-Patient-Chart", Some("Patient-open")),
            ("close-patient-chart", Some("Patient-close")),
            ("open-imaging-study", Some("ImagingStudy-open")),
            ("switch-imaging-study", Some("ImagingStudy-open")),
            ("CLOSE-IMAGING-STUDY", Some("ImagingStudy-close")),
            ("Patient-open", None),
            ("open-patient-charts", None),
            ("", None),
        ] {
            assert_eq!(present(old), now, "{old}");
            assert_eq!(means(old, "patient-OPEN"), now == Some("Patient-open"), "{old}");
        }
        assert!(NAMES.iter().all(|(_, present)| EventName::parse(present).is_ok()));
    }
}
