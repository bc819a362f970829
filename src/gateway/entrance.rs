//! Where messages come in: whatever has come in is handled to its end.

use std::sync::Arc;

use fhircast_gateway_adapter_api::{BoxFuture, Inbound, Outcome, Sink};
use tokio_util::task::TaskTracker;
use tracing::error;

/// Handles every message in a task of its own, so that nobody takes back half of it by waiting no longer: a commit that is on its
/// way with nobody to remember it would let the resend in as a new message.
pub struct Entrance {
    inner: Arc<dyn Sink>,
    tasks: TaskTracker,
}

impl Entrance {
    /// The entrance to `inner`; whoever drains the gateway waits for `tasks`.
    pub fn new(inner: Arc<dyn Sink>, tasks: TaskTracker) -> Self {
        Self { inner, tasks }
    }
}

impl Sink for Entrance {
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
        let inner = Arc::clone(&self.inner);
        let handled = self.tasks.spawn(async move { inner.submit(inbound).await });
        Box::pin(async move {
            handled.await.unwrap_or_else(|failure| {
                error!(panicked = failure.is_panic(), "A message was not handled to its end; it was not kept.");
                Outcome::Unavailable { reason: "the gateway has failed at this message".into() }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::adapters::read_message;

    /// Handles a message once it may.
    struct Slow {
        may: Semaphore,
        handled: AtomicUsize,
    }

    impl Sink for Slow {
        fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                assert!(inbound.control_id != "bad", "as a mistake in the gateway would");
                self.may.acquire().await.unwrap().forget();
                self.handled.fetch_add(1, Ordering::SeqCst);
                Outcome::Accepted
            })
        }
    }

    fn inbound(control_id: &str) -> Inbound {
        let raw = Bytes::from_static(b"MSH|^~\\&|||||||ADT^A04|1|P|2.5\r");
        let fields = read_message("hl7v2", &raw).unwrap();
        let (sender, kind) = (String::new(), "ADT^A04".into());
        Inbound { source: "ris".into(), sender, control_id: control_id.into(), kind, fields, raw }
    }

    fn slow() -> Arc<Slow> {
        Arc::new(Slow { may: Semaphore::new(0), handled: AtomicUsize::new(0) })
    }

    #[tokio::test]
    async fn a_message_is_handled_to_its_end_when_nobody_waits_for_it_any_more() {
        let (slow, tasks) = (slow(), TaskTracker::new());
        let entrance = Entrance::new(Arc::clone(&slow) as _, tasks.clone());
        drop(entrance.submit(inbound("1")));
        tokio::task::yield_now().await;
        slow.may.add_permits(1);
        tasks.close();
        tasks.wait().await;
        assert_eq!(slow.handled.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_message_at_which_the_gateway_fails_is_answered_so_that_it_is_sent_again() {
        let entrance = Entrance::new(slow(), TaskTracker::new());
        assert!(matches!(entrance.submit(inbound("bad")).await, Outcome::Unavailable { .. }));
    }
}
