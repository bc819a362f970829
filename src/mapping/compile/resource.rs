//! `[context.x]`: the shape of a resource, with templates where values go.

use super::super::catalogue;
use super::super::diagnostics::{Problem, did_you_mean};
use super::super::fhir::{Checker, r4};
use super::super::file::{Entry, Item, Kind, Table};
use super::super::plan::{Each, Element, Member, Node, Object, Placed, ResourcePlan};
use super::{FileCompiler, keys, text_of};

impl FileCompiler<'_, '_> {
    /// The resources of `[context]`, in order. Afterwards their ids can be named.
    pub(super) fn resources(&mut self, root: &Table) -> Vec<ResourcePlan> {
        let Some(context) = root.get("context").and_then(|entry| self.compiler.expect_table(entry)) else {
            return Vec::new();
        };
        let keys: Vec<String> = context.entries.iter().map(|entry| entry.key.clone()).collect();
        context.entries.iter().filter_map(|entry| self.resource("context", entry, &keys)).collect()
    }

    /// The resource that stands in `entry`, in the table called `way`.
    pub(super) fn resource(&mut self, way: &str, entry: &Entry, keys: &[String]) -> Option<ResourcePlan> {
        let table = self.compiler.expect_table(entry)?;
        let resource = self.resource_type(entry, table)?;
        // An id made of another resource's id, or of what lies behind that, would depend on the order of evaluation.
        self.names.keys.clear();
        let id = table.get("id").and_then(|entry| self.template_entry(entry));
        let identifier = table.get("identifier").and_then(|entry| self.node(&entry.key, &entry.item));
        self.names.keys = keys.to_vec();
        let each = match table.get("each") {
            Some(entry) => Some(self.path_entry(entry)?),
            None => None,
        };
        let apart = ["resourceType", "each", "id", "identifier"];
        let others = table.entries.iter().filter(|it| !apart.contains(&it.key.as_str()));
        let mut members: Vec<Member> = others.filter_map(|member| self.member(member)).collect();
        let required = r4().required(&resource);
        members.iter_mut().for_each(|member| member.required = required.contains(&&*member.name));
        self.check(|checker| checker.resource(&resource, &format!("{way}.{}", entry.key), table));
        let origin = self.compiler.sources.origin(entry.place);
        Some(ResourcePlan { key: entry.key.clone(), resource, each, id, identifier, members, origin })
    }

    /// Reports what FHIR R4 does not allow.
    pub(super) fn check(&mut self, check: impl FnOnce(&mut Checker<'_>)) {
        let mut checker = Checker::new(self.compiler.sources, &self.names, self.root);
        check(&mut checker);
        let problems = checker.finish();
        self.compiler.problems.extend(problems);
    }

    /// The catalogue's type for the key; keys that are not in it say theirs.
    fn resource_type(&mut self, entry: &Entry, table: &Table) -> Option<String> {
        let said = text_of(table.get("resourceType"));
        match (catalogue::resource_of(&entry.key), said) {
            (Some(known), Some(said)) if said.text != known => {
                let message = format!("under the key `{}` stands the type {known}, not {}", entry.key, said.text);
                self.problem(Problem::new(said.whole(), message));
                None
            }
            (Some(known), _) => Some(known.to_owned()),
            (None, Some(said)) => Some(said.text.clone()),
            (None, None) if self.names.partial => None,
            (None, None) => {
                let help = format!("{}; or write resourceType = \"…\"", did_you_mean(&entry.key, catalogue::KEYS));
                let message = format!("`{}` is no context key of FHIRcast's own events", entry.key);
                self.problem(Problem::new(entry.place, message).help(help));
                None
            }
        }
    }

    fn member(&mut self, entry: &Entry) -> Option<Member> {
        let node = self.node(&entry.key, &entry.item)?;
        let label = format!("{}:", serde_json::Value::from(entry.key.as_str()));
        Some(Member { name: entry.key.as_str().into(), label: label.into(), required: false, node })
    }

    pub(super) fn node(&mut self, key: &str, item: &Item) -> Option<Node> {
        match &item.kind {
            Kind::Array(items) => Some(Node::Array(items.iter().filter_map(|item| self.element(key, item)).collect())),
            Kind::Scalar(json) => Some(Node::Literal(json.as_str().into())),
            Kind::Table(table) => {
                self.report_stray(table);
                self.object(key, table).map(|object| Node::Object(Box::new(object)))
            }
            Kind::Text(text) => self.template(text).map(Node::Template),
        }
    }

    fn element(&mut self, key: &str, item: &Item) -> Option<Element> {
        let Kind::Table(table) = &item.kind else {
            return self.node(key, item).map(|node| Element { each: None, node });
        };
        let each = match table.get("each") {
            Some(entry) => Some(self.each_entry(entry)?),
            None => None,
        };
        Some(Element { each, node: Node::Object(Box::new(self.object(key, table)?)) })
    }

    /// A path; or the key of the event's resources.
    fn each_entry(&mut self, entry: &Entry) -> Option<Each> {
        let text = self.compiler.expect_text(entry)?;
        match self.names.keys.iter().position(|key| *key == text.text) {
            Some(number) => Some(Each::Resource(number)),
            None => self.path_entry(entry).map(Each::Path),
        }
    }

    fn object(&mut self, key: &str, table: &Table) -> Option<Object> {
        let when: Option<Placed<_>> = match table.get("when") {
            Some(entry) => Some(self.condition(entry)?),
            None => None,
        };
        let written = table.entries.iter().filter(|entry| !keys::STEERING.contains(&entry.key.as_str()));
        let members: Vec<Member> = written.filter_map(|entry| self.member(entry)).collect();
        let reads_message = members.iter().any(|member| member.node.reads_message());
        // An identifier without a value identifies nothing.
        let essential = (key == "identifier").then_some("value");
        Some(Object { members, when, reads_message, essential })
    }

    /// `each` and `append` are about elements of an array.
    fn report_stray(&mut self, table: &Table) {
        for entry in ["each", "append"].into_iter().filter_map(|key| table.get(key)) {
            let message = format!("`{}` is for the elements of an array", entry.key);
            self.problem(Problem::new(entry.place, message).help("write the table's name in double brackets: [[…]]"));
        }
    }
}
