//! Which addresses a callback may be at (WH-06, T4): public ones, and what the site lists. Never by a name's say-so: the
//! address that is connected to is the one that was looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::settings::WebhookSettings;

/// What of the site's list applies to one callback.
#[derive(Clone, Debug)]
pub(super) struct AddressRule {
    /// The callback's host is listed by name: its addresses may be private.
    host_is_listed: bool,
    /// Addresses and networks that are listed.
    networks: Vec<Network>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl AddressRule {
    /// The rule for a callback at `host` and `port`.
    pub(super) fn new(settings: &WebhookSettings, host: &str, port: u16) -> Self {
        let listed =
            |entry: &str| entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(&format!("{host}:{port}"));
        Self {
            host_is_listed: settings.allowed.iter().any(|entry| listed(entry)),
            networks: settings.allowed.iter().filter_map(|entry| Network::parse(entry)).collect(),
        }
    }

    /// Whether `address` may be connected to.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        let exactly = self.networks.iter().any(|network| network.is_one() && network.address == address);
        match reach(address) {
            Reach::Public => true,
            Reach::Never => exactly,
            Reach::Private => {
                exactly || self.host_is_listed || self.networks.iter().any(|network| network.holds(address))
            }
        }
    }
}

/// From where an address can be reached.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// Metadata services and neighbours on the wire: only where the very address is listed.
    Never,
    /// This machine, this site.
    Private,
    /// Everywhere.
    Public,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, second, ..] = address.octets();
    match () {
        () if address.is_link_local() || address.is_unspecified() || first == 0 => Reach::Never,
        () if address.is_multicast() || address.is_broadcast() || first >= 240 => Reach::Never,
        () if address.is_loopback() || address.is_private() => Reach::Private,
        // Carrier-grade NAT, benchmarking, documentation.
        () if first == 100 && (64..128).contains(&second) => Reach::Private,
        () if first == 198 && (18..20).contains(&second) => Reach::Private,
        () if address.is_documentation() || (first == 192 && second == 0) => Reach::Private,
        () => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let first = address.segments()[0];
    match () {
        () if address.is_unspecified() || address.is_multicast() || address == METADATA => Reach::Never,
        () if first & 0xffc0 == 0xfe80 => Reach::Never,
        () if address.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 => Reach::Private,
        // Only this block has been given out for the public.
        () if first & 0xe000 == 0x2000 && first != 0x2001 => Reach::Public,
        () if first == 0x2001 && address.segments()[1] > 0x01ff && address.segments()[1] != 0x0db8 => Reach::Public,
        () => Reach::Private,
    }
}

/// Where a well-known cloud keeps the credentials of its machines.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, by NAT64 or 6to4.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let segments = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if !six.is_loopback() && !six.is_unspecified() => four(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn is_one(&self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

/// Whether `text` can stand in the site's list.
pub(super) fn is_entry(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let named =
        |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    Network::parse(text).is_some() || (named(host) && port.is_none_or(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &[&str], address: &str) -> bool {
        let settings = WebhookSettings {
            allowed: allowed.iter().map(|&entry| entry.to_owned()).collect(),
            ..WebhookSettings::default()
        };
        AddressRule::new(&settings, "hooks.hospital.example", 443).allows(address.parse().unwrap())
    }

    #[test]
    fn wh_06_t4_addresses_of_this_machine_and_site_are_refused_unless_listed() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
        ] {
            assert!(!allows(&[], address), "{address}");
            assert!(allows(&["hooks.hospital.example"], address), "{address}");
            assert!(allows(&["HOOKS.hospital.example:443"], address), "{address}");
            assert!(!allows(&["hooks.hospital.example:8443", "other.example"], address), "{address}");
        }
        for address in ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"] {
            assert!(allows(&[], address), "{address}");
        }
    }

    #[test]
    fn wh_06_t4_neighbours_and_metadata_are_refused_unless_the_very_address_is_listed() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            let broad = ["hooks.hospital.example", "0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "fd00::/8"];
            assert!(!allows(&broad, address), "{address}");
        }
        assert!(allows(&["169.254.169.254"], "169.254.169.254"));
    }

    #[test]
    fn wh_06_networks_are_listed_by_prefix() {
        assert!(allows(&["10.1.0.0/16"], "10.1.2.3"));
        assert!(!allows(&["10.1.0.0/16"], "10.2.2.3"));
        assert!(allows(&["fd12::/16"], "fd12:3::1"));
        for (entry, good) in [
            ("10.0.0.0/33", false),
            ("10.0.0.0/8", true),
            ("host", true),
            ("host:70000", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(is_entry(entry), good, "{entry}");
        }
    }
}
