//! JSON from strangers: how deep it may be, and the members of an object as they came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The deepest nesting that is read: the same as serde_json's own limit, which does not hold for what is relayed unread.
pub const MAX_DEPTH: usize = 127;

/// Whether `bytes` nest arrays and objects at most [`MAX_DEPTH`] deep. Looks at nothing else.
pub fn is_shallow(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// The members of one object in their order, each value as it came. A member written twice is refused: two readers
/// could take it two ways.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The value of `name`.
    pub fn member(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// All members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(std::marker::PhantomData))
    }
}

struct MembersVisitor<'a>(std::marker::PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for MembersVisitor<'a> {
    type Value = Members<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'a, str>, &'a RawValue)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if members.iter().any(|(member, _)| *member == name) {
                return Err(A::Error::custom("a member is written twice in one object"));
            }
            if members.len() == MOST_MEMBERS {
                return Err(A::Error::custom("an object has too many members"));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// No object of FHIRcast or FHIR has as many.
const MOST_MEMBERS: usize = 256;

/// A member's name, borrowed where it is written without escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor(std::marker::PhantomData))
    }
}

struct NameVisitor<'a>(std::marker::PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for NameVisitor<'a> {
    type Value = Name<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_09_depth_counts_outside_strings_only() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(is_shallow(&nested(127)));
        assert!(!is_shallow(&nested(128)));
        assert!(!is_shallow(&vec![b'{'; 1_000_000]));
        assert!(is_shallow(format!("\"{}\"", "[\\\"".repeat(1000)).as_bytes()));
    }

    #[test]
    fn members_keep_their_order_and_bytes_and_are_never_written_twice() {
        let members: Members<'_> = serde_json::from_str(r#"{"b":1.50,"a\n":{"x":[ ]}}"#).unwrap();
        let listed: Vec<_> = members.iter().map(|(name, value)| (name.to_owned(), value.get())).collect();
        assert_eq!(listed, [("b".to_owned(), "1.50"), ("a\n".to_owned(), r#"{"x":[ ]}"#)]);
        assert!(serde_json::from_str::<Members<'_>>(r#"{"id":"1","\u0069d":"2"}"#).is_err());
        assert!(serde_json::from_str::<Members<'_>>("[]").is_err());
    }
}
