//! Writes a resource as JSON, straight into one text: what turns out empty is cut off again.
//!
//! The rule is "nothing in, nothing out": no empty strings, objects or arrays, and no object of literals around an empty value.

use super::expression::{Template, View};
use super::plan::{Each, Element, Member, Node, Object};
use super::value::{Data, is_blank};

/// What was written, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Written {
    /// Nothing: the text is as it was.
    Nothing,
    /// Only what stands in the mapping file.
    Literal,
    /// Something from the message.
    Value,
}

/// Appends `node` as it is for `view`.
pub(crate) fn node(json: &mut String, node: &Node, view: &View<'_>) -> Written {
    match node {
        Node::Array(elements) => array(json, elements, view),
        Node::Literal(literal) if &**literal == "null" => Written::Nothing,
        Node::Literal(literal) => {
            json.push_str(literal);
            Written::Literal
        }
        Node::Object(node) => object(json, node, view),
        Node::Template(template) => first_text(json, &template.value, view),
    }
}

/// Appends members after whatever members stand before them, and says what the best of them was.
pub(crate) fn members(json: &mut String, members: &[Member], essential: Option<&str>, view: &View<'_>) -> Written {
    let mut best = Written::Nothing;
    for member in members {
        let before = json.len();
        if !json.ends_with('{') {
            json.push(',');
        }
        json.push_str(&member.label);
        match node(json, &member.node, view) {
            Written::Nothing if essential == Some(&member.name) => return Written::Nothing,
            Written::Nothing => json.truncate(before),
            written => best = best.max(written),
        }
    }
    best
}

/// Appends the members of a resource; gives the first of those that FHIR requires which has come out empty.
pub(crate) fn resource_members<'p>(json: &mut String, members: &'p [Member], view: &View<'_>) -> Option<&'p Member> {
    let mut lacking = None;
    for member in members {
        let written = self::members(json, std::slice::from_ref(member), None, view);
        if written == Written::Nothing && member.required {
            lacking = lacking.or(Some(member));
        }
    }
    lacking
}

fn object(json: &mut String, object: &Object, view: &View<'_>) -> Written {
    if object.when.as_ref().is_some_and(|when| !when.value.holds(view)) {
        return Written::Nothing;
    }
    let before = json.len();
    json.push('{');
    let written = members(json, &object.members, object.essential, view);
    let least = if object.reads_message { Written::Value } else { Written::Literal };
    if written < least {
        json.truncate(before);
        return Written::Nothing;
    }
    json.push('}');
    written
}

fn array(json: &mut String, elements: &[Element], view: &View<'_>) -> Written {
    let before = json.len();
    json.push('[');
    let mut best = Written::Nothing;
    for element in elements {
        best = best.max(repeated(json, element, view));
    }
    if best == Written::Nothing {
        json.truncate(before);
    } else {
        json.push(']');
    }
    best
}

/// One element, or one for each repetition or resource.
fn repeated(json: &mut String, element: &Element, view: &View<'_>) -> Written {
    let mut best = Written::Nothing;
    match &element.each {
        None => best = one_element(json, &element.node, view),
        Some(Each::Path(path)) => {
            for repetition in &view.fields.each(path) {
                best = best.max(one_element(json, &element.node, &View { fields: &**repetition, ..*view }));
            }
        }
        Some(Each::Resource(number)) => {
            for ids in view.for_each_id(*number) {
                best = best.max(one_element(json, &element.node, &View { ids: &ids, ..*view }));
            }
        }
    }
    best
}

fn one_element(json: &mut String, element: &Node, view: &View<'_>) -> Written {
    let before = json.len();
    if !json.ends_with('[') {
        json.push(',');
    }
    let written = match element {
        Node::Template(template) => every_text(json, &template.value, view),
        element => node(json, element, view),
    };
    if written == Written::Nothing {
        json.truncate(before);
    }
    written
}

/// As a member: of several texts the first.
fn first_text(json: &mut String, template: &Template, view: &View<'_>) -> Written {
    match template.value(view) {
        Data::Json(object) => json.push_str(&object),
        data => match data.into_first() {
            Some(text) => push_string(json, &text),
            None => return Written::Nothing,
        },
    }
    written_by(template)
}

/// As an element: several texts are several elements.
fn every_text(json: &mut String, template: &Template, view: &View<'_>) -> Written {
    let Data::List(texts) = template.value(view) else { return first_text(json, template, view) };
    let mut separator = "";
    for text in texts.iter().filter(|text| !is_blank(text)) {
        json.push_str(separator);
        push_string(json, text);
        separator = ",";
    }
    if separator.is_empty() { Written::Nothing } else { written_by(template) }
}

fn written_by(template: &Template) -> Written {
    if template.reads_message { Written::Value } else { Written::Literal }
}

/// Appends `text` as a JSON string. FHIR has no control characters but tab, line feed and carriage return: others are dropped.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    // Nearly no text needs any of it, and looking at all bytes at once is cheaper than at one after another.
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        push_escaped(json, text);
    } else {
        json.push_str(text);
    }
    json.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f)
}

fn push_escaped(json: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control.is_ascii_control() => {}
            plain => json.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_becomes_a_json_string_of_the_same_text_without_controls(text in ".*") {
            let mut json = String::new();
            push_string(&mut json, &text);
            let read: String = serde_json::from_str(&json).unwrap();
            let kept = |it: &char| !it.is_ascii_control() || matches!(it, '\n' | '\r' | '\t');
            prop_assert_eq!(read, text.chars().filter(kept).collect::<String>());
        }
    }
}
