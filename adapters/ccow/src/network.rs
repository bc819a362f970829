//! Address ranges, as the `callbacks` setting lists them: `10.20.0.0/16`, `192.0.2.7`, `2001:db8::/32`.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

/// A range of addresses, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// A text that is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address range; write 10.20.0.0/16 or a single address")]
pub struct NetworkError(String);

impl Network {
    /// Whether `address` is in the range. IPv4 written as IPv6 (`::ffff:10.1.2.3`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let single = |_| text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(single).map(Self).map_err(|_| NetworkError(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, expected: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), expected, "{network:?} {address}");
    }

    #[test]
    fn ranges_hold_their_addresses() {
        check("10.20.0.0/16", "10.20.255.1", true);
        check("10.20.0.0/16", "10.21.0.1", false);
        check("10.20.0.0/16", "::ffff:10.20.0.1", true);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.6", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/33", "2001:db8:8000::1", false);
        check("::/0", "2001:db8::1", true);
    }

    #[test]
    fn other_texts_are_no_ranges() {
        for text in ["", "10.20", "10.20.0.0/33", "10.20.0.0/", "10.20.0.0/-1", "::/129", "ris.example.org"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
