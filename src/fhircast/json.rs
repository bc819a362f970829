//! Reading JSON that strangers send: its depth bounded before it is parsed, no member twice, members kept as they came.
//!
//! Knows nothing of what the members mean.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Levels of nesting that are read; one more is refused (REQ-09). The limit of a parsed value, applied to raw ones too.
pub const MAX_DEPTH: usize = 127;

/// Whether arrays and objects in `text` nest no deeper than [`MAX_DEPTH`]. Says nothing about whether it is JSON.
pub fn depth_is_bounded(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// An object's members in their order, each value still as it came. A member that stands twice is an error.
pub struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Takes the member called `name` out; its text, or `None` if there is none.
    pub fn take(&mut self, name: &str) -> Option<&'a str> {
        let index = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.remove(index).1.get())
    }

    /// The member called `name`, left where it is.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value.get())
    }

    /// What has not been taken, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// What has not been taken, in order.
    pub fn rest(self) -> Vec<(String, Box<RawValue>)> {
        self.0.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, &'de RawValue)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// A JSON object in the writing, of members that are JSON already.
#[derive(Debug, Default)]
pub struct ObjectWriter(String);

impl ObjectWriter {
    /// An empty one, with room for so many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(String::with_capacity(capacity))
    }

    /// Adds a member that is a text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw(name, &json_text(value))
    }

    /// Adds a member whose value is JSON already.
    pub fn raw(&mut self, name: &str, value: &str) -> &mut Self {
        let separator = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{separator}{}:{value}", json_text(name));
        self
    }

    /// How many bytes it has so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no member yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object.
    pub fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// `object` with this value, JSON already, for the member `name`, and all others as they were. `None` where it is no object.
pub fn with_member(object: &str, name: &str, value: &str) -> Option<String> {
    let members: Members<'_> = serde_json::from_str(object).ok()?;
    let mut written = ObjectWriter::with_capacity(object.len() + value.len());
    let mut replaced = false;
    for (member, old) in members.iter() {
        replaced |= member == name;
        written.raw(member, if member == name { value } else { old });
    }
    if !replaced {
        written.raw(name, value);
    }
    Some(written.end())
}

/// A JSON array of values that are JSON already.
pub fn array<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(value);
    }
    text.push(']');
    text
}

/// A text as JSON writes it.
pub fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// More members than any envelope has; bounds the search for duplicates.
const MAX_MEMBERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn req_09_depth_counts_brackets_outside_strings_only() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for (text, bounded) in [
            (nested(MAX_DEPTH), true),
            (nested(MAX_DEPTH + 1), false),
            (format!(r#"{{"text":"{}"}}"#, "[".repeat(500)), true),
            (format!(r#"{{"text":"\"{}"}}"#, "[".repeat(500)), true),
            (format!(r#"{{"text":"\\"}}{}"#, "[".repeat(500)), false),
            ("[]".repeat(500), true),
            ("]".repeat(500), true),
        ] {
            assert_eq!(depth_is_bounded(text.as_bytes()), bounded, "{text:.40}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_also_when_one_is_escaped() {
        for text in [r#"{"id":1,"id":2}"#, r#"{"id":1,"\u0069d":2}"#] {
            assert!(serde_json::from_str::<Members<'_>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn members_keep_their_order_and_their_text() {
        let mut members: Members<'_> = serde_json::from_str(r#"{"b":1.50,"a":"x","c":[ 1 ]}"#).unwrap();
        assert_eq!(members.take("a"), Some("\"x\""));
        assert_eq!(members.take("a"), None);
        let rest = members.rest();
        let rest: Vec<_> = rest.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
        assert_eq!(rest, [("b", "1.50"), ("c", "[ 1 ]")]);
    }

    proptest! {
        #[test]
        fn whatever_the_parser_takes_as_a_value_is_bounded(text in r#"[\[\]{}",:\\a1 ]{0,300}"#) {
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(depth_is_bounded(text.as_bytes()));
            }
        }
    }
}
