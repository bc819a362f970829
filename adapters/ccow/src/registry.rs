//! The context management registry: tells an application where the context manager of its desktop is. Section 3.

use crate::arguments::Arguments;
use crate::exception::{Exception, ExceptionName};
use crate::oddity::Oddity;
use crate::reply::Reply;

/// What a call of the registry asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Where the manager of this desktop is.
    Locate(Option<Description>),
    /// Something of a dialect that has its whole reply here.
    Other(Reply),
}

/// How an application on a shared host says which desktop it is on: `clientHostName:WS-0001`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Description {
    /// One of the types that are known, as the standard writes it.
    pub kind: &'static str,
    /// Its value, in lower case: machine names have no case.
    pub value: String,
}

/// The types of descriptive data.
pub(crate) const KINDS: [&str; 4] = ["clientHostName", "clientIPAddress", "citrixSessionId", "wtsSessionId"];

const LONGEST_VALUE: usize = 256;

/// Reads a call of the registry; `None` where it is a call of something else. One client leaves the interface out.
///
/// # Errors
/// It asks for what is not here.
pub fn asked(arguments: &mut Arguments) -> Option<Result<Asked, Exception>> {
    let method = arguments.text("method").unwrap_or_default().to_ascii_lowercase();
    match (arguments.text("interface").map(str::to_ascii_lowercase).as_deref(), &*method) {
        (Some("contextmanagementregistry") | None, "locate") => Some(locate(arguments)),
        (Some("contextmanagementregistry"), "notification") | (Some("admin"), "logmessage") => {
            arguments.oddities.note(Oddity::VendorCall);
            Some(Ok(Asked::Other(Reply::void())))
        }
        (Some("auxiliaryinformation"), "querylogger") => {
            arguments.oddities.note(Oddity::VendorCall);
            Some(Ok(Asked::Other(Reply::void().with("logLevel", "0"))))
        }
        (Some("contextmanagementregistry"), _) => {
            let message = "this method of ContextManagementRegistry is not implemented here";
            Some(Err(Exception::new(ExceptionName::NotImplemented, message)))
        }
        _ => None,
    }
}

fn locate(arguments: &Arguments) -> Result<Asked, Exception> {
    let component = arguments.text("componentName").unwrap_or(COMPONENT);
    if !component.eq_ignore_ascii_case(COMPONENT) {
        return Err(Exception::new(ExceptionName::UnableToLocate, "the only component here is CCOW.ContextManager"));
    }
    let version = arguments.text("version").unwrap_or("1");
    if version != "1" && !version.starts_with("1.") {
        return Err(Exception::new(ExceptionName::BadPropertyValue, "version is none of 1.x"));
    }
    arguments.text("descriptiveData").map(Description::parse).transpose().map(Asked::Locate)
}

/// The component that a registry is asked for.
const COMPONENT: &str = "CCOW.ContextManager";

impl Description {
    /// Reads `descriptiveData`.
    ///
    /// # Errors
    /// It has no type, one that is not known, or no value.
    pub fn parse(text: &str) -> Result<Self, Exception> {
        let bad = |name, message: &str| Exception::new(name, message);
        let (kind, value) = text
            .split_once(':')
            .ok_or_else(|| bad(ExceptionName::BadPropertyValue, "descriptiveData is not type:value"))?;
        let known = KINDS.iter().find(|known| known.eq_ignore_ascii_case(kind.trim()));
        let kind = known.ok_or_else(|| {
            let message = format!("descriptiveData has an unknown type; known are {}", KINDS.join(", "));
            bad(ExceptionName::UnknownPropertyName, &message)
        })?;
        let value = value.trim().to_lowercase();
        if value.is_empty() || value.len() > LONGEST_VALUE || value.contains(char::is_control) {
            return Err(bad(ExceptionName::BadPropertyValue, "descriptiveData has no usable value"));
        }
        Ok(Self { kind, value })
    }
}

