use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};

use super::*;
use crate::KeyAlgorithm;
use crate::format::openssl::openssl;
use crate::format::{Contents, read};
use crate::identity::hex;
use crate::testing::pkcs8;
use crate::tlv::{oid, oid_from_dotted, sequence, tlv};

fn code(result: Result<Contents, Refusal>) -> &'static str {
    result.err().map_or("", |refusal| refusal.code)
}

/// EncryptedPrivateKeyInfo under one of the old schemes.
fn encrypted(scheme: &str, salt: &[u8], iterations: &[u8], data: &[u8]) -> Vec<u8> {
    let parameters = sequence(&[&tlv(tag::OCTET_STRING, &[salt]), &tlv(tag::INTEGER, &[iterations])]);
    let algorithm = sequence(&[&oid(&oid_from_dotted(scheme).unwrap()), &parameters]);
    sequence(&[&algorithm, &tlv(tag::OCTET_STRING, &[data])])
}

const MD5_DES: &str = "1.2.840.113549.1.5.3";
const SHA1_TRIPLE_DES: &str = "1.2.840.113549.1.12.1.3";

/// A key under PKCS#12's 3DES, with the passphrase in a form of the test's choosing.
fn under_triple_des(key: &[u8], bmp: &[u8], iterations: u8) -> Vec<u8> {
    let (mut secret, mut iv) = ([0; 24], [0; 8]);
    pkcs12_kdf(Pkcs12Hash::Sha1, bmp, b"saltsalt", iterations.into(), ID_KEY, &mut secret);
    pkcs12_kdf(Pkcs12Hash::Sha1, bmp, b"saltsalt", iterations.into(), ID_IV, &mut iv);
    let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&secret, &iv).unwrap();
    let mut buffer = key.to_vec();
    buffer.resize(key.len() + 8, 0);
    let data = cipher.encrypt_padded::<Pkcs7>(&mut buffer, key.len()).unwrap();
    encrypted(SHA1_TRIPLE_DES, b"saltsalt", &[iterations], data)
}

#[test]
fn every_old_scheme_of_openssl_is_read_and_said_to_be_weak() {
    let schemes = [
        "PBE-MD5-DES",
        "PBE-SHA1-DES",
        "PBE-MD5-RC2-64",
        "PBE-SHA1-RC2-64",
        "PBE-SHA1-3DES",
        "PBE-SHA1-2DES",
        "PBE-SHA1-RC2-128",
        "PBE-SHA1-RC2-40",
    ];
    for (index, scheme) in schemes.into_iter().enumerate() {
        let algorithm = if index % 2 == 0 { KeyAlgorithm::EcP256 } else { KeyAlgorithm::Rsa2048 };
        let key = pkcs8(algorithm);
        let hundred = "0123456789".repeat(10);
        for passphrase in ["changeit", "pässwörd € 😀", "", hundred.as_str()] {
            let typed = format!("pass:{passphrase}");
            let arguments =
                ["-topk8", "-inform", "DER", "-outform", "DER", "-v1", scheme, "-passout", &typed];
            let der = openssl("pkcs8", &arguments, &key);
            let contents =
                read(&der, Some(passphrase)).unwrap_or_else(|refusal| panic!("{scheme}: {refusal}"));
            let read_key = contents.items.into_iter().next().unwrap().into_private_key().unwrap();
            assert_eq!(read_key.pkcs8_der(), &key[..], "{scheme}");
            assert_eq!(contents.format, "pkcs8-encrypted");
            assert_eq!(contents.findings[0].code, "key.encryption_weak", "{scheme}");
            assert_eq!(code(read(&der, Some("changed"))), "pass.wrong", "{scheme}");
            assert_eq!(code(read(&der, None)), "pass.needed", "{scheme}");
        }
    }
}

