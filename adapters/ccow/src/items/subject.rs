//! Subjects: what a context is of, and which of them stand and fall with another. Sections 5 and 9.

use std::fmt;
use std::sync::Arc;

/// A subject, without case: `patient`, `[vendor.example]payer`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

/// The standard's own subjects, as it writes them.
pub(crate) const STANDARD: [&str; 10] = [
    "Patient",
    "User",
    "Encounter",
    "Observation",
    "DICOMStudy",
    "DICOMStudyComponent",
    "DICOMSeries",
    "DICOMInstance",
    "Certificate",
    "AuthenticateUser",
];

impl Subject {
    /// Reads the first part of an item's name, or an element of a filter. `None` where nothing is left without its
    /// descriptor.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = text.rsplit(']').next().unwrap_or(text);
        (!plain.is_empty()).then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// Whom the applications show.
    pub fn patient() -> Self {
        Self("patient".into())
    }

    /// Who sits at the screen.
    pub fn user() -> Self {
        Self("user".into())
    }

    /// What subjects are compared by: lower case.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// As the standard writes it; a site's own as it is compared.
    pub fn text(&self) -> &str {
        STANDARD.iter().find(|name| name.eq_ignore_ascii_case(&self.0)).copied().unwrap_or(&self.0)
    }

    /// The descriptor of a custom subject.
    pub fn descriptor(&self) -> Option<&str> {
        self.0.strip_prefix('[')?.split_once(']').map(|(descriptor, _)| descriptor)
    }

    /// The subject without which this one means nothing, and which takes this one with it when it changes.
    pub fn parent(&self) -> Option<Self> {
        match &*self.0 {
            "encounter" | "observation" => Some(Self::patient()),
            dicom if dicom.starts_with("dicom") => Some(Self::patient()),
            "certificate" => Some(Self::user()),
            _ => None,
        }
    }

    /// Whether it is one that needs an identifier whenever it is set.
    pub fn is_identity(&self) -> bool {
        STANDARD[..8].iter().any(|name| name.eq_ignore_ascii_case(&self.0))
    }

    /// Whether setting it would need a signature: the user, and what depends on the user. Section 12.
    pub fn is_secure(&self) -> bool {
        *self == Self::user() || self.parent() == Some(Self::user())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_9_subjects_depend_on_others() {
        for (subject, parent) in [
            ("Patient", None),
            ("USER", None),
            ("Encounter", Some("patient")),
            ("observation", Some("patient")),
            ("DICOMStudy", Some("patient")),
            ("DicomSeries", Some("patient")),
            ("Certificate", Some("user")),
            ("[vendor.example]Payer", None),
        ] {
            let found = Subject::parse(subject).unwrap().parent();
            assert_eq!(found.as_ref().map(Subject::key), parent, "{subject}");
        }
    }

    #[test]
    fn the_standards_subjects_have_its_spelling() {
        assert_eq!(Subject::parse(" dicomstudy ").unwrap().text(), "DICOMStudy");
        assert_eq!(Subject::parse("[Vendor.example]Payer").unwrap().text(), "[vendor.example]payer");
        assert_eq!(Subject::parse("[vendor.example]"), None);
        assert_eq!(Subject::parse(" "), None);
    }
}
