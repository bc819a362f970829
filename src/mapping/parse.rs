//! Reads the texts of the mapping language: templates with `${…}` in them, and conditions.
//!
//! ```text
//! template   = ( literal | "${" expression "}" )*          "$${" is a literal "${"
//! expression = pipeline ( "or" pipeline )*
//! pipeline   = operand ( "|" function argument* )*
//! operand    = "(" expression ")" | 'text' | "text" | number | name | path
//! condition  = conjunction ( "or" conjunction )*
//! conjunction = negation ( "and" negation )*
//! negation   = "not" negation | "(" condition ")" | test     "(" expression ")" begins a test if "|" or a comparison follows
//! test       = pipeline [ ("==" | "!=") pipeline | ["not"] "in" ( "[" texts "]" | table ) | ["not"] "matches" text ]
//! ```
//!
//! Knows no file: a mistake is told by the bytes of the text that it is about.

use std::ops::Range;

use fhircast_gateway_adapter_api::PathError;

use super::condition::{Comparison, Condition, Test};
use super::diagnostics::did_you_mean;
use super::expression::{Expression, Operand, Part, Pipeline, Template};
use super::function::{Argument, Call, CallError, Surroundings};
use super::names::{Meaning, Names};
use super::value::is_blank;

/// What is wrong with a text, and with which of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Words that join expressions and conditions, and so are no arguments.
const KEYWORDS: [&str; 5] = ["and", "in", "matches", "not", "or"];

/// Parentheses and `not` may be nested so deep; nobody writes more, and the stack stays small.
const MAX_DEPTH: usize = 32;

/// The template that `text` is.
pub(crate) fn template(text: &str, names: &Names<'_>) -> Result<Template, Mistake> {
    Parser::new(text, names).template()
}

/// The condition that `text` is.
pub(crate) fn condition(text: &str, names: &Names<'_>) -> Result<Condition, Mistake> {
    let mut parser = Parser::new(text, names);
    let condition = parser.condition()?;
    parser.end()?;
    Ok(condition)
}

