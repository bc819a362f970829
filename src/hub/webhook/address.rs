//! Which addresses a webhook may call (WH-06): public ones, and those that the operator lists.
//!
//! A callback is a stranger's word, and the hub stands where that stranger may not reach: without these rules it would
//! fetch for him what is behind the firewall, or the cloud's own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// One entry of the `allowed` setting: `viewer.example`, `viewer.example:8443`, `10.1.2.3:8443`, `10.1.0.0/16`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedReceiver {
    host: Host,
    /// Any, where there is none.
    port: Option<u16>,
}

/// A text that is no such entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no receiver; write viewer.example, viewer.example:8443, 10.1.2.3, 10.1.2.3:8443 or 10.1.0.0/16")]
pub struct AllowedReceiverError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// A name in lower case, without a dot at its end.
    Name(String),
    /// The addresses whose first `length` bits are those of `address`.
    Network { address: IpAddr, length: u8 },
}

/// What it takes to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Nothing: everybody may be called here.
    Public,
    /// Any entry that matches.
    Internal,
    /// An entry of this very address: no range and no name opens these, as nobody who writes one thinks of them.
    Special,
}

/// Whether `address`, which `host` has been resolved to, may be called at `port`.
pub(super) fn is_allowed(host: &str, address: IpAddr, port: u16, allowed: &[AllowedReceiver]) -> bool {
    // `::ffff:10.1.2.3` is another way to write 10.1.2.3, and connects to it.
    let address = address.to_canonical();
    match reach(address) {
        Reach::Public => true,
        Reach::Internal => allowed.iter().any(|entry| entry.matches(host, address, port)),
        Reach::Special => allowed.iter().any(|entry| entry.is_exactly(address, port)),
    }
}

impl AllowedReceiver {
    fn matches(&self, host: &str, address: IpAddr, port: u16) -> bool {
        let host_matches = match &self.host {
            Host::Name(name) => name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)),
            Host::Network { address: network, length } => contains(*network, *length, address),
        };
        host_matches && self.port.is_none_or(|own| own == port)
    }

    fn is_exactly(&self, address: IpAddr, port: u16) -> bool {
        let single = if address.is_ipv4() { 32 } else { 128 };
        self.host == Host::Network { address, length: single } && self.port.is_none_or(|own| own == port)
    }
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let common = match (network, address) {
        (IpAddr::V4(own), IpAddr::V4(other)) => (u32::from(own) ^ u32::from(other)).leading_zeros(),
        (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own) ^ u128::from(other)).leading_zeros(),
        _ => return false,
    };
    common >= u32::from(length)
}

/// Addresses at which clouds hand out their machines' credentials, beside 169.254.169.254.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let octets = address.octets();
    if address.is_link_local() || METADATA_V4.contains(&address) {
        return Reach::Special;
    }
    if octets[0] == 0 || address.is_multicast() || address.is_broadcast() {
        return Reach::Special;
    }
    let internal = address.is_loopback()
        || address.is_private()
        || address.is_documentation()
        // Carriers' own (RFC 6598), benchmarks (RFC 2544), protocols' (RFC 6890), 6to4 relays, reserved.
        || (octets[0] == 100 && octets[1] & 0xc0 == 64)
        || (octets[0] == 198 && octets[1] & 0xfe == 18)
        || octets[..3] == [192, 0, 0]
        || octets[..3] == [192, 88, 99]
        || octets[0] >= 240;
    if internal { Reach::Internal } else { Reach::Public }
}

/// Only what is known to be public is: most of IPv6 is not given out yet.
fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    if METADATA_V6.contains(&address) || address.is_unicast_link_local() {
        return Reach::Special;
    }
    if address.is_unspecified() || address.is_multicast() {
        return Reach::Special;
    }
    let within = embedded_v4(&segments).map_or(Reach::Public, reach_v4);
    let own = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Reach::Public,
        // Protocols' own, Teredo among them; and what documents use.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Reach::Internal,
        [0x3fff, second, ..] if second < 0x1000 => Reach::Internal,
        [first, ..] if first & 0xe000 == 0x2000 => Reach::Public,
        _ => Reach::Internal,
    };
    own.max(within)
}

