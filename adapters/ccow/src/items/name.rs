//! Item names: `Subject.Role.Name[.Suffix]`, with descriptors in brackets before custom subjects and names. Section 9.

use std::sync::Arc;

use super::subject::Subject;
use crate::exception::{Exception, ExceptionName};

/// The name of an item. Two are the same in any case.
#[derive(Clone, Debug)]
pub struct ItemName {
    text: Arc<str>,
    key: Arc<str>,
    subject: Subject,
    role: Role,
    /// The third part, without case or descriptor: `mrn`. Empty where a custom subject has none.
    name: Arc<str>,
    /// Where the suffix starts in `text`.
    suffix: usize,
}

/// What an item is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It identifies its subject.
    Identifier,
    /// It corroborates: a person can check by it that the right subject was found.
    Corroborating,
    /// It annotates, as certificates do.
    Annotation,
    /// An action's input.
    Input,
    /// An action's output.
    Output,
}

/// The roles as they are written.
pub(crate) const ROLES: [(&str, Role); 5] = [
    ("Id", Role::Identifier),
    ("Co", Role::Corroborating),
    ("An", Role::Annotation),
    ("In", Role::Input),
    ("Ou", Role::Output),
];

impl Role {
    /// The role that `text` names, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        ROLES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, role)| *role)
    }
}

impl ItemName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`ExceptionName::BadItemNameFormat`], with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Exception> {
        let bad = |what: &str| Exception::new(ExceptionName::BadItemNameFormat, format!("an item name {what}"));
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(bad("is too long"));
        }
        if text.contains(|character: char| character.is_control() || "|*=&%".contains(character)) {
            return Err(bad("holds a character that names do not have"));
        }
        let parts = parts(text).ok_or_else(|| bad("has a bracket without its other half"))?;
        let [subject, role, rest @ ..] = &parts[..] else { return Err(bad("has no role: it is Subject.Role.Name")) };
        let subject = Subject::parse(subject).ok_or_else(|| bad("has no subject"))?;
        let role = Role::parse(role).ok_or_else(|| bad("has a role other than Id, Co, An, In and Ou"))?;
        if rest.is_empty() && subject.descriptor().is_none() {
            return Err(bad("ends with its role: it is Subject.Role.Name"));
        }
        if rest.iter().any(|part| undescribed(part).is_empty()) {
            return Err(bad("has an empty part"));
        }
        let text = inferred(text, &subject, rest.first().copied());
        let suffix = rest.get(1..).map_or(0, |suffix| suffix.iter().map(|part| part.len() + 1).sum::<usize>());
        let name = rest.first().map_or_else(String::new, |name| undescribed(name).to_ascii_lowercase());
        let suffix = text.len() - suffix.saturating_sub(1);
        Ok(Self { key: text.to_ascii_lowercase().into(), text: text.into(), subject, role, name: name.into(), suffix })
    }

    /// As spelt.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What names are compared by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The subject that it belongs to.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The third part, in lower case and without its descriptor: `mrn`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the site has put behind the name, as spelt; empty where there is none.
    pub fn suffix(&self) -> &str {
        &self.text[self.suffix..]
    }

    /// Whether its value is compared with regard to case: logon names. Section 9.
    pub fn value_has_case(&self) -> bool {
        *self.subject() == Subject::user()
    }

    /// Whether whoever knows its value passes for the user: kept nowhere and shown to nobody. Section 12.
    pub fn is_bearer_secret(&self) -> bool {
        let last = self.key.rsplit('.').next().unwrap_or_default();
        ["token", "password", "passcode", "assertion"].iter().any(|word| last.ends_with(word))
    }

    /// Whether it stays among CCOW's applications: social security numbers are never passed on. Section 12.
    pub fn is_withheld(&self) -> bool {
        self.is_bearer_secret() || self.name() == "ssn" || self.suffix().eq_ignore_ascii_case("ssn")
    }
}

impl PartialEq for ItemName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ItemName {}

/// Longer names are nobody's.
const LONGEST: usize = 256;

/// The parts between dots that stand in no brackets; `None` where brackets do not match.
pub(crate) fn parts(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' if !open => open = true,
            b']' if open => open = false,
            b'[' | b']' => return None,
            b'.' if !open => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!open).then_some(parts)
}

/// A part without the descriptor before it.
pub(crate) fn undescribed(part: &str) -> &str {
    part.strip_prefix('[').and_then(|part| part.split_once(']')).map_or(part, |(_, name)| name)
}

