//! A JSON object none of whose members is named twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON object. One that names a member twice is refused, as two readers might each take another one for the true one.
pub(super) struct JsonObject(Map<String, Value>);

impl JsonObject {
    /// The object that `bytes` spell; `None` for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The member `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The member `name`, where it is a string that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The strings of the member `name`: itself, or the items of the array; `None` where it is neither.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        match self.get(name)? {
            Value::String(text) => Some(vec![text]),
            Value::Array(items) => items.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = JsonObject;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<JsonObject, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(JsonObject(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_named_twice_is_refused_however_it_is_spelt() {
        assert!(JsonObject::parse(br#"{"aud":"a","iss":"b"}"#).is_some());
        for bad in [r#"{"aud":"a","aud":"a"}"#, r#"{"aud":"a","\u0061ud":"b"}"#, "[]", "null", "{", "{} x"] {
            assert!(JsonObject::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
