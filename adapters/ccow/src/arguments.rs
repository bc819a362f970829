//! The arguments of a call: an ordered multimap, read by CCOW's data types. Sections 2.1 and 2.2.

use std::fmt;

use crate::exception::{Exception, ExceptionName};
use crate::form::{self, Plus};
use crate::oddity::{Oddities, Oddity};

/// The arguments of one call, from its query and its body alike.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    pairs: Vec<(String, String)>,
    /// What was odd about their spelling.
    pub oddities: Oddities,
}

/// Names alone: values may be a patient's.
impl fmt::Debug for Arguments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

/// A call with more arguments than any has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call has at most {MOST_ARGUMENTS} arguments")]
pub struct TooManyArguments;

/// Arrays are one argument each, so this is plenty.
const MOST_ARGUMENTS: usize = 64;

impl Arguments {
    /// Reads both the query and the body of a request: clients put arguments into either.
    ///
    /// # Errors
    /// There are more of them than any call has.
    pub fn read(query: &[u8], body: &[u8], plus: Plus) -> Result<Self, TooManyArguments> {
        let mut oddities = Oddities::default();
        let mut pairs: Vec<_> = form::pairs(query, plus, &mut oddities).take(MOST_ARGUMENTS + 1).collect();
        pairs.extend(form::pairs(body, plus, &mut oddities).take(MOST_ARGUMENTS + 1));
        if pairs.len() > MOST_ARGUMENTS { Err(TooManyArguments) } else { Ok(Self { pairs, oddities }) }
    }