/// The name's text without a descriptor that says again what the subject's says: it is omitted where it can be inferred.
fn inferred(text: &str, subject: &Subject, name: Option<&str>) -> String {
    let own = name.and_then(|name| Some((name, name.strip_prefix('[')?.split_once(']')?)));
    match (own, subject.descriptor()) {
        (Some((name, (descriptor, plain))), Some(subject)) if descriptor.eq_ignore_ascii_case(subject) => {
            // The name's own place, not a suffix that is spelt like it.
            let at = name.as_ptr() as usize - text.as_ptr() as usize;
            format!("{}{plain}{}", &text[..at], &text[at + name.len()..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, subject: &str, role: Role, name: &str, suffix: &str) {
        let item = ItemName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = (item.subject().key(), item.role(), item.name(), item.suffix());
        assert_eq!(found, (subject, role, name, suffix), "{text}");
    }

    #[test]
    fn section_9_names_have_subject_role_name_and_suffix() {
        use Role::*;
        check("Patient.Id.MRN.Suffix", "patient", Identifier, "mrn", "Suffix");
        check("patient.id.mrn.dfn_500_test", "patient", Identifier, "mrn", "dfn_500_test");
        check("Patient.Co.PatientName", "patient", Corroborating, "patientname", "");
        check("Patient.Id.IdList.1", "patient", Identifier, "idlist", "1");
        check(
            "DICOMStudy.Co.Placer_Order_Number.RIS.East",
            "dicomstudy",
            Corroborating,
            "placer_order_number",
            "RIS.East",
        );
        check("AuthenticateUser.Ou.Status", "authenticateuser", Output, "status", "");
        check("AuthenticateUser.In.ExpectedUserLogon.ad", "authenticateuser", Input, "expecteduserlogon", "ad");
        check("Certificate.An.X", "certificate", Annotation, "x", "");
    }

    #[test]
    fn section_9_descriptors_hold_dots_and_are_taken_off_first() {
        use Role::*;
        let custom = "[vendor.example]DateRange.id.[other.example]StartDate";
        check(custom, "[vendor.example]daterange", Identifier, "startdate", "");
        check("Patient.Co.[vendor.example]Current_medications", "patient", Corroborating, "current_medications", "");
        check("[vendor.example]Payer.Id", "[vendor.example]payer", Identifier, "", "");
        check("[vendor.example]Payer.Co.Name.a.b", "[vendor.example]payer", Corroborating, "name", "a.b");
    }

    #[test]
    fn section_9_a_descriptor_that_can_be_inferred_is_left_out() {
        for (text, expected) in [
            ("[a.example]Payer.Co.[A.example]Name.x", "[a.example]Payer.Co.Name.x"),
            ("[a.example]Payer.Co.[b.example]Name", "[a.example]Payer.Co.[b.example]Name"),
            ("[a]Payer.Co.[a]Name.[a]Name", "[a]Payer.Co.Name.[a]Name"),
        ] {
            let name = ItemName::parse(text).unwrap();
            assert_eq!(name.text(), expected);
            assert_eq!(name, ItemName::parse(expected).unwrap());
            assert_eq!(name.suffix(), ItemName::parse(expected).unwrap().suffix());
        }
    }

    #[test]
    fn section_9_names_have_no_case() {
        assert_eq!(ItemName::parse("PATIENT.ID.MRN.A").unwrap(), ItemName::parse(" patient.id.mrn.a ").unwrap());
        assert_ne!(ItemName::parse("Patient.Id.MRN.A").unwrap(), ItemName::parse("Patient.Id.MRN.B").unwrap());
    }

    #[test]
    fn malformed_names_are_refused() {
        let long = format!("Patient.Id.{}", "a".repeat(LONGEST));
        for text in [
            "",
            ".",
            "Patient",
            "Patient.",
            "Patient.Id",
            "Patient.Id.",
            "Patient.Xx.MRN",
            "Patient.MRN.Id",
            ".Id.MRN",
            "Patient..MRN",
            "Patient.Id..A",
            "Patient.Id.MRN.",
            "[a]Payer",
            "[aPayer.Id.X",
            "a]Payer.Id.X",
            "[a].Id.X",
            "[[a]]Payer.Id.X",
            "Patient.Id.[a]",
            "Patient.Id.A|B",
            "Patient.Id.*",
            "Patient.Id.A\n",
            "Patient.Id.A\u{0}B",
            &long,
        ] {
            let trimmed_is_fine = text == "Patient.Id.A\n";
            let parsed = ItemName::parse(text);
            assert_eq!(parsed.is_ok(), trimmed_is_fine, "{text:?}");
            if let Err(exception) = parsed {
                assert_eq!(exception.name, ExceptionName::BadItemNameFormat, "{text:?}");
            }
        }
    }

    #[test]
    fn section_12_secrets_and_social_security_numbers_are_known() {
        let check = |text: &str, secret: bool, withheld: bool| {
            let name = ItemName::parse(text).unwrap();
            assert_eq!((name.is_bearer_secret(), name.is_withheld()), (secret, withheld), "{text}");
        };
        check("user.id.logon.vistatoken", true, true);
        check("User.An.SamlAssertion", true, true);
        check("User.Id.Logon.Token.x", false, false);
        check("Patient.Co.SSN", false, true);
        check("patient.id.mrn.ssn", false, true);
        check("user.id.logon.vistalogon", false, false);
        check("Patient.Id.MRN.General", false, false);
    }

    proptest! {
        #[test]
        fn no_name_panics_and_what_is_read_reads_back(text in "[PatienIdCo.\\[\\]aé |*]{0,24}|\\PC{0,24}|(\\[[ab.]{0,3}\\])?P\\.(Id|co)(\\.(\\[[ab.]{0,3}\\])?[ab]){0,3}") {
            if let Ok(name) = ItemName::parse(&text) {
                let again = ItemName::parse(name.text()).unwrap();
                prop_assert_eq!(&again, &name);
                prop_assert_eq!(again.text(), name.text());
                prop_assert_eq!(again.suffix(), name.suffix());
                prop_assert_eq!(again.subject(), name.subject());
            }
        }
    }
}
