//! Which addresses belong to the public internet, by IANA's special-purpose registries (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: address, prefix length.
struct V4(Ipv4Addr, u32);
struct V6(Ipv6Addr, u32);

/// Everything that the IPv4 registry does not call globally reachable, and multicast.
const NOT_PUBLIC_V4: [V4; 16] = [
    V4(Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    V4(Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    V4(Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers
    V4(Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    V4(Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, cloud metadata
    V4(Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    V4(Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    V4(Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    V4(Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, deprecated
    V4(Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    V4(Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    V4(Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    V4(Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    V4(Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    V4(Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved
    V4(Ipv4Addr::new(255, 255, 255, 255), 32),
];

/// What is special inside the only part of IPv6 that is given out for the internet, [`GLOBAL_V6`].
const NOT_PUBLIC_V6: [V6; 4] = [
    V6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    V6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: leads to any IPv4 address
    V6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];
const GLOBAL_V6: V6 = V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// IPv4 behind a translator (RFC 6052): as public as the address inside.
const TRANSLATED: V6 = V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether the address is one of the public internet. IPv4 written as IPv6 (`::ffff:10.0.0.1`) is judged as IPv4.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.holds(address)),
        IpAddr::V6(address) if TRANSLATED.holds(address) => {
            // The last 32 bits.
            let inside = Ipv4Addr::from_bits(address.to_bits() as u32);
            is_public(IpAddr::V4(inside))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.holds(address) && !NOT_PUBLIC_V6.iter().any(|network| network.holds(address))
        }
    }
}

impl V4 {
    fn holds(&self, address: Ipv4Addr) -> bool {
        (self.0.to_bits() ^ address.to_bits()).leading_zeros() >= self.1
    }
}

impl V6 {
    fn holds(&self, address: Ipv6Addr) -> bool {
        (self.0.to_bits() ^ address.to_bits()).leading_zeros() >= self.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn their_neighbours_are() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2001:200::1",
            "2003::1",
            "2606:4700::1111",
            "2a00::1",
            "3ffe::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
