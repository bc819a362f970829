//! Which addresses participants may name for their callbacks: the machine's own, and configured networks. Section 14, 7.
//!
//! `contextParticipant` is a stranger's word, and the gateway stands where that stranger may not reach: without this rule it
//! would fetch for him what is behind the firewall, or the cloud's own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::network::Network;

/// The addresses that may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callable(pub Vec<Network>);

/// Addresses at which clouds hand out their machines' credentials, beside 169.254.169.254.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

impl Callable {
    /// Whether `address` may be called for an application that joined from `joiner`. The gateway's own machine is open to
    /// its own applications alone; no network opens link-local and metadata addresses.
    pub fn allows(&self, address: IpAddr, joiner: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_never_called(address) {
            return false;
        }
        if address.is_loopback() {
            return joiner.to_canonical().is_loopback();
        }
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether the host of `url` is an address, or this machine's own name, that may not be called. Of other names nothing
    /// is known until they are resolved.
    pub fn forbids(&self, url: &Url, joiner: IpAddr) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(name)) if is_own_name(name) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(Host::Domain(_)) => return false,
            None => return true,
        };
        !self.allows(address, joiner)
    }
}

/// Whether a name is this machine's own, and never to be asked of a resolver.
pub(crate) fn is_own_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

fn is_never_called(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_never_called_v4(address),
        IpAddr::V6(address) => {
            let within = embedded_v4(address);
            METADATA_V6.contains(&address)
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || within.is_some_and(|within| within.is_loopback() || is_never_called_v4(within))
        }
    }
}

fn is_never_called_v4(address: Ipv4Addr) -> bool {
    METADATA_V4.contains(&address)
        || address.is_link_local()
        || address.octets()[0] == 0
        || address.is_multicast()
        || address.is_broadcast()
}

/// The IPv4 address that a packet to this one ends up at: by NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), or as an
/// IPv4-compatible or -translated address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callable(networks: &[&str]) -> Callable {
        Callable(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn check(networks: &[&str], address: &str, joiner: &str, expected: bool) {
        let allows = callable(networks).allows(address.parse().unwrap(), joiner.parse().unwrap());
        assert_eq!(allows, expected, "{address} for {joiner}, with {networks:?}");
    }

    #[test]
    fn section_14_loopback_is_open_to_the_machines_own_applications_alone() {
        for (address, joiner, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::1", true),
            ("::1", "127.0.0.1", true),
            ("127.9.9.9", "::ffff:127.0.0.1", true),
            ("127.0.0.1", "10.1.2.3", false),
            ("::1", "10.1.2.3", false),
            ("::ffff:127.0.0.1", "10.1.2.3", false),
        ] {
            check(&["0.0.0.0/0", "::/0"], address, joiner, expected);
        }
    }

    #[test]
    fn section_14_other_addresses_need_a_configured_network() {
        check(&[], "10.1.2.3", "10.1.2.3", false);
        check(&[], "203.0.113.9", "127.0.0.1", false);
        check(&["10.1.0.0/16"], "10.1.2.3", "10.9.9.9", true);
        check(&["10.1.0.0/16"], "10.2.2.3", "10.9.9.9", false);
        check(&["2001:db8::/32"], "2001:db8::7", "127.0.0.1", true);
    }

    #[test]
    fn section_14_link_local_and_metadata_addresses_are_opened_by_no_network() {
        for address in [
            "169.254.169.254",
            "169.254.1.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            check(&["0.0.0.0/0", "::/0"], address, "127.0.0.1", false);
        }
    }

    #[test]
    fn addresses_in_urls_are_judged_in_every_spelling() {
        let forbids = |url: &str| callable(&[]).forbids(&url.parse().unwrap(), "10.1.2.3".parse().unwrap());
        for url in [
            "http://127.0.0.1/",
            "http://localhost:9998/",
            "http://LOCALHOST./",
            "http://app.localhost/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/",
            "http://0/",
            "http://10.1.2.4/",
        ] {
            assert!(forbids(url), "{url}");
        }
        assert!(!forbids("http://app.example/"), "not before it is resolved");
    }
}