#[test]
fn what_protects_nothing_is_not_taken() {
    let key = pkcs8(KeyAlgorithm::EcP256);
    for scheme in ["PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40"] {
        let arguments =
            ["-topk8", "-inform", "DER", "-outform", "DER", "-v1", scheme, "-passout", "pass:changeit"];
        let der = openssl("pkcs8", &arguments, &key);
        assert_eq!(code(read(&der, Some("changeit"))), "key.encryption_unsupported", "{scheme}");
    }
    let md2 = encrypted("1.2.840.113549.1.5.1", b"saltsalt", &[1], &[0; 16]);
    assert_eq!(code(read(&md2, Some("changeit"))), "key.encryption_unsupported");
}

#[test]
fn senseless_and_dear_parameters_are_refused_before_anything_is_derived() {
    let of = |scheme, salt: &[u8], iterations: &[u8]| {
        code(read(&encrypted(scheme, salt, iterations, &[0; 16]), Some("x")))
    };
    let huge = [0x7f, 0xff, 0xff, 0xff];
    for scheme in [MD5_DES, SHA1_TRIPLE_DES] {
        assert_eq!(of(scheme, b"saltsalt", &[0]), "key.kdf_params");
        assert_eq!(of(scheme, b"saltsalt", &[0x80]), "key.kdf_params");
        assert_eq!(of(scheme, b"saltsalt", &huge), "limit.kdf_cost");
        assert_eq!(of(scheme, b"saltsalt", &[0x7f; 8]), "limit.kdf_cost");
        assert_eq!(of(scheme, b"saltsalt", &[0x7f; 40]), "limit.kdf_cost");
        assert_eq!(of(scheme, b"", &[1]), "key.kdf_params");
        assert_eq!(of(scheme, &[7; 1025], &[1]), "key.kdf_params");
    }
    assert_eq!(of(MD5_DES, b"saltsal", &[1]), "key.kdf_params");
    assert_eq!(of(SHA1_TRIPLE_DES, b"s", &[1]), "pass.wrong");
    // 2,000,001 iterations, each of them cheap.
    assert_eq!(of(SHA1_TRIPLE_DES, b"saltsalt", &[0x1e, 0x84, 0x81]), "limit.kdf_cost");
    let bare = sequence(&[
        &sequence(&[&oid(&oid_from_dotted(MD5_DES).unwrap())]),
        &tlv(tag::OCTET_STRING, &[&[0; 16]]),
    ]);
    assert_eq!(code(read(&bare, Some("x"))), "key.kdf_params");
}

#[test]
fn a_cost_is_what_the_derivation_hashes() {
    let of = |scheme, iterations: &[u8]| {
        let der = encrypted(scheme, b"saltsalt", iterations, &[]);
        let mut outer = Reader::new(tlv::only(&der, tag::SEQUENCE).unwrap().value);
        cost(Reader::new(outer.any().unwrap().value)).unwrap()
    };
    assert_eq!(of(MD5_DES, &[100]), Cost::Iterations(50));
    // One hash with SHA-1 is a sixth of an iteration of PBKDF2.
    assert_eq!(of(SHA1_TRIPLE_DES, &[100]), Cost::Iterations(50), "two hashes of key, one of vector");
    assert_eq!(of("1.2.840.113549.1.12.1.6", &[100]), Cost::Iterations(34));
}

#[test]
fn the_derivation_of_pkcs12_agrees_with_published_vectors() {
    let derive = |pass: &str, salt: &[u8], iterations, id, length| {
        let mut out = vec![0; length];
        let passphrase = Passphrase::new(pass);
        pkcs12_kdf(Pkcs12Hash::Sha1, passphrase.bmp(), salt, iterations, id, &mut out);
        hex(&out)
    };
    // Those of OpenSSL's and many other test suites.
    let salt = [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f];
    assert_eq!(derive("smeg", &salt, 1, ID_KEY, 24), "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3");
    assert_eq!(derive("smeg", &salt, 1, ID_IV, 8), "79993dfe048d3b76");
    let salt = [0x05, 0xde, 0xc9, 0x59, 0xac, 0xff, 0x72, 0xf7];
    assert_eq!(derive("queeg", &salt, 1000, ID_KEY, 24), "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4");
    let salt = [0x26, 0x32, 0x16, 0xfc, 0xc2, 0xfa, 0xb3, 0x1c];
    assert_eq!(derive("queeg", &salt, 1000, ID_MAC, 20), "5ec4c7a80df652294c3925b6489a7ab857c83476");
}

