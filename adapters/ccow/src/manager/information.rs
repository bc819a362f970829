//! The interfaces `InterfaceInformation` and `ImplementationInformation`. Section 4.

use super::{Result, not_implemented};
use crate::arguments::Arguments;
use crate::reply::Reply;

const INTERFACES: [&str; 7] = [
    "ContextManagementRegistry",
    "ContextManager",
    "ContextData",
    "SecureContextData",
    "ContextFilter",
    "InterfaceInformation",
    "ImplementationInformation",
];

/// When it was installed is nobody's business on a network, and nobody has been seen to ask.
const PROPERTIES: [(&str, &str); 8] = [
    ("componentName", "CCOW.ContextManager"),
    ("revMajorNum", env!("CARGO_PKG_VERSION_MAJOR")),
    ("revMinorNum", env!("CARGO_PKG_VERSION_MINOR")),
    ("partNumber", env!("CARGO_PKG_NAME")),
    ("manufacturer", "fhircast-gateway"),
    ("targetOS", std::env::consts::OS),
    ("targetOSRev", ""),
    ("whenInstalled", ""),
];

pub(super) fn interface(method: &str, arguments: &Arguments) -> Result<Reply> {
    if method != "interrogate" {
        return Err(not_implemented("this method of InterfaceInformation"));
    }
    let asked = arguments.required("interfaceName")?;
    let implemented = INTERFACES.iter().any(|name| name.eq_ignore_ascii_case(asked));
    Ok(Reply::void().with("implemented", implemented.to_string()))
}

/// A property by its name, or by `Get` and its name.
pub(super) fn implementation(method: &str) -> Result<Reply> {
    let property = method.strip_prefix("get").unwrap_or(method);
    let found = PROPERTIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(property));
    let (name, value) = found.ok_or_else(|| not_implemented("this property of ImplementationInformation"))?;
    Ok(Reply::void().with(name, *value))
}
