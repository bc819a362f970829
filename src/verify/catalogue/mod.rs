//! Every clause: what it asks, of which editions, how strongly, and how it is seen from outside.

mod clients;
mod hub;
mod ira;

use std::pin::Pin;

use super::finding::Verdict;
use super::room::Room;
use crate::fhircast::Edition;

/// One clause.
pub(super) struct Clause {
    /// Its id: `SUB-11`.
    pub(super) id: &'static str,
    /// How strongly it is asked in 2.0.0, 2.1.0-ballot and 3.0.0; `None` where the edition does not have it.
    levels: [Option<Level>; 3],
    /// What it asks for, in a line.
    pub(super) wording: &'static str,
    /// How it is seen.
    pub(super) method: Method,
}

/// How strongly a clause is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Required.
    Shall,
    /// Recommended.
    Should,
    /// Optional.
    May,
    /// A choice of this project's own, where the text leaves one.
    Policy,
}

/// How a clause is seen from outside.
pub(super) enum Method {
    /// By doing something at once.
    Prompt(Check),
    /// By letting time pass.
    Waiting(Check),
    /// Not at all, and why.
    NotTestable(&'static str),
}

/// A check of one clause, on a topic of its own.
pub(super) type Check = for<'a> fn(&'a Room<'a>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// To whom a clause matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// To every hub.
    Hub,
    /// To one that follows IHE RAD IRA.
    Ira,
    /// To one that serves the clients in the field.
    Clients,
}

/// A check that is done at once.
macro_rules! prompt {
    ($($check:ident)::+) => {
        $crate::verify::catalogue::Method::Prompt(|room| Box::pin($crate::verify::checks::$($check)::+(room)))
    };
}

/// A check that lets time pass.
macro_rules! waiting {
    ($($check:ident)::+) => {
        $crate::verify::catalogue::Method::Waiting(|room| Box::pin($crate::verify::checks::$($check)::+(room)))
    };
}

use {prompt, waiting};

/// All clauses, in the order of the catalogue.
pub(super) fn clauses() -> impl Iterator<Item = &'static Clause> {
    hub::CLAUSES.iter().chain(ira::CLAUSES).chain(clients::CLAUSES)
}

/// The id of every clause that there is, whether it can be seen from outside or not.
pub fn clause_ids() -> impl Iterator<Item = &'static str> {
    clauses().map(|clause| clause.id)
}

impl Clause {
    /// How strongly `edition` asks for it; `None` where it does not.
    pub(super) fn level(&self, edition: Edition) -> Option<Level> {
        match edition {
            Edition::Stu2 => self.levels[0],
            Edition::Ballot => self.levels[1],
            Edition::Stu3 => self.levels[2],
        }
    }

    pub(super) fn family(&self) -> Family {
        match self.prefix() {
            "IRA" => Family::Ira,
            "CLI" => Family::Clients,
            _ => Family::Hub,
        }
    }

    /// The part of the catalogue that it stands in.
    pub(super) fn section(&self) -> &'static str {
        match self.prefix() {
            "DISC" => "Discovery",
            "SUB" => "Subscribing",
            "CONF" => "Confirmation",
            "UNS" => "Unsubscribing",
            "REQ" => "Requesting a change",
            "NOT" => "Notification and acknowledgement",
            "CTX" => "Current context",
            "UPD" | "SEL" => "Content sharing",
            "SCO" | "SMA" => "Scopes and SMART",
            "WH" => "Webhooks",
            "SEC" => "Transport and security",
            "IRA" => "IHE RAD IRA",
            _ => "Clients in the field",
        }
    }

    fn prefix(&self) -> &'static str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// The IRA requirement that asks for something else; it goes first in the strict mode.
    pub(super) fn overruled_by_ira(&self) -> Option<&'static str> {
        ira::OVERRULED.iter().find(|(clause, _)| *clause == self.id).map(|(_, requirement)| *requirement)
    }

    /// What of the clients in the field overrules it at a hub that bends towards them.
    pub(super) fn overruled_by_leniency(&self) -> Option<&'static str> {
        clients::OVERRULED.iter().find(|(clause, _)| *clause == self.id).map(|(_, requirement)| *requirement)
    }

    /// Whether only a hub that bends towards clients is asked for it.
    pub(super) fn is_for_lenient_hubs(&self) -> bool {
        clients::LENIENT.contains(&self.id)
    }
}

/// Short names for the tables' columns.
mod columns {
    use super::Level;

    pub(super) const SHALL: Option<Level> = Some(Level::Shall);
    pub(super) const SHOULD: Option<Level> = Some(Level::Should);
    pub(super) const MAY: Option<Level> = Some(Level::May);
    pub(super) const NONE: Option<Level> = None;
    pub(super) const POLICY: [Option<Level>; 3] = [Some(Level::Policy); 3];
    pub(super) const ALL: [Option<Level>; 3] = [SHALL; 3];
    pub(super) const BALLOT_ON: [Option<Level>; 3] = [NONE, SHALL, SHALL];
    pub(super) const STU3_ONLY: [Option<Level>; 3] = [NONE, NONE, SHALL];
    pub(super) const BEFORE_STU3: [Option<Level>; 3] = [SHALL, SHALL, NONE];

    /// A row.
    pub(super) const fn clause(
        id: &'static str,
        levels: [Option<Level>; 3],
        wording: &'static str,
        method: super::Method,
    ) -> super::Clause {
        super::Clause { id, levels, wording, method }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_clause_has_an_id_of_its_own_and_a_line_of_words() {
        let mut ids = HashSet::new();
        for clause in clauses() {
            assert!(ids.insert(clause.id), "{} twice", clause.id);
            let line = (10..=100).contains(&clause.wording.len());
            assert!(line && !clause.wording.ends_with('.'), "{}: {}", clause.id, clause.wording);
        }
    }

    #[test]
    fn the_numbers_of_each_family_have_no_gap() {
        let mut last = ("", 0);
        for clause in clauses() {
            let number: u32 = clause.id.rsplit('-').next().unwrap().parse().unwrap();
            let expected = if clause.prefix() == last.0 { last.1 + 1 } else { 1 };
            assert_eq!(number, expected, "{}", clause.id);
            last = (clause.prefix(), number);
        }
    }

    #[test]
    fn what_ira_overrules_is_in_the_catalogue() {
        for (clause, requirement) in ira::OVERRULED {
            assert!(clauses().any(|found| found.id == *clause), "{clause}");
            assert!(ira::CLAUSES.iter().any(|found| found.id == *requirement), "{requirement}");
        }
    }
}