/// The IPv4 address that a packet to this one ends up at: by NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), or as an
/// IPv4-compatible or -translated address.
fn embedded_v4(segments: &[u16; 8]) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match *segments {
        // The loopback address, which has the form of a compatible one.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        [0x64, 0xff9b, 1, _, _, _, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(joined(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

impl FromStr for AllowedReceiver {
    type Err = AllowedReceiverError;

    fn from_str(text: &str) -> Result<Self, AllowedReceiverError> {
        entry(text).ok_or_else(|| AllowedReceiverError(text.to_owned()))
    }
}

impl TryFrom<String> for AllowedReceiver {
    type Error = AllowedReceiverError;

    fn try_from(text: String) -> Result<Self, AllowedReceiverError> {
        text.parse()
    }
}

fn entry(text: &str) -> Option<AllowedReceiver> {
    if let Some((address, length)) = text.split_once('/') {
        let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse().ok()?);
        let fits = length <= if address.is_ipv4() { 32 } else { 128 };
        return fits.then_some(AllowedReceiver { host: Host::Network { address, length }, port: None });
    }
    if let Ok(address) = text.parse() {
        return Some(AllowedReceiver { host: single(address), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok().filter(|&port: &u16| port != 0)?)),
        None => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let host = match bracketed {
        Some(inner) => single(IpAddr::V6(inner.parse().ok()?)),
        None => host.parse().map(single).ok().or_else(|| name(host))?,
    };
    Some(AllowedReceiver { host, port })
}

fn single(address: IpAddr) -> Host {
    let address = address.to_canonical();
    Host::Network { address, length: if address.is_ipv4() { 32 } else { 128 } }
}

/// A host's name. One whose last label is a number would be taken for an address by some and not by others.
fn name(text: &str) -> Option<Host> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| !label.is_empty() && label.bytes().all(of_name);
    let last = name.rsplit('.').next().unwrap_or_default();
    (name.split('.').all(label) && !last.starts_with(|first: char| first.is_ascii_digit())).then_some(Host::Name(name))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::super::callback::host;
    use super::*;

    fn allowed(entries: &[&str]) -> Vec<AllowedReceiver> {
        entries.iter().map(|entry| entry.parse().unwrap()).collect()
    }

    /// Judges the host of a URL as the sender does when it is an address.
    fn judge(written: &str, port: u16, entries: &[&str]) -> bool {
        let url = Url::parse(&format!("https://{written}/")).unwrap();
        let host = host(&url);
        is_allowed(host, host.parse().unwrap(), port, &allowed(entries))
    }

    #[test]
    fn wh_06_only_public_addresses_are_called_unless_others_are_listed() {
        for (written, public) in [
            ("127.0.0.1", false),
            ("127.255.0.7", false),
            ("0.0.0.0", false),
            ("0", false),
            ("0.1.2.3", false),
            ("0x7f000001", false),
            ("0x7f.1", false),
            ("0177.0.0.1", false),
            ("2130706433", false),
            ("2852039166", false),
            ("127.1", false),
            ("169.254.169.254", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("100.100.100.200", false),
            ("168.63.129.16", false),
            ("192.0.0.192", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("[::]", false),
            ("[::1]", false),
            ("[::ffff:127.0.0.1]", false),
            ("[::ffff:a9fe:a9fe]", false),
            ("[::ffff:0:10.0.0.1]", false),
            ("[::127.0.0.1]", false),
            ("[64:ff9b::7f00:1]", false),
            ("[64:ff9b::a9fe:a9fe]", false),
            ("[64:ff9b:1::808:808]", false),
            ("[2002:7f00:1::]", false),
            ("[2002:a00:1::1]", false),
            ("[2001::1]", false),
            ("[2001:db8::1]", false),
            ("[3fff::1]", false),
            ("[fc00::1]", false),
            ("[fd00:ec2::254]", false),
            ("[fe80::1]", false),
            ("[fec0::1]", false),
            ("[ff02::1]", false),
            ("[100::1]", false),
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("100.128.0.1", true),
            ("172.32.0.1", true),
            ("192.0.1.1", true),
            ("[2606:4700::1111]", true),
            ("[2001:4860:4860::8888]", true),
            ("[64:ff9b::808:808]", true),
            ("[2002:808:808::1]", true),
            ("[::ffff:8.8.8.8]", true),
        ] {
            assert_eq!(judge(written, 443, &[]), public, "{written}");
        }
    }

    #[test]
    fn wh_06_what_is_listed_is_called() {
        for (written, port, entry, expected) in [
            ("10.1.2.3", 443, "10.1.0.0/16", true),
            ("10.2.2.3", 443, "10.1.0.0/16", false),
            ("10.1.2.3", 8443, "10.1.2.3:8443", true),
            ("10.1.2.3", 443, "10.1.2.3:8443", false),
            ("10.1.2.3", 443, "10.1.2.3", true),
            ("[::ffff:10.1.2.3]", 443, "10.1.0.0/16", true),
            ("127.0.0.1", 443, "127.0.0.0/8", true),
            ("127.0.0.1", 443, "::ffff:127.0.0.1", true),
            ("[::1]", 443, "[::1]:443", true),
            ("[fd00::1]", 443, "fd00::/8", true),
            ("[fd00::1]", 443, "0.0.0.0/0", false),
            ("[64:ff9b::a00:1]", 443, "10.0.0.0/8", false),
            ("[64:ff9b::a00:1]", 443, "64:ff9b::/96", true),
        ] {
            assert_eq!(judge(written, port, &[entry]), expected, "{written} {entry}");
        }
    }

    #[test]
    fn wh_06_link_local_and_metadata_addresses_are_opened_by_no_range() {
        for (written, exact) in [
            ("169.254.169.254", "169.254.169.254"),
            ("169.254.1.1", "169.254.1.1/32"),
            ("100.100.100.200", "100.100.100.200:443"),
            ("168.63.129.16", "168.63.129.16"),
            ("192.0.0.192", "192.0.0.192"),
            ("0.0.0.0", "0.0.0.0"),
            ("224.0.0.1", "224.0.0.1"),
            ("255.255.255.255", "255.255.255.255"),
            ("[fe80::1]", "fe80::1"),
            ("[fd00:ec2::254]", "[fd00:ec2::254]:443"),
            ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe"),
            ("[2002:a9fe:a9fe::]", "2002:a9fe:a9fe::"),
        ] {
            let broad = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "169.254.169.254/31", "fe80::/10", "fd00::/8"];
            assert!(!judge(written, 443, &broad), "{written}");
            assert!(judge(written, 443, &[exact]), "{written}");
        }
    }

    #[test]
    fn wh_06_a_listed_name_opens_internal_addresses_but_no_special_ones() {
        let entries = allowed(&["Viewer.Example:8443", "desk.example."]);
        for (host, address, port, expected) in [
            ("viewer.example", "10.1.2.3", 8443, true),
            ("viewer.example.", "127.0.0.1", 8443, true),
            ("viewer.example", "10.1.2.3", 443, false),
            ("viewer.example", "169.254.169.254", 8443, false),
            ("viewer.example", "fe80::1", 8443, false),
            ("desk.example", "192.168.0.1", 1, true),
            ("x.desk.example", "192.168.0.1", 1, false),
            ("desk.example.evil", "192.168.0.1", 1, false),
            ("other.example", "8.8.8.8", 443, true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(is_allowed(host, address, port, &entries), expected, "{host} {address}");
        }
    }

    #[test]
    fn what_is_no_receiver_is_refused() {
        for text in [
            "",
            ":443",
            "viewer.example:",
            "viewer.example:0",
            "viewer.example:99999",
            "https://viewer.example",
            "a b",
            "10.1.0.0/33",
            "10.1/16",
            "fd00::/129",
            "[10.1.2.3]:443",
            "viewer..example",
            "10.1.2",
            "0x7f000001",
            "*",
        ] {
            assert!(text.parse::<AllowedReceiver>().is_err(), "{text}");
        }
    }
}