/// Reads `text` from `at` on. `at` is always at the beginning of a character.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    names: &'t Names<'t>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, names: &'t Names<'t>) -> Self {
        Self { text, at: 0, depth: 0, names }
    }

    fn template(&mut self) -> Result<Template, Mistake> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        while let Some(offset) = self.rest().find("${") {
            let before = &self.rest()[..offset];
            self.at += offset + 2;
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                continue;
            }
            literal.push_str(before);
            push_literal(&mut parts, &mut literal);
            parts.push(Part::Expression(self.braced()?));
        }
        literal.push_str(self.rest());
        push_literal(&mut parts, &mut literal);
        objects_stand_alone(&parts, self.text)?;
        Ok(Template::new(parts))
    }

    /// An expression and the brace that ends it.
    fn braced(&mut self) -> Result<Expression, Mistake> {
        let start = self.at - 2;
        let expression = self.expression()?;
        self.skip_blanks();
        if self.take("}") {
            return Ok(expression);
        }
        if self.rest().is_empty() {
            return Err(mistake(start..self.at, "`${` is not closed", "add a `}`"));
        }
        Err(self.unexpected("expected `|`, `or` or `}` here"))
    }

    fn expression(&mut self) -> Result<Expression, Mistake> {
        let mut alternatives = vec![self.pipeline()?];
        while self.take_word("or") {
            alternatives.push(self.pipeline()?);
        }
        Ok(Expression { alternatives })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Mistake> {
        self.skip_blanks();
        let start = self.at;
        let operand = self.operand()?;
        let mut calls = Vec::new();
        let mut end = self.at;
        while self.take_symbol("|") {
            if calls.last().is_some_and(Call::gives_object) {
                return Err(self.unexpected("the function before gives an object, and must be the last one"));
            }
            calls.push(self.call()?);
            end = self.at;
        }
        let text = self.text[start..end].trim_end();
        Ok(Pipeline { operand, calls, text: text.into(), span: start..start + text.len() })
    }

    fn operand(&mut self) -> Result<Operand, Mistake> {
        if self.take("(") {
            return self.nested(Self::group);
        }
        if let Some(text) = self.quoted()? {
            return Ok(Operand::Text(text.into()));
        }
        if let Some(number) = self.number() {
            return Ok(Operand::Text(number.into()));
        }
        self.named_or_path()
    }

    fn group(&mut self) -> Result<Operand, Mistake> {
        let expression = self.expression()?;
        self.close(")")?;
        Ok(Operand::Group(Box::new(expression)))
    }

    fn named_or_path(&mut self) -> Result<Operand, Mistake> {
        let word = self.peek_word();
        if let Some(expression) = self.names.expression(word) {
            self.at += word.len();
            return Ok(Operand::Group(Box::new(expression.clone())));
        }
        if let Some(meaning) = self.names.meaning(word) {
            self.at += word.len();
            return Ok(match meaning {
                Meaning::FirstIdentifier => Operand::FirstIdentifier,
                Meaning::Reference(index) => Operand::Reference(index),
                Meaning::Text(text) => Operand::Text(text.into()),
            });
        }
        let length = self.path_length();
        if length > 0 && self.names.grammar.looks_like_path(&self.rest()[..length]) {
            return self.path(length);
        }
        if word.is_empty() {
            return Err(self.unexpected("expected a path, a text in quotes or a name here"));
        }
        if self.names.partial {
            self.at += word.len();
            return Ok(Operand::Text(word.into()));
        }
        let all = self.names.all();
        let span = self.at..self.at + word.len();
        let help = match super::diagnostics::nearest(word, all.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("text stands in quotes: '{word}'"),
        };
        Err(mistake(span, &format!("`{word}` is neither a path nor a name"), &help))
    }

    /// The bytes of the path here, as its protocol sees it, and never half a character.
    fn path_length(&self) -> usize {
        let rest = self.rest();
        let length = self.names.grammar.path_length(rest).min(rest.len());
        (0..=length).rev().find(|length| rest.is_char_boundary(*length)).unwrap_or(0)
    }

    fn path(&mut self, length: usize) -> Result<Operand, Mistake> {
        let (start, text) = (self.at, &self.rest()[..length]);
        self.at += length;
        match self.names.grammar.path(text) {
            Ok(path) => Ok(Operand::Path { many: path.text().contains('*'), path }),
            Err(PathError { message, suggestion, span }) => Err(Mistake {
                span: start + span.start.min(length)..start + span.end.min(length),
                message,
                help: suggestion.map(|right| format!("write {right}")),
            }),
        }
    }

    fn call(&mut self) -> Result<Call, Mistake> {
        self.skip_blanks();
        let (start, name) = (self.at, self.peek_word());
        self.at += name.len();
        if name.is_empty() {
            return Err(self.unexpected("expected a function here"));
        }
        let looks_up = matches!(name, "lookup" | "map-to-code");
        let mut arguments = Vec::new();
        while let Some(argument) = self.argument(looks_up)? {
            arguments.push(argument);
        }
        Call::new(name, &arguments, self.names).map_err(|CallError { message, help, span }| Mistake {
            span: span.unwrap_or(start..start + name.len()),
            message,
            help: Some(help),
        })
    }

    fn argument(&mut self, names_table: bool) -> Result<Option<Argument>, Mistake> {
        self.skip_blanks();
        let start = self.at;
        if let Some(text) = self.quoted()? {
            return Ok(Some(Argument { text: text.into(), expression: None, span: start..self.at }));
        }
        if let Some(number) = self.number() {
            return Ok(Some(Argument { text: number.into(), expression: None, span: start..self.at }));
        }
        let word = self.peek_word();
        if let Some(expression) = self.names.expression(word).filter(|_| !names_table) {
            self.at += word.len();
            return Ok(Some(Argument {
                text: word.into(),
                expression: Some(expression.clone()),
                span: start..self.at,
            }));
        }
        let word = self.argument_word(names_table)?;
        Ok(word.map(|word| Argument { text: word.into(), expression: None, span: start..self.at }))
    }

    fn argument_word(&mut self, names_table: bool) -> Result<Option<String>, Mistake> {
        let word = self.peek_word();
        if word.is_empty() || KEYWORDS.contains(&word) {
            return Ok(None);
        }
        let span = self.at..self.at + word.len();
        self.at = span.end;
        if names_table {
            return Ok(Some(word.to_owned()));
        }
        let known = self.names.text(word).or_else(|| self.names.partial.then(|| word.to_owned()));
        known.map(Some).ok_or_else(|| {
            mistake(
                span,
                &format!("`{word}` is no name that stands for a text"),
                &format!("text stands in quotes: '{word}'"),
            )
        })
    }

    fn condition(&mut self) -> Result<Condition, Mistake> {
        let mut any = vec![self.conjunction()?];
        while self.take_word("or") {
            any.push(self.conjunction()?);
        }
        Ok(single_or(any, Condition::Any))
    }

    fn conjunction(&mut self) -> Result<Condition, Mistake> {
        let mut all = vec![self.negation()?];
        while self.take_word("and") {
            all.push(self.negation()?);
        }
        Ok(single_or(all, Condition::All))
    }

    fn negation(&mut self) -> Result<Condition, Mistake> {
        if self.take_word("not") {
            return Ok(Condition::Not(Box::new(self.nested(Self::negation)?)));
        }
        self.skip_blanks();
        let start = self.at;
        if self.take("(") {
            let condition = self.nested(Self::closed_condition)?;
            if !self.at_comparison() {
                return Ok(condition);
            }
            // What stands in the parentheses is compared: it is an expression.
            self.at = start;
        }
        self.test()
    }

    /// Whether a function or a comparison stands here.
    fn at_comparison(&mut self) -> bool {
        self.skip_blanks();
        matches!(self.peek_word(), "in" | "matches" | "not") || self.rest().starts_with(['|', '=', '!'])
    }

    fn closed_condition(&mut self) -> Result<Condition, Mistake> {
        let condition = self.condition()?;
        self.close(")")?;
        Ok(condition)
    }

    fn test(&mut self) -> Result<Condition, Mistake> {
        self.skip_blanks();
        let start = self.at;
        let operand = self.pipeline()?;
        let (comparison, negated) = self.comparison()?;
        let text = self.text[start..self.at].trim_end();
        let span = start..start + text.len();
        Ok(Condition::Test(Box::new(Test { operand, comparison, negated, text: text.into(), span })))
    }

    /// What the operand is compared with, and whether it must differ.
    fn comparison(&mut self) -> Result<(Comparison, bool), Mistake> {
        if self.take_symbol("==") {
            return Ok((Comparison::Equals(self.compared()?), false));
        }
        if self.take_symbol("!=") {
            return Ok((Comparison::Equals(self.compared()?), true));
        }
        if self.rest().starts_with('=') {
            return Err(self.unexpected("values are compared with `==`"));
        }
        let negated = self.take_word("not");
        if self.take_word("in") {
            return Ok((self.listed()?, negated));
        }
        if self.take_word("matches") {
            return Ok((Comparison::Matches(self.literal()?.into()), negated));
        }
        if negated {
            return Err(self.unexpected("expected `in` or `matches` after `not` here"));
        }
        Ok((Comparison::HasValue, false))
    }

    fn compared(&mut self) -> Result<Pipeline, Mistake> {
        let start = self.at;
        let other = self.pipeline()?;
        match &other.operand {
            Operand::Text(text) if is_blank(text) => {
                let help = "a bare path holds when it has a value: write `PID-8`, or `not PID-8`";
                Err(mistake(start..self.at, "nothing equals an empty text", help))
            }
            _ => Ok(other),
        }
    }

    fn listed(&mut self) -> Result<Comparison, Mistake> {
        self.skip_blanks();
        if !self.take("[") {
            return self.listed_in_table();
        }
        let mut texts = Vec::new();
        loop {
            texts.push(self.listed_text()?.into());
            if !self.take_symbol(",") {
                break;
            }
        }
        self.close("]")?;
        Ok(Comparison::InList(texts))
    }

    fn listed_text(&mut self) -> Result<&'t str, Mistake> {
        self.skip_blanks();
        let start = self.at;
        let text = self.literal()?;
        if is_blank(text) {
            let help = "a bare path holds when it has a value: write `PID-8`, or `not PID-8`";
            return Err(mistake(start..self.at, "nothing equals an empty text", help));
        }
        Ok(text)
    }

    fn listed_in_table(&mut self) -> Result<Comparison, Mistake> {
        let name = self.peek_word();
        let span = self.at..self.at + name.len();
        let Some(table) = self.names.table(name) else {
            let help = did_you_mean(name, self.names.table_names());
            return Err(mistake(span, "expected a list like [\"A\", \"B\"] or the name of a table here", &help));
        };
        self.at = span.end;
        Ok(Comparison::InTable(table))
    }

    /// A text in quotes, or a number.
    fn literal(&mut self) -> Result<&'t str, Mistake> {
        self.skip_blanks();
        if let Some(text) = self.quoted()? {
            return Ok(text);
        }
        self.number().ok_or_else(|| self.unexpected("expected a text in quotes here"))
    }

    fn quoted(&mut self) -> Result<Option<&'t str>, Mistake> {
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) else { return Ok(None) };
        let Some(length) = rest[1..].find(quote) else {
            return Err(mistake(
                self.at..self.text.len(),
                "the quote is not closed",
                "add the same quote after the text",
            ));
        };
        self.at += length + 2;
        Ok(Some(&rest[1..=length]))
    }

    fn number(&mut self) -> Option<&'t str> {
        let word = self.peek_word();
        let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = number && word.as_bytes()[0].is_ascii_digit();
        number.then(|| {
            self.at += word.len();
            word
        })
    }

    /// Runs `inner`, unless it would be nested too deep.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected("this is nested too deeply"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The word here: names, functions, keywords. Empty where something else stands.
    fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let in_word = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
        &rest[..rest.find(|character| !in_word(character)).unwrap_or(rest.len())]
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        self.at += if found { symbol.len() } else { 0 };
        found
    }

    /// Takes `symbol` after blanks.
    fn take_symbol(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        self.take(symbol)
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        self.peek_word() == keyword && self.take(keyword)
    }

    fn close(&mut self, symbol: &str) -> Result<(), Mistake> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("expected `{symbol}` here"))) }
    }

    fn end(&mut self) -> Result<(), Mistake> {
        self.skip_blanks();
        if self.rest().is_empty() { Ok(()) } else { Err(self.unexpected("expected `and`, `or` or the end here")) }
    }

    /// What is wrong with what stands here.
    fn unexpected(&self, message: &str) -> Mistake {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        Mistake { span: self.at..self.at + length, message: message.to_owned(), help: None }
    }
}

fn mistake(span: Range<usize>, message: &str, help: &str) -> Mistake {
    Mistake { span, message: message.to_owned(), help: Some(help.to_owned()) }
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}

/// An object cannot be a part of a text.
fn objects_stand_alone(parts: &[Part], text: &str) -> Result<(), Mistake> {
    let gives_object = |part: &Part| matches!(part, Part::Expression(expression) if expression.gives_object());
    if parts.len() > 1 && parts.iter().any(gives_object) {
        let help = "let `${…}` be the whole string";
        return Err(mistake(
            0..text.len(),
            "`name` and `map-to-code` give an object, which cannot be joined with text",
            help,
        ));
    }
    Ok(())
}

fn single_or(mut conditions: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            many(conditions)
        }
        None => many(conditions),
    }
}
