//! What a token may do: the `fhircast/<event>.<permission>` scopes of the standard (SCO-01, SCO-02).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::EventName;

/// The FHIRcast scopes that somebody holds. Cheap to clone. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<Granted>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Granted {
    /// What `fhircast/*.…` grants.
    every_event: Access,
    /// What is granted beyond that, event by event; names compare without regard to case.
    events: HashMap<EventName, Access>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Access {
    read: bool,
    write: bool,
}

impl Scopes {
    /// Every event, to read and to write: what an open hub grants to anybody.
    pub fn all() -> Self {
        let every_event = Access { read: true, write: true };
        Self(Arc::new(Granted { every_event, events: HashMap::new() }))
    }

    /// The scopes in a space separated list (RFC 6749 section 3.3).
    ///
    /// Scopes of others (`openid`, `patient/*.read`) and malformed FHIRcast scopes grant nothing; that is no error
    /// (SCO-02), as one token serves several resource servers.
    pub fn parse(text: &str) -> Self {
        let mut granted = Granted::default();
        for (event, access) in text.split(' ').filter_map(parse_one) {
            match event {
                None => granted.every_event.add(access),
                Some(event) => granted.events.entry(event).or_default().add(access),
            }
        }
        Self(Arc::new(granted))
    }

    /// Whether `event` may be subscribed to, and its context be read (SUB-15, CTX-07). `SyncError` needs no scope of its
    /// own: whoever may read anything may read it (SUB-16).
    pub fn can_read(&self, event: &EventName) -> bool {
        self.access(event).read || (event.is("SyncError") && self.can_read_anything())
    }

    /// Whether `event` may be published (REQ-07).
    pub fn can_write(&self, event: &EventName) -> bool {
        self.access(event).write
    }

    /// Whether any event at all may be read: without that, no subscription makes sense (SUB-15).
    pub fn can_read_anything(&self) -> bool {
        self.0.every_event.read || self.0.events.values().any(|access| access.read)
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.every_event == Access::default() && self.0.events.is_empty()
    }

    /// What both grant: of a wildcard in the one, what the other has.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let every_event = self.0.every_event.and(other.0.every_event);
        let named = self.0.events.keys().chain(other.0.events.keys());
        let both = named.map(|event| (event.clone(), self.access(event).and(other.access(event)).beyond(every_event)));
        let events = both.filter(|(_, access)| *access != Access::default()).collect();
        Self(Arc::new(Granted { every_event, events }))
    }

    fn access(&self, event: &EventName) -> Access {
        let mut access = self.0.every_event;
        access.add(self.0.events.get(event).copied().unwrap_or_default());
        access
    }
}

impl Access {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self { read: true, write: false }),
            "write" => Some(Self { read: false, write: true }),
            "*" => Some(Self { read: true, write: true }),
            _ => None,
        }
    }

    fn add(&mut self, other: Self) {
        self.read |= other.read;
        self.write |= other.write;
    }

    fn and(self, other: Self) -> Self {
        Self { read: self.read && other.read, write: self.write && other.write }
    }

    /// What it grants that `other` does not.
    fn beyond(self, other: Self) -> Self {
        Self { read: self.read && !other.read, write: self.write && !other.write }
    }

    /// The permissions as scopes spell them, one for each.
    fn permissions(self) -> impl Iterator<Item = &'static str> {
        [(self.read, "read"), (self.write, "write")].into_iter().filter_map(|(held, name)| held.then_some(name))
    }
}

/// As a space separated list, those for every event first, then by name; [`Scopes::parse`] reads it back.
impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every_event = self.0.every_event;
        let beyond =
            |(event, access): (&'_ EventName, &Access)| (event.as_str().to_owned(), access.beyond(every_event));
        let mut events: Vec<_> = self.0.events.iter().map(beyond).collect();
        events.sort_unstable_by_key(|(event, _)| event.to_ascii_lowercase());
        let mut space = "";
        for (event, access) in std::iter::once(("*".to_owned(), every_event)).chain(events) {
            for permission in access.permissions() {
                write!(formatter, "{space}fhircast/{event}.{permission}")?;
                space = " ";
            }
        }
        Ok(())
    }
}

