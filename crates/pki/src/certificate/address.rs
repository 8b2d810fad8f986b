//! Which addresses in a certificate are not asked: all but HTTP, and literal addresses inside somebody's network, unless
//! the operator permits that network. Only the text is judged here; `outbound` judges where it leads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why this URL is not asked; `None` when nothing in its text speaks against it.
pub(super) fn blocked(url: &str) -> Option<&'static str> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Some("only http and https are fetched");
    }
    let authority = rest.trim_start_matches('/').split(['/', '?', '#', '\\']).next().unwrap_or("");
    let host_and_port = authority.rsplit('@').next().unwrap_or("");
    let host = match host_and_port.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(""),
        None => host_and_port.split(':').next().unwrap_or(""),
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host.is_empty() || host == "localhost" || host.ends_with(".localhost") {
        return Some("it points at this machine");
    }
    let is_bracketed = host_and_port.starts_with('[');
    if !is_bracketed && !host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet)) {
        // Whoever fetches it would read it as another host: %31%32%37 is 127.
        return Some("its host is written in a way that hides it");
    }
    let literal = host.split('%').next().unwrap_or("");
    let address =
        literal.parse::<Ipv6Addr>().map(IpAddr::V6).ok().or_else(|| parse_v4(&host).map(IpAddr::V4))?;
    (!is_public(address)).then_some("it points into a private network or at this machine")
}

/// The forms that `inet_aton` takes: one to four parts, each decimal, octal (`0177`) or hexadecimal (`0x7f`); the
/// last one fills what is left.
fn parse_v4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(parse_part).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 255) {
        return None;
    }
    // At most three.
    let left = 32 - 8 * leading.len() as u32;
    if left < 32 && last >> left != 0 {
        return None;
    }
    let front = leading.iter().enumerate().fold(0, |sum, (index, part)| sum | part << (24 - 8 * index));
    Some(Ipv4Addr::from(front | last))
}

fn parse_part(part: &str) -> Option<u32> {
    if let Some(digits) = part.strip_prefix("0x") {
        return u32::from_str_radix(if digits.is_empty() { "0" } else { digits }, 16).ok();
    }
    if part.starts_with('+') {
        return None;
    }
    match part.strip_prefix('0') {
        Some("") => Some(0),
        Some(digits) => u32::from_str_radix(digits, 8).ok(),
        None => part.parse().ok(),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_public_v4(inner),
            // Global unicast is 2000::/3; all else is local, multicast or unassigned.
            None => is_global_v6(address),
        },
    }
}

/// 2000::/3 without protocol assignments (2001::/23), documentation (2001:db8::/32, 3fff::/20).
fn is_global_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_special = match first {
        0x2001 => second < 0x200 || second == 0xdb8,
        0x3fff => second < 0x1000,
        _ => false,
    };
    first & 0xe000 == 0x2000 && !is_special
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = match (a, b) {
        (0 | 10 | 127 | 224.., _) | (169, 254) | (192, 168) => true,
        (100, 64..=127) | (172, 16..=31) | (198, 18..=19) => true,
        (192, 0) => c == 0 || c == 2,
        (192, 88) => c == 99,
        (198, 51) => c == 100,
        (203, 0) => c == 113,
        _ => false,
    };
    !reserved
}

/// The IPv4 address inside: mapped, compatible, NAT64 (64:ff9b::/96) and 6to4 (2002::/16).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(join(high, low)),
        [0x2002, ..] => Some(join(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_and_names_pass() {
        for url in [
            "http://ca.example/issuer.cer",
            "https://user@ca.example:8443/x?y=127.0.0.1",
            "HTTP://1.1.1.1/",
            "http://[2606:4700::1111]/",
            "http://[::ffff:1.1.1.1]/",
            "http://10.example/",
            "http://some_host.example/",
            "http://[2001:200::1]/",
        ] {
            assert_eq!(blocked(url), None, "{url}");
        }
    }

    #[test]
    fn everything_inside_is_blocked_however_it_is_written() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:5432/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1]/",
            "http://[fe80::1%25eth0]/",
            "http://[fd00::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://127.1/",
            "http://0/",
            "http://10.0.0.1/",
            "http://100.64.0.1/",
            "http://172.31.255.255/",
            "http://192.168.0.1./",
            "http://localhost./",
            "http://good.example@127.0.0.1/",
            "http://127.0.0.1\\@good.example/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:25/x",
            "ldap://ca.example/cn=x",
            "http:///",
            "http://%31%32%37.0.0.1/",
            "http://127.0.0.1%00.example/",
            "http://127%E3%80%820%E3%80%820%E3%80%821/",
            "http://[2001::1]/",
            "http://[3fff:fff::1]/",
            "http://203.0.113.1/",
            "http://192.88.99.1/",
            "//127.0.0.1/",
            "ca.cer",
            "",
        ] {
            assert!(blocked(url).is_some(), "{url}");
        }
    }
}