/// The reply to `Locate`. The parameters stay empty, for one client does not decode them; the key of the desktop is in the
/// URL. Pages open their sockets at `socket_port`. Section 2.3.
pub fn located(component_url: &str, socket_port: u16) -> Reply {
    Reply::void()
        .with("componentUrl", component_url)
        .with("componentParameters", "")
        .with("site", "")
        .with("persistPort", socket_port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Plus;

    fn ask(query: &str) -> Option<Result<Asked, ExceptionName>> {
        let mut arguments = Arguments::read(query.as_bytes(), b"", Plus::Space).unwrap();
        asked(&mut arguments).map(|asked| asked.map_err(|exception| exception.name))
    }

    #[test]
    fn section_3_locate_is_read_as_real_clients_write_it() {
        let described =
            |kind, value: &str| Some(Ok(Asked::Locate(Some(Description { kind, value: value.to_owned() }))));
        let locate = |rest: &str| ask(&format!("interface=ContextManagementRegistry&method=Locate&{rest}"));
        let full = "componentName=CCOW.ContextManager&version=1.5&descriptiveData=&contextParticipant=http%3A%2F%2Flocalhost%3A9998%2Fparticipant";
        let page = "componentName=CCOW.ContextManager&version=1.2&descriptiveData=&contextParticipant=http%3A%2F%2Fapp.example%2Fa%2F%3Fcpid%3D12&cacheable=false&WinRTApp=true";
        for rest in [full, page, "", "version=1.6&componentName=ccow.contextmanager", "descriptiveData=null"] {
            assert_eq!(locate(rest), Some(Ok(Asked::Locate(None))), "{rest}");
        }
        assert_eq!(ask("method=Locate"), Some(Ok(Asked::Locate(None))));
        assert_eq!(locate("descriptiveData=CLIENTHOSTNAME:WS-0001"), described("clientHostName", "ws-0001"));
        assert_eq!(
            locate("descriptiveData=clientIPAddress%3A2001:db8::1"),
            described("clientIPAddress", "2001:db8::1")
        );
    }

    #[test]
    fn section_3_what_is_not_here_has_its_exception() {
        use ExceptionName::*;
        let refuse = |rest: &str, name| {
            let asked = ask(&format!("interface=contextmanagementregistry&method=Locate&{rest}"));
            assert_eq!(asked, Some(Err(name)), "{rest}");
        };
        refuse("componentName=CCOW.MappingAgent", UnableToLocate);
        refuse("version=2.0", BadPropertyValue);
        refuse("version=15", BadPropertyValue);
        refuse("descriptiveData=WS-0001", BadPropertyValue);
        refuse("descriptiveData=clientHostName:", BadPropertyValue);
        refuse("descriptiveData=clientHostName:a%0Ab", BadPropertyValue);
        refuse(&format!("descriptiveData=clientHostName:{}", "a".repeat(257)), BadPropertyValue);
        refuse("descriptiveData=colour:blue", UnknownPropertyName);
        assert_eq!(ask("interface=ContextManagementRegistry&method=Register"), Some(Err(NotImplemented)));
    }

    #[test]
    fn section_3_the_dialects_own_calls_have_their_replies() {
        for query in
            ["interface=ContextManagementRegistry&method=Notification&message=x", "interface=Admin&method=LogMessage"]
        {
            assert_eq!(ask(query), Some(Ok(Asked::Other(Reply::void()))), "{query}");
        }
        let Some(Ok(Asked::Other(reply))) = ask("interface=AuxiliaryInformation&method=queryLogger") else { panic!() };
        assert_eq!(reply.body(), "logLevel=0");
        for query in ["interface=ContextManager&method=Locate", "interface=ContextManager", "", "method=Join"] {
            assert_eq!(ask(query), None, "{query}");
        }
    }

    #[test]
    fn section_2_3_a_location_needs_no_decoding() {
        assert_eq!(
            located("http://127.0.0.1:2116/manager/1a2b", 2116).body(),
            "componentUrl=http://127.0.0.1:2116/manager/1a2b&componentParameters=&site=&persistPort=2116"
        );
    }
}
