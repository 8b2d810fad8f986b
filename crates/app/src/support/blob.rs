//! Files that are a private key from their first octet on, each in a layout of its own: the blobs of Windows CNG and the
//! packets of OpenPGP. Their magic numbers are short, so more than those is looked at.

/// What kind of private key begins here.
pub(super) fn private_key(bytes: &[u8]) -> Option<&'static str> {
    if is_cng(bytes).unwrap_or(false) {
        return Some("a private key (Windows CNG blob)");
    }
    is_openpgp(bytes).unwrap_or(false).then_some("a private key (OpenPGP)")
}

/// `BCRYPT_RSAKEY_BLOB` and `BCRYPT_ECCKEY_BLOB` with a private key; odd digits are the public ones.
fn is_cng(bytes: &[u8]) -> Option<bool> {
    let number = |at: usize| -> Option<usize> {
        usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
    };
    let size = number(4)?;
    Some(match bytes.get(..4)? {
        b"RSA2" | b"RSA3" => {
            let (exponent, modulus) = (number(8)?, number(12)?);
            (512..=16_384).contains(&size) && modulus == size.div_ceil(8) && exponent <= modulus
        }
        b"ECS2" | b"ECS4" | b"ECS6" | b"ECK2" | b"ECK4" | b"ECK6" | b"ECDV" | b"ECKV" => {
            (16..=72).contains(&size) && bytes.len() >= 8 + 3 * size
        }
        _ => false,
    })
}

/// A packet with a secret key or subkey (RFC 9580, 4.2, 5.5.1.3 and 5.5.3).
fn is_openpgp(bytes: &[u8]) -> Option<bool> {
    /// Seconds since 1970 before which there was no OpenPGP: in 1991.
    const FIRST: u32 = 0x2780_0000;
    let (&head, rest) = bytes.split_first()?;
    let length = match head {
        0x94 | 0x9c => 1,
        0x95 | 0x9d => 2,
        0x96 | 0x9e => 4,
        0x97 | 0x9f => 0,
        0xc5 | 0xc7 => match rest.first()? {
            192..=223 => 2,
            255 => 5,
            _ => 1,
        },
        _ => return Some(false),
    };
    let body = rest.get(length..)?;
    let (&version, rest) = body.split_first()?;
    let (created, rest) = rest.split_first_chunk::<4>()?;
    let algorithm = *rest.get(if version == 3 { 2 } else { 0 })?;
    let is_known = matches!(algorithm, 1..=3 | 16..=20 | 22 | 25..=28);
    Some((3..=6).contains(&version) && u32::from_be_bytes(*created) >= FIRST && is_known && body.len() >= 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cng(magic: &[u8; 4], numbers: &[u32], octets: usize) -> Vec<u8> {
        let mut blob = magic.to_vec();
        blob.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        blob.resize(blob.len() + octets, 7);
        blob
    }

    #[test]
    fn blobs_of_windows_are_keys_only_with_the_private_half() {
        for (magic, is_key) in [(b"ECS2", true), (b"ECK2", true), (b"ECS1", false)] {
            assert_eq!(private_key(&cng(magic, &[32], 96)).is_some(), is_key, "{magic:?}");
        }
        for (magic, is_key) in [(b"RSA2", true), (b"RSA3", true), (b"RSA1", false)] {
            assert_eq!(
                private_key(&cng(magic, &[2048, 3, 256, 128, 128], 515)).is_some(),
                is_key,
                "{magic:?}"
            );
        }
        assert_eq!(
            private_key(b"RSA2048 keys are what most people use, and this is a text about them."),
            None
        );
        assert_eq!(private_key(b"ECS2"), None);
    }

    #[test]
    fn packets_of_openpgp_are_keys_only_with_the_secret_half() {
        let packet = |head: &[u8]| [head, &[4, 0x6b, 2, 0x99, 0x55, 1], &[9; 80]].concat();
        for head in [&[0x95, 3, 0x98][..], &[0x94, 86], &[0x9d, 0, 86], &[0xc5, 86], &[0xc7, 192, 0]] {
            assert!(private_key(&packet(head)).is_some(), "{head:?}");
        }
        assert_eq!(private_key(&packet(&[0x99, 1, 0x0d])), None, "a public key");
        assert_eq!(private_key(&[0x95; 100]), None);
    }
}
