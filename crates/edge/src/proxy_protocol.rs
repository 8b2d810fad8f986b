//! The header by which a backend learns who the client is: PROXY protocol, version 2, section 2.2.

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// The header for a connection from `client` that came in at `local`.
pub(crate) fn header(client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let (family, addresses) = match (client.ip().to_canonical(), local.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(local)) => {
            (TCP_OVER_IPV4, [client.octets().as_slice(), &local.octets()].concat())
        }
        (client, local) => (TCP_OVER_IPV6, [octets(client).as_slice(), &octets(local)].concat()),
    };
    let mut header = SIGNATURE.to_vec();
    header.extend([VERSION_AND_COMMAND, family]);
    // 12 or 36 bytes.
    header.extend((addresses.len() as u16 + 4).to_be_bytes());
    header.extend(addresses);
    header.extend(client.port().to_be_bytes());
    header.extend(local.port().to_be_bytes());
    header
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_families() {
        let v4 = header("192.0.2.7:49152".parse().unwrap(), "[::ffff:192.0.2.1]:443".parse().unwrap());
        let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xc0\0\x01\xbb";
        assert_eq!(v4, expected);
        let v6 = header("[2001:db8::7]:1".parse().unwrap(), "192.0.2.1:443".parse().unwrap());
        assert_eq!(&v6[12..16], b"\x21\x21\0\x24");
        assert_eq!(&v6[16..20], b"\x20\x01\x0d\xb8");
        assert_eq!(&v6[42..48], b"\xff\xff\xc0\0\x02\x01");
        assert_eq!(v6.len(), 16 + 36);
    }
}
