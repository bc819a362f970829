//! A mapping as compiled: paths resolved, templates split, names of members already written as JSON.
//!
//! Made once by `compile`, read by `apply` for each message, and by `explain`.

use fhircast_gateway_adapter_api::Path;

use super::age::NotAfter;
use super::condition::Condition;
use super::expression::Template;
use super::retire::MergeRule;
use super::source::Origin;
use crate::fhircast::EventName;

/// One mapping.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) protocol: String,
    pub(crate) about: Option<String>,
    /// Which messages it speaks for; none for a base file, which others extend.
    pub(crate) accept: Option<Placed<Condition>>,
    pub(crate) session: SessionPlan,
    /// When what a message tells happened, where the mapping says where that stands.
    pub(crate) occurred: Option<Placed<Template>>,
    pub(crate) rules: Vec<EventRule>,
    pub(crate) merges: Vec<MergeRule>,
    /// Those of `[context.x]`, then those that single events have in place of them.
    pub(crate) resources: Vec<ResourcePlan>,
}

impl SessionPlan {
    pub(crate) fn is_said(&self) -> bool {
        self.user.is_some() || self.workstation.is_some()
    }
}

impl Plan {
    /// Who tells the user and the workstation of an event: the event itself, else the mapping.
    pub(crate) fn session_of<'p>(
        &'p self,
        rule: Option<&'p EventRule>,
    ) -> (Option<&'p Placed<Template>>, Option<&'p Placed<Template>>) {
        let own = |which: fn(&SessionPlan) -> &Option<Placed<Template>>| {
            rule.and_then(|rule| which(&rule.session).as_ref()).or(which(&self.session).as_ref())
        };
        (own(|session| &session.user), own(|session| &session.workstation))
    }
}

/// Something, and the line it stands on.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// `[session]`: whose screen.
#[derive(Debug, Default)]
pub(crate) struct SessionPlan {
    pub(crate) user: Option<Placed<Template>>,
    pub(crate) workstation: Option<Placed<Template>>,
}

/// `[[event]]`: an event, and when it is emitted.
#[derive(Debug)]
pub(crate) struct EventRule {
    pub(crate) name: EventName,
    /// One event for each repetition.
    pub(crate) each: Option<Path>,
    pub(crate) when: Option<Condition>,
    pub(crate) not_after: NotAfter,
    /// Whose screen, where that differs from the mapping's own.
    pub(crate) session: SessionPlan,
    pub(crate) slots: Vec<Slot>,
    pub(crate) origin: Origin,
}

/// A context entry of an event.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Its number among the plan's resources.
    pub(crate) resource: usize,
    /// The number by which the event's other resources name its id.
    pub(crate) reference: usize,
    /// Without it the message is refused.
    pub(crate) required: bool,
    /// It must hold an identifier.
    pub(crate) identified: bool,
}

/// `[context.x]`: a resource.
#[derive(Debug)]
pub(crate) struct ResourcePlan {
    pub(crate) key: String,
    /// Its FHIR type.
    pub(crate) resource: String,
    /// One resource for each repetition.
    pub(crate) each: Option<Path>,
    pub(crate) id: Option<Placed<Template>>,
    pub(crate) identifier: Option<Node>,
    /// All other members.
    pub(crate) members: Vec<Member>,
    pub(crate) origin: Origin,
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: Box<str>,
    /// The name in quotes and a colon.
    pub(crate) label: Box<str>,
    /// FHIR has it in every resource of the type (1..1, 1..*).
    pub(crate) required: bool,
    pub(crate) node: Node,
}

/// A value of a resource.
#[derive(Debug)]
pub(crate) enum Node {
    Array(Vec<Element>),
    /// JSON that never changes.
    Literal(Box<str>),
    Object(Box<Object>),
    Template(Placed<Template>),
}

/// An element of an array.
#[derive(Debug)]
pub(crate) struct Element {
    /// One element for each of these.
    pub(crate) each: Option<Each>,
    pub(crate) node: Node,
}

/// What there is one element for.
#[derive(Debug)]
pub(crate) enum Each {
    /// Each repetition in the message.
    Path(Path),
    /// Each of the event's resources of that number.
    Resource(usize),
}

/// An object, left out whole if it reads the message and finds nothing there.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) members: Vec<Member>,
    /// It is left out unless this holds.
    pub(crate) when: Option<Placed<Condition>>,
    /// Whether any expression in it reads the message.
    pub(crate) reads_message: bool,
    /// The member without which it says nothing.
    pub(crate) essential: Option<&'static str>,
}

impl Node {
    /// Whether any expression in it reads the message.
    pub(crate) fn reads_message(&self) -> bool {
        match self {
            Self::Array(elements) => elements.iter().any(|it| it.each.is_some() || it.node.reads_message()),
            Self::Literal(_) => false,
            Self::Object(object) => object.reads_message,
            Self::Template(template) => template.value.reads_message,
        }
    }
}
