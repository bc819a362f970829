//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// The connections there are, by address.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: Mutex<HashMap<IpAddr, usize>>,
    total: usize,
    per_address: usize,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// Why there is no place. Connections that are there are never closed for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SeatError {
    #[error("the address has max_connections_per_address connections")]
    Address,
    #[error("there are max_connections connections")]
    Total,
}

impl Seats {
    pub(crate) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), total, per_address })
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, SeatError> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= self.total {
            return Err(SeatError::Total);
        }
        let own = taken.entry(address).or_default();
        if *own >= self.per_address {
            return Err(SeatError::Address);
        }
        *own += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(own) = taken.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_by_address_and_given_back() {
        let [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|address| address.parse().unwrap());
        let seats = Seats::new(3, 2);
        let first = seats.take(a).unwrap();
        let _second = seats.take(a).unwrap();
        assert_eq!(seats.take(a).unwrap_err(), SeatError::Address);
        let _third = seats.take(b).unwrap();
        assert_eq!(seats.take(c).unwrap_err(), SeatError::Total);
        drop(first);
        assert!(seats.take(c).is_ok());
    }
}