/// The event (`None`: every event) and what is granted on it. The permission stands after the last dot, as the names of a
/// site's own events have dots themselves.
fn parse_one(scope: &str) -> Option<(Option<EventName>, Access)> {
    let (event, permission) = scope.strip_prefix("fhircast/")?.rsplit_once('.')?;
    let access = Access::parse(permission)?;
    match event {
        "*" => Some((None, access)),
        _ => EventName::parse(event).ok().map(|event| (Some(event), access)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str) -> EventName {
        EventName::parse(name).unwrap()
    }

    #[test]
    fn sco_01_each_form_of_scope_grants_what_it_says() {
        for (scopes, name, read, write) in [
            ("fhircast/Patient-open.read", "Patient-open", true, false),
            ("fhircast/Patient-open.write", "Patient-open", false, true),
            ("fhircast/Patient-open.*", "Patient-open", true, true),
            ("fhircast/*.read", "Patient-open", true, false),
            ("fhircast/*.write", "Patient-open", false, true),
            ("fhircast/*.*", "Patient-open", true, true),
            ("fhircast/Patient-open.read", "Patient-close", false, false),
            ("fhircast/patient-OPEN.read", "Patient-open", true, false),
            ("fhircast/Patient-open.read fhircast/PATIENT-open.write", "Patient-open", true, true),
            ("fhircast/*.read fhircast/Patient-open.write", "Patient-open", true, true),
            ("fhircast/*.read fhircast/Patient-open.write", "Patient-close", true, false),
            ("fhircast/org.example.case_read.read", "org.example.case_read", true, false),
            ("openid fhircast/UserLogout.write launch", "userlogout", false, true),
            ("fhircast/Home-open.read", "Home-open", true, false),
        ] {
            let granted = Scopes::parse(scopes);
            assert_eq!((granted.can_read(&event(name)), granted.can_write(&event(name))), (read, write), "{scopes}");
        }
    }

    #[test]
    fn sco_02_foreign_and_malformed_scopes_grant_nothing() {
        for scope in [
            "",
            " ",
            "openid",
            "patient/*.read",
            "system/*.*",
            "fhircast",
            "fhircast/",
            "fhircast/*",
            "fhircast/.read",
            "fhircast/*.",
            "fhircast/*.READ",
            "fhircast/*.rs",
            "fhircast/*.read,write",
            "fhircast/**.read",
            "fhircast/Patient-*.read",
            "fhircast/*-open.read",
            "fhircast/Patient.read",
            "fhircast/Patient-opened.read",
            "fhircast/Patient-open.read.",
            "fhircast/Patient-open .read",
            "fhircast//Patient-open.read",
            "FHIRcast/Patient-open.read",
            "xfhircast/*.*",
            "fhircast/*.read\u{0}",
            "fhircast/*.read\tfhircast/*.write",
            "fhircast/*.*\n",
        ] {
            assert!(Scopes::parse(scope).is_empty(), "{scope:?}");
            let beside = Scopes::parse(&format!("fhircast/Patient-open.read {scope}"));
            assert_eq!(beside, Scopes::parse("fhircast/Patient-open.read"), "{scope:?}");
        }
    }

    #[test]
    fn sub_16_sync_error_is_read_with_any_read_scope_and_published_only_with_its_own() {
        let sync_error = event("syncerror");
        for (scopes, read, write) in [
            ("fhircast/Patient-open.read", true, false),
            ("fhircast/*.read", true, false),
            ("fhircast/Patient-open.write", false, false),
            ("fhircast/*.write", false, true),
            ("fhircast/SyncError.write", false, true),
            ("", false, false),
        ] {
            let granted = Scopes::parse(scopes);
            assert_eq!((granted.can_read(&sync_error), granted.can_write(&sync_error)), (read, write), "{scopes}");
        }
    }

    #[test]
    fn sco_01_all_is_every_event_both_ways() {
        assert_eq!(Scopes::all(), Scopes::parse("fhircast/*.*"));
        assert!(Scopes::all().can_read(&event("org.example.x")) && Scopes::all().can_write(&event("SyncError")));
        assert!(!Scopes::default().can_read_anything());
    }

    #[test]
    fn cli_17_what_two_grant_is_what_both_have_and_is_written_out() {
        for (held, asked, both) in [
            ("fhircast/Patient-open.read", "fhircast/*.read", "fhircast/Patient-open.read"),
            ("fhircast/Patient-open.read", "fhircast/*.*", "fhircast/Patient-open.read"),
            ("fhircast/Patient-open.read", "fhircast/*.write", ""),
            ("fhircast/*.read", "fhircast/patient-OPEN.*", "fhircast/patient-OPEN.read"),
            ("fhircast/*.*", "fhircast/*.read", "fhircast/*.read"),
            ("fhircast/*.*", "fhircast/*.*", "fhircast/*.read fhircast/*.write"),
            ("fhircast/*.read fhircast/Patient-open.write", "fhircast/*.write", "fhircast/Patient-open.write"),
            (
                "fhircast/*.read fhircast/Patient-open.write",
                "fhircast/*.read fhircast/Patient-open.*",
                "fhircast/*.read fhircast/Patient-open.write",
            ),
            ("fhircast/b.b.read fhircast/a.a.read", "fhircast/*.read", "fhircast/a.a.read fhircast/b.b.read"),
            ("fhircast/Patient-open.read", "fhircast/Patient-close.read openid", ""),
        ] {
            let (held, asked) = (Scopes::parse(held), Scopes::parse(asked));
            let found = held.intersection(&asked);
            assert_eq!(found.to_string(), both, "{held} and {asked}");
            assert_eq!(found.is_empty(), both.is_empty());
        }
    }

    const NAMES: [&str; 6] =
        ["Patient-open", "Patient-close", "ImagingStudy-open", "Home-open", "UserLogout", "org.example.case_read"];

    /// Upper and lower case as the bits of `mask` say.
    fn spelt(name: &str, mask: u32) -> String {
        let letter = |(index, letter): (usize, char)| match mask >> (index % 32) & 1 {
            0 => letter.to_ascii_lowercase(),
            _ => letter.to_ascii_uppercase(),
        };
        name.chars().enumerate().map(letter).collect()
    }

    proptest! {
        /// T20: what is granted follows from the matrix event × scope × case, and from nothing else.
        #[test]
        fn sco_01_a_scope_covers_exactly_its_event_in_any_case(
            scope_name in prop_oneof![Just(None), (0..NAMES.len()).prop_map(Some)],
            permission in prop::sample::select(vec!["read", "write", "*"]),
            asked in 0..NAMES.len(),
            masks in any::<(u32, u32)>(),
        ) {
            let name = scope_name.map_or("*".to_owned(), |index| spelt(NAMES[index], masks.0));
            let granted = Scopes::parse(&format!("fhircast/{name}.{permission}"));
            let covered = scope_name.is_none_or(|index| index == asked);
            let asked = event(&spelt(NAMES[asked], masks.1));
            prop_assert_eq!(granted.can_read(&asked), covered && permission != "write");
            prop_assert_eq!(granted.can_write(&asked), covered && permission != "read");
            prop_assert_eq!(granted.can_read(&event("SyncError")), permission != "write");
        }

        #[test]
        fn cli_17_an_intersection_grants_what_both_do_and_nothing_else(
            one in prop::collection::vec((0..=NAMES.len(), 0..3_usize), 0..4),
            other in prop::collection::vec((0..=NAMES.len(), 0..3_usize), 0..4),
        ) {
            let scopes = |parts: &[(usize, usize)]| {
                let scope = |&(name, permission): &(usize, usize)| {
                    let name = NAMES.get(name).copied().unwrap_or("*");
                    format!("fhircast/{name}.{}", ["read", "write", "*"][permission])
                };
                Scopes::parse(&parts.iter().map(scope).collect::<Vec<_>>().join(" "))
            };
            let (one, other) = (scopes(&one), scopes(&other));
            let both = one.intersection(&other);
            for name in NAMES.map(event) {
                prop_assert_eq!(both.can_read(&name), one.can_read(&name) && other.can_read(&name));
                prop_assert_eq!(both.can_write(&name), one.can_write(&name) && other.can_write(&name));
                prop_assert_eq!(Scopes::parse(&both.to_string()).can_read(&name), both.can_read(&name));
            }
        }

        #[test]
        fn sco_02_no_text_is_an_error_and_more_scopes_never_take_away(one in ".{0,60}", other in "[ -~]{0,60}") {
            let (before, after) = (Scopes::parse(&one), Scopes::parse(&format!("{one} {other}")));
            for name in NAMES {
                prop_assert!(!before.can_read(&event(name)) || after.can_read(&event(name)));
                prop_assert!(!before.can_write(&event(name)) || after.can_write(&event(name)));
            }
        }
    }
}
