//! How time passes: slowly over a network, and at once where a test holds the hub's clock.

use std::pin::Pin;
use std::time::Duration;

/// Lets time pass for the hub under test.
pub trait Passage: Send + Sync {
    /// Returns when the hub's clock has moved on by `duration`.
    fn let_pass(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// How many checks may wait side by side. One, where waiting moves the clock of all of them.
    fn side_by_side(&self) -> usize;
}

/// The time of everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealTime;

impl Passage for RealTime {
    fn let_pass(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn side_by_side(&self) -> usize {
        8
    }
}
