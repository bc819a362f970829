//! What all desktops of one registry have in common, and what tells them apart. Section 3.

use std::sync::Arc;

use fhircast_gateway_adapter_api::Sink;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callable::Callable;
use crate::counters::Counters;
use crate::registry::Description;
use crate::settings::Settings;
use crate::sockets::Sockets;
use crate::transaction::Moment;

/// What all desktops of one registry have in common.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) source: Arc<str>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) callable: Callable,
    pub(crate) sockets: Sockets,
    pub(crate) tasks: TaskTracker,
    /// Sessions count time from here.
    pub(crate) start: Instant,
    pub(crate) shutdown: CancellationToken,
}

impl Shared {
    pub(crate) fn now(&self) -> Moment {
        self.start.elapsed()
    }
}

/// What tells a desktop from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Desktop {
    /// There is but one.
    Only,
    Address(std::net::IpAddr),
    Description(Description),
    Path(String),
}

impl Desktop {
    /// What paths of a mapping call it.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Only => Vec::new(),
            Self::Address(address) => vec![("desktop", address.to_string())],
            Self::Description(Description { kind, value }) => vec![("desktop", value.clone()), (*kind, value.clone())],
            Self::Path(path) => vec![("desktop", path.clone())],
        }
    }
}