#[test]
fn the_derivation_of_pkcs12_agrees_with_openssl_for_every_hash() {
    let hashes = [
        ("SHA1", Pkcs12Hash::Sha1),
        ("SHA224", Pkcs12Hash::Sha224),
        ("SHA256", Pkcs12Hash::Sha256),
        ("SHA384", Pkcs12Hash::Sha384),
        ("SHA512", Pkcs12Hash::Sha512),
    ];
    let long = "a passphrase much longer than one block of any of the hashes, again and again".repeat(3);
    for (name, hash) in hashes {
        for (pass, salt, length) in [
            ("x", &[0xff_u8; 8][..], 7),
            ("pässwörd", &[1; 200], 150),
            (&long, &[0x80; 20], hash.output_length()),
        ] {
            let passphrase = Passphrase::new(pass);
            let mut out = vec![0; length];
            pkcs12_kdf(hash, passphrase.bmp(), salt, 3, ID_KEY, &mut out);
            let options = [
                format!("digest:{name}"),
                format!("hexpass:{}", hex(passphrase.bmp())),
                format!("hexsalt:{}", hex(salt)),
            ];
            let keylen = length.to_string();
            let mut arguments = vec!["-binary", "-keylen", &keylen, "-kdfopt", "iter:3", "-kdfopt", "id:1"];
            options.iter().for_each(|option| arguments.extend(["-kdfopt", option]));
            arguments.push("PKCS12KDF");
            assert_eq!(hex(&out), hex(&openssl("kdf", &arguments, &[])), "{name}, {length} octets");
        }
    }
}

#[test]
fn an_odd_form_of_the_passphrase_is_tried_where_there_is_one() {
    let key = pkcs8(KeyAlgorithm::EcP256);
    assert_eq!(code(read(&under_triple_des(&key, &[0, 0], 1), Some(""))), "");
    assert_eq!(code(read(&under_triple_des(&key, &[], 1), Some(""))), "");
    assert_eq!(code(read(&under_triple_des(&key, &[], 1), Some("x"))), "pass.wrong");
    let widened: Vec<u8> = "ö\0".bytes().flat_map(|octet| [0, octet]).collect();
    assert_eq!(code(read(&under_triple_des(&key, &widened, 1), Some("ö"))), "");
    let forms = |text| {
        let forms = [Form::Usual, Form::Unusual].into_iter();
        let forms = forms.filter_map(|form| Passphrase::in_form(text, form));
        forms.map(|passphrase| passphrase.bmp().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(forms("ab"), [[0, b'a', 0, b'b', 0, 0]]);
    assert_eq!(forms("😀")[0], [0xd8, 0x3d, 0xde, 0x00, 0, 0]);
    assert_eq!(forms(""), [vec![0, 0], vec![]]);
    assert_eq!(Passphrase::new("a").utf16(), [0, b'a']);
}

#[test]
fn damage_and_a_wrong_passphrase_look_the_same_and_nothing_crashes() {
    let der = under_triple_des(&pkcs8(KeyAlgorithm::EcP256), Passphrase::new("right").bmp(), 1);
    let wrong = read(&der, Some("wrong")).err();
    let mut damaged = der.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert_eq!(read(&damaged, Some("right")).err(), wrong);
    assert_eq!(wrong.map(|refusal| refusal.code), Some("pass.wrong"));
    for index in 0..der.len() {
        assert!(read(&der[..index], Some("right")).is_err());
        for change in [1, 0x80, 0xff] {
            let mut changed = der.clone();
            changed[index] ^= change;
            // Whatever the answer: there is one.
            let _ = read(&changed, Some("right"));
        }
    }
    for data in [&[][..], &[0; 7], &[0; 8], &[0xff; 24]] {
        let empty = encrypted(SHA1_TRIPLE_DES, b"saltsalt", &[1], data);
        assert_eq!(code(read(&empty, Some("right"))), "pass.wrong", "{} octets", data.len());
    }
}
