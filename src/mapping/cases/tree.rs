//! JSON as it was written: the order of members, and where each value stands; and how we write it ourselves.

use std::borrow::Cow;
use std::ops::Range;

use indexmap::IndexMap;
use serde_json::value::RawValue;

/// A value, and where it stands in the text it was read from.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// The value's bytes in the whole text.
    pub(super) span: Range<usize>,
    /// As written.
    pub(super) text: &'t str,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug)]
pub(super) enum Kind<'t> {
    Array(Vec<Node<'t>>),
    Object(IndexMap<Cow<'t, str>, Node<'t>>),
    Scalar,
}

/// How wide a line may become before a value is broken over several.
const WIDTH: usize = 120;

impl<'t> Node<'t> {
    /// Reads `text`, which nests no deeper than serde_json lets values nest: whoever calls has read it as a `Value` before.
    pub(super) fn read(text: &'t str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Self::of(raw, text)
    }

    fn of(raw: &'t RawValue, whole: &str) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        // A borrowed value is a part of the text: the distance of their beginnings says which.
        let start = (text.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        let kind = match text.as_bytes().first() {
            Some(b'{') => {
                let members: IndexMap<Key<'t>, &'t RawValue> = serde_json::from_str(text)?;
                let members = members.into_iter().map(|(key, raw)| Ok((key.0, Self::of(raw, whole)?)));
                Kind::Object(members.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let elements: Vec<&'t RawValue> = serde_json::from_str(text)?;
                Kind::Array(elements.into_iter().map(|raw| Self::of(raw, whole)).collect::<Result<_, _>>()?)
            }
            _ => Kind::Scalar,
        };
        Ok(Self { span: start..start + text.len(), text, kind })
    }

    /// The member `name` of an object.
    pub(super) fn member(&self, name: &str) -> Option<&Node<'t>> {
        match &self.kind {
            Kind::Object(members) => members.get(name),
            Kind::Array(_) | Kind::Scalar => None,
        }
    }

    /// The value as we write it: in one line where it fits behind `column` characters, else a line for each member, below a
    /// line that is indented by `indent`.
    pub(super) fn laid_out(&self, indent: usize, column: usize) -> String {
        let line = self.one_line();
        if column + line.chars().count() <= WIDTH {
            return line;
        }
        let inner = indent + 2;
        let (open, close, lines) = match &self.kind {
            Kind::Scalar => return line,
            Kind::Array(elements) => ('[', ']', elements.iter().map(|it| it.laid_out(inner, inner + 1)).collect()),
            Kind::Object(members) => ('{', '}', members.iter().map(|member| member_line(member, inner)).collect()),
        };
        let lines: Vec<String> = lines;
        let separator = format!(",\n{:inner$}", "");
        format!("{open}\n{:inner$}{}\n{:indent$}{close}", "", lines.join(&separator), "")
    }

    fn one_line(&self) -> String {
        match &self.kind {
            Kind::Scalar => self.text.to_owned(),
            Kind::Array(elements) => {
                format!("[{}]", elements.iter().map(Self::one_line).collect::<Vec<_>>().join(", "))
            }
            Kind::Object(members) if members.is_empty() => "{}".to_owned(),
            Kind::Object(members) => {
                let members = members.iter().map(|(name, node)| format!("{}: {}", quoted(name), node.one_line()));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A member, with room for the comma behind it.
fn member_line((name, node): (&Cow<'_, str>, &Node<'_>), indent: usize) -> String {
    let name = quoted(name);
    let column = indent + name.chars().count() + 3;
    format!("{name}: {}", node.laid_out(indent, column))
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// A member's name: borrowed where it holds no escapes.
#[derive(PartialEq, Eq, Hash, serde::Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);

/// JSON as cases hold it: members in their order, what fits in one line in one line.
pub(crate) fn laid_out(json: &str) -> Result<String, serde_json::Error> {
    Ok(Node::read(json)?.laid_out(0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_where_it_stands() {
        let text = r#" {"b": [1, {"a\n": "x"}], "a": null}"#;
        let node = Node::read(text).unwrap();
        assert_eq!(node.span, 1..text.len());
        let list = node.member("b").unwrap();
        assert_eq!(&text[list.span.clone()], r#"[1, {"a\n": "x"}]"#);
        let Kind::Array(elements) = &list.kind else { panic!("{list:?}") };
        assert_eq!(&text[elements[1].member("a\n").unwrap().span.clone()], "\"x\"");
    }

    #[test]
    fn what_fits_in_a_line_stands_in_one_and_members_keep_their_order() {
        assert_eq!(laid_out(r#"{"b":1,"a":{},"c":[]}"#).unwrap(), r#"{ "b": 1, "a": {}, "c": [] }"#);
        let long = "x".repeat(100);
        let text = format!(r#"{{"a":{{"b":"{long}","c":[{{"d":1}}]}}}}"#);
        let expected = format!("{{\n  \"a\": {{\n    \"b\": \"{long}\",\n    \"c\": [{{ \"d\": 1 }}]\n  }}\n}}");
        assert_eq!(laid_out(&text).unwrap(), expected);
    }
}