    /// The first value of `name`, in any case. Absent, empty and `null` are the same: nothing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name).find(|value| !value.is_empty() && !value.eq_ignore_ascii_case("null"))
    }

    /// A value that the call cannot do without.
    ///
    /// # Errors
    /// It is not there.
    pub fn required(&self, name: &str) -> Result<&str, Exception> {
        let missing = || Exception::new(ExceptionName::GeneralFailure, format!("the argument {name} is missing"));
        self.text(name).ok_or_else(missing)
    }

    /// A coupon; 0 where there is none. What is no number of ours is no coupon of ours either.
    pub fn coupon(&self, name: &str) -> Option<u32> {
        self.text(name).map_or(Some(0), |text| text.trim().parse().ok())
    }

    /// A boolean in any of its spellings; `None` where there is none that can be read.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        let text = self.text(name)?.trim();
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        if is(&["true", "1", "-1", "yes"]) {
            return Some(true);
        }
        is(&["false", "0", "no"]).then_some(false)
    }

    /// An array's elements; nobody escapes the bar, so nobody can be misread. Nothing at all is the empty array.
    pub fn array(&self, name: &str) -> Vec<&str> {
        self.text(name).map_or_else(Vec::new, |text| text.split('|').map(str::trim).collect())
    }

    /// Two parallel arrays. Of one name, nothing at all is an empty value: so an application logs its user off.
    ///
    /// # Errors
    /// They are of different length.
    pub fn parallel(&self, names: &str, values: &str) -> Result<Vec<(&str, &str)>, Exception> {
        let left = self.array(names);
        // As they are, for blanks at the end of a value are the application's own.
        let right: Vec<&str> = match self.text(values) {
            Some(text) => text.split('|').collect(),
            None if left.len() == 1 => vec![""],
            None => Vec::new(),
        };
        if left.len() != right.len() {
            let message = format!("{names} has {} elements, {values} has {}", left.len(), right.len());
            return Err(Exception::new(ExceptionName::NameValueCountMismatch, message));
        }
        Ok(left.into_iter().zip(right).collect())
    }

    /// Takes an argument under `misspelt` for `name`, as some clients spell it.
    pub fn tolerate(&mut self, misspelt: &str, name: &str) {
        if self.text(name).is_some() {
            return;
        }
        if let Some((spelling, _)) = self.pairs.iter_mut().find(|(spelling, _)| spelling.eq_ignore_ascii_case(misspelt))
        {
            name.clone_into(spelling);
            self.oddities.note(Oddity::Misspelling);
        }
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(query: &str) -> Arguments {
        Arguments::read(query.as_bytes(), b"", Plus::Space).unwrap()
    }

    #[test]
    fn section_2_1_query_and_body_are_one_and_names_have_no_case() {
        let arguments = Arguments::read(b"interface=I&Method=M", b"METHOD=other&x=1", Plus::Space).unwrap();
        assert_eq!(arguments.text("method"), Some("M"));
        assert_eq!(arguments.text("X"), Some("1"));
    }

    #[test]
    fn section_2_1_absent_empty_and_null_are_nothing() {
        let arguments = arguments("a=&b=null&c=&c=1&d=NULL");
        for name in ["a", "b", "d", "e"] {
            assert_eq!(arguments.text(name), None, "{name}");
        }
        assert_eq!(arguments.text("c"), Some("1"));
        assert_eq!(arguments.required("a").unwrap_err().message, "the argument a is missing");
    }

    #[test]
    fn section_2_2_coupons_are_decimal() {
        for (text, expected) in [
            ("1", Some(1)),
            ("", Some(0)),
            ("2147483647", Some(2_147_483_647)),
            (" 7 ", Some(7)),
            ("-1", None),
            ("99999999999", None),
            ("6f1a-uuid", None),
            ("1.0", None),
        ] {
            assert_eq!(arguments(&format!("c={text}")).coupon("c"), expected, "{text}");
        }
    }

    #[test]
    fn section_2_2_booleans_have_many_spellings() {
        for (text, expected) in [
            ("true", Some(true)),
            ("TRUE", Some(true)),
            ("1", Some(true)),
            ("-1", Some(true)),
            ("Yes", Some(true)),
            ("false", Some(false)),
            ("0", Some(false)),
            ("no", Some(false)),
            ("", None),
            ("maybe", None),
        ] {
            assert_eq!(arguments(&format!("b={text}")).boolean("b"), expected, "{text}");
        }
    }

    #[test]
    fn section_2_2_arrays_are_split_at_bars() {
        assert_eq!(arguments("n=").array("n"), [""; 0]);
        assert_eq!(arguments("n=a").array("n"), ["a"]);
        assert_eq!(arguments("n=a%7Cb|c").array("n"), ["a", "b", "c"]);
        assert_eq!(arguments("n=|").array("n"), ["", ""]);
    }

    #[test]
    fn section_2_2_parallel_arrays_are_of_one_length() {
        let check = |query: &str, expected: Result<Vec<(&str, &str)>, &str>| {
            let arguments = arguments(query);
            let found = arguments.parallel("n", "v");
            assert_eq!(found.as_ref().map_err(|error| error.message.as_str()), expected.as_ref().map_err(|text| *text));
        };
        check("n=a|b&v=1|2", Ok(vec![("a", "1"), ("b", "2")]));
        check("n=a&v=", Ok(vec![("a", "")]));
        check("n=a|b&v=|", Ok(vec![("a", ""), ("b", "")]));
        check("n=&v=", Ok(vec![]));
        check("n=a|b&v=1", Err("n has 2 elements, v has 1"));
        check("n=a|b&v=", Err("n has 2 elements, v has 0"));
        check("n=a&v=1|2", Err("n has 1 elements, v has 2"));
        check("v=1", Err("n has 0 elements, v has 1"));
    }

    #[test]
    fn section_2_1_misspellings_are_taken_where_the_right_name_is_missing() {
        let mut one = arguments("partcipantCoupon=7");
        one.tolerate("partcipantCoupon", "participantCoupon");
        assert_eq!(one.coupon("participantCoupon"), Some(7));
        assert_eq!(one.oddities.iter().collect::<Vec<_>>(), [Oddity::Misspelling]);
        let mut both = arguments("partcipantCoupon=7&participantCoupon=8");
        both.tolerate("partcipantCoupon", "participantCoupon");
        assert_eq!(both.coupon("participantCoupon"), Some(8));
    }

    #[test]
    fn values_stay_out_of_logs() {
        assert_eq!(format!("{:?}", arguments("itemValues=CANARY")), r#"["itemValues"]"#);
    }

    #[test]
    fn the_number_of_arguments_is_bounded() {
        let query = |count: usize| "a=1&".repeat(count);
        assert!(Arguments::read(query(MOST_ARGUMENTS).as_bytes(), b"", Plus::Space).is_ok());
        assert!(Arguments::read(query(MOST_ARGUMENTS).as_bytes(), b"b=1", Plus::Space).is_err());
        assert!(Arguments::read(query(1_000_000).as_bytes(), b"", Plus::Space).is_err());
    }

    proptest! {
        #[test]
        fn no_arguments_panic(query in "[a-c=&|%0-9 ]{0,48}", body in prop::collection::vec(any::<u8>(), 0..48)) {
            if let Ok(arguments) = Arguments::read(query.as_bytes(), &body, Plus::Space) {
                for name in ["a", "b", "c"] {
                    let _ = (arguments.coupon(name), arguments.boolean(name), arguments.array(name));
                    let _ = arguments.parallel(name, "b");
                }
            }
        }
    }
}
