//! The desktops of one registry: found by what tells them apart, or by the key in a manager's URL. Section 3.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::desk::Desk;
use crate::exception::{Exception, ExceptionName};
use crate::registry::Description;
use crate::settings::{DesktopBy, timer};
use crate::shared::{Desktop, Shared};

/// The desktops, bounded in number.
pub(crate) struct Desks {
    shared: Arc<Shared>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// With the key of its manager's URL.
    desks: HashMap<Desktop, (Arc<str>, Arc<Desk>)>,
    keys: HashMap<Arc<str>, Arc<Desk>>,
}

/// What a call says of the desktop that it comes from.
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    pub(crate) description: Option<Description>,
    /// Empty where there is none.
    pub(crate) path: String,
}

impl Desks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: Mutex::default() }
    }

    /// The desktop that a call comes from, and the key of its manager's URL; opened if nobody has come from there yet.
    ///
    /// # Errors
    /// There are as many desktops as may be.
    pub(crate) fn locate(&self, origin: Origin) -> Result<(Arc<str>, Arc<Desk>), Exception> {
        let desktop = self.desktop(origin);
        let mut open = self.lock();
        if let Some(found) = open.desks.get(&desktop) {
            return Ok(found.clone());
        }
        if open.desks.len() >= self.shared.settings.max_desktops {
            self.forget_empty(&mut open);
        }
        if open.desks.len() >= self.shared.settings.max_desktops {
            return Err(Exception::new(ExceptionName::UnableToLocate, "as many desktops are served as may be"));
        }
        let key: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let desk = Desk::open(&self.shared, desktop.clone());
        open.keys.insert(Arc::clone(&key), Arc::clone(&desk));
        open.desks.insert(desktop, (Arc::clone(&key), Arc::clone(&desk)));
        Ok((key, desk))
    }

    /// The desktop of the key in a manager's URL.
    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<Desk>> {
        self.lock().keys.get(key).cloned()
    }

    /// Every desktop.
    pub(crate) fn all(&self) -> Vec<Arc<Desk>> {
        self.lock().keys.values().cloned().collect()
    }

    fn desktop(&self, origin: Origin) -> Desktop {
        let Origin { address, description, path } = origin;
        let said = |by: &DesktopBy| match by {
            DesktopBy::Address => Some(Desktop::Address(address.to_canonical())),
            DesktopBy::DescriptiveData => description.clone().map(Desktop::Description),
            DesktopBy::Path => (!path.is_empty()).then(|| Desktop::Path(path.to_lowercase())),
        };
        self.shared.settings.desktops.iter().find_map(said).unwrap_or(Desktop::Only)
    }

    /// Forgets desktops that nobody has joined for long; their context is anybody's no more.
    fn forget_empty(&self, open: &mut Open) {
        let (now, expiry) = (self.shared.now(), timer(self.shared.settings.desktop_expiry));
        let is_expired = |desk: &Arc<Desk>| desk.empty_since().is_some_and(|since| since + expiry <= now);
        open.desks.retain(|_, (_, desk)| !is_expired(desk));
        open.keys.retain(|_, desk| !is_expired(desk));
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
