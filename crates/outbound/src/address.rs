//! `host:port` as it is written, before anything is looked up.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::OutboundError;

/// A host and a port, checked for form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAndPort {
    /// A DNS name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// From 1.
    pub port: u16,
}

impl HostAndPort {
    /// The address, if the host is one already.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for HostAndPort {
    type Err = OutboundError;

    fn from_str(text: &str) -> Result<Self, OutboundError> {
        let (host, port) = text.rsplit_once(':').ok_or(OutboundError::Address)?;
        let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0);
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // A zone (`%eth0`) is not part of an address that others may know.
            Some(inside) => inside.parse().ok().map(|address: Ipv6Addr| address.to_string()),
            None => is_host(host).then(|| host.to_ascii_lowercase()),
        };
        match (host, port) {
            (Some(host), Some(port)) => Ok(Self { host, port }),
            _ => Err(OutboundError::Address),
        }
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A name whose last label is a number, in any notation, is an IPv4 address in four decimal parts or nothing at all:
/// resolvers take `0x7f.1` and `2130706433` for 127.0.0.1.
fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    if name.len() > 253 || name.starts_with('-') || !name.split('.').all(label) {
        return false;
    }
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    !is_number || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses() {
        for (text, shown) in [
            ("A.Example:443", "a.example:443"),
            ("localhost:80", "localhost:80"),
            ("192.0.2.1:65535", "192.0.2.1:65535"),
            ("[2001:DB8::1]:443", "[2001:db8::1]:443"),
            ("a.example.:443", "a.example.:443"),
            ("_http.a_b.example:1", "_http.a_b.example:1"),
        ] {
            assert_eq!(text.parse::<HostAndPort>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_somebody_else_would_read_as_another_address() {
        for text in [
            "",
            ":80",
            "a",
            "a:",
            "a:0",
            "a:65536",
            "a:+80",
            "a:443/x",
            "http://a:80",
            "good@bad:80",
            "a b:80",
            "[fe80::1%eth0]:80",
            "fe80::1:80",
            "[127.0.0.1]:80",
            "0x7f.1:80",
            "2130706433:80",
            "127.1:80",
            "0177.0.0.1:80",
            "0x7f000001:80",
            "1.2.3.4.:80",
            "a..b:80",
            "-a:80",
            "a\r\nb:80",
            "a%00:80",
            "[::1:80",
        ] {
            assert!(text.parse::<HostAndPort>().is_err(), "{text:?}");
        }
    }
}
