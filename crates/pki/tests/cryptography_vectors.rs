//! The test vectors of pyca/cryptography: files that other people's software wrote, sound and unsound. Each is read here
//! or refused with a reason.
//!
//! They are in the Python package `cryptography-vectors`, which `cargo xtask tools` installs; `CLAVIGER_TOOLS` names the
//! folder if it is not `.tools`. What its PKITS folder holds is judged elsewhere.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests read files and stop at surprises")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use claviger_pki::format::{self, Item, Object};

/// The folders that are read, each with how many files it has at least.
const FOLDERS: [(&str, usize); 6] = [
    ("pkcs12", 31),
    ("pkcs7", 10),
    ("asymmetric/PKCS8", 53),
    ("asymmetric/Traditional_OpenSSL_Serialization", 13),
    ("x509/requests", 26),
    ("x509/custom", 120),
];

/// Whose passphrase is known, by the beginning of its path; the first that fits.
const PASSPHRASES: &[(&str, &str)] = &[
    ("pkcs12/cert-", "cryptography"),
    ("pkcs12/no-cert-key-aes256cbc", "cryptography"),
    ("pkcs12/java-truststore", ""),
    ("pkcs12/no-password", ""),
    ("asymmetric/PKCS8/ec_private_key_encrypted", "123456"),
    ("asymmetric/PKCS8/ed25519-scrypt", "hunter42"),
    ("asymmetric/PKCS8/enc-rsa-3des", "password"),
    ("asymmetric/PKCS8/enc-rsa-pkcs8.pem", "foobar"),
    ("asymmetric/PKCS8/enc2-rsa-pkcs8", "baz"),
    ("asymmetric/PKCS8/pkcs12_s2k_pem", "123456"),
    ("asymmetric/PKCS8/rsa-40bitrc2", "baz"),
    ("asymmetric/PKCS8/rsa-aes-192-cbc", "PolarSSLTest"),
    ("asymmetric/PKCS8/rsa-pbe-3des-long-salt", "password"),
    ("asymmetric/PKCS8/rsa-pbewithmd5anddescbc", "hunter2"),
    ("asymmetric/PKCS8/rsa_pkcs8_pbes2", "PolarSSLTest"),
    ("asymmetric/Traditional_OpenSSL_Serialization/key1", "123456"),
    ("asymmetric/Traditional_OpenSSL_Serialization/key2", "a123456"),
    ("asymmetric/Traditional_OpenSSL_Serialization/testrsa-encrypted", "password"),
];

/// Everything that is refused. What is not in this list must be read.
const REFUSED: &[(&str, &[&str])] = &[
    // ---- too short or of another kind: nobody may use them, however they are wrapped ----
    (
        "key.rsa_size",
        &[
            "asymmetric/PKCS8/enc-rsa-pkcs8.pem",
            "asymmetric/PKCS8/enc2-rsa-pkcs8.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9607.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9671.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9925.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9926.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9927.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9928.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9929.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9930.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9931.pem",
            "asymmetric/PKCS8/pkcs12_s2k_pem-X_9932.pem",
            "asymmetric/PKCS8/rsa-40bitrc2.pem",
            "asymmetric/PKCS8/unenc-rsa-pkcs8.pem",
            "x509/custom/alternate-rsa-sha1-oid.der",
            "x509/custom/cdp_all_reasons.pem",
            "x509/custom/cdp_crl_issuer.pem",
            "x509/custom/cdp_fullname_reasons_crl_issuer.pem",
            "x509/custom/cdp_reason_aa_compromise.pem",
            "x509/custom/malformed-ian.pem",
            "x509/custom/malformed-san.pem",
            "x509/custom/san_registered_id.pem",
            "x509/requests/invalid_signature.pem",
        ],
    ),
    (
        "key.algorithm",
        &[
            "asymmetric/PKCS8/bad-oid-dsa-key.pem",
            "asymmetric/PKCS8/unenc-dsa-pkcs8.pem",
            "asymmetric/PKCS8/unknown-oid.der",
            "asymmetric/Traditional_OpenSSL_Serialization/dsa-wrong-version.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/dsa.1024.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/dsa.2048.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/dsa.3072.pem",
            "x509/requests/dsa_sha1.der",
            "x509/requests/dsa_sha1.pem",
        ],
    ),
    // Curves spelled out by their equation, also that of P-256, and brainpool.
    (
        "key.curve",
        &[
            "asymmetric/PKCS8/ec_oid_not_in_reg_private_2.pkcs8.pem",
            "asymmetric/PKCS8/nodompar_private.pkcs8.pem",
            "asymmetric/PKCS8/private.pem",
            "asymmetric/PKCS8/withdompar_private.pkcs8.pem",
            "x509/custom/ec_no_named_curve.pem",
        ],
    ),
    // ---- damaged keys ----
    (
        "key.inconsistent",
        &[
            "asymmetric/PKCS8/ec-inconsistent-curve.pem",
            "asymmetric/PKCS8/ec-inconsistent-curve2.pem",
            "asymmetric/PKCS8/ec-invalid-private-scalar.pem",
            "asymmetric/PKCS8/ec-invalid-version.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/rsa-wrong-version.pem",
        ],
    ),
    // ---- encryption that nobody knows, RC4, and RC2 under PBES2, which OpenSSL alone wrote for some years ----
    (
        "key.encryption_unsupported",
        &[
            "asymmetric/PKCS8/bad-encryption-oid.pem",
            "asymmetric/PKCS8/enc-ec-sha1-128-rc4.pem",
            "asymmetric/PKCS8/enc-unknown-algorithm.pem",
            "asymmetric/PKCS8/enc-unknown-kdf.pem",
            "asymmetric/PKCS8/enc-unknown-pbkdf2-prf.pem",
            "asymmetric/PKCS8/rsa-rc2-cbc-effective-key-length.pem",
            "asymmetric/PKCS8/rsa-rc2-cbc.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/key1-no-dek-info.pem",
        ],
    ),
    (
        "key.kdf_params",
        &[
            "asymmetric/PKCS8/enc-rsa-pkcs8-pbkdf2-0iter.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/key1-malformed-dek-info.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/key1-malformed-iv.pem",
            "asymmetric/Traditional_OpenSSL_Serialization/key1-short-iv.pem",
        ],
    ),
    // ---- no key and no certificate in them ----
    (
        "input.unrecognised",
        &[
            "asymmetric/PKCS8/rsa_pss_2048_pub.der",
            "asymmetric/PKCS8/unenc-dsa-pkcs8.pub.pem",
            "asymmetric/PKCS8/unenc-rsa-pkcs8.pub.pem",
        ],
    ),
    ("pem.label", &["asymmetric/PKCS8/wrong-pem-delimiter-rsa.pem"]),
    (
        "p7.type",
        &[
            "pkcs7/enveloped-no-content.der",
            "pkcs7/enveloped-rsa-oaep.pem",
            "pkcs7/enveloped-triple-des.pem",
            "pkcs7/enveloped.pem",
        ],
    ),
    // ---- requests: OpenSSL verifies none of these either ----
    (
        "csr.signature",
        &[
            "x509/requests/bad-version.pem",
            "x509/requests/challenge-invalid.der",
            "x509/requests/challenge-multi-valued.der",
            "x509/requests/long-form-attribute.pem",
            "x509/requests/unsupported_extension.pem",
            "x509/requests/unsupported_extension_critical.pem",
        ],
    ),
    ("csr.extension", &["x509/requests/basic_constraints.pem", "x509/requests/two_basic_constraints.pem"]),
    // ---- certificates and lists that are not built as they should be ----
    ("cert.ext_duplicate", &["x509/custom/two_basic_constraints.pem"]),
    ("cert.syntax", &["x509/custom/invalid_version.pem"]),
    (
        "cert.sigalg_mismatch",
        &[
            "x509/custom/mismatch_inner_outer_sig_algorithm.der",
            "x509/custom/rsa_pss_cert_invalid_mgf.der",
            "x509/custom/rsa_pss_cert_no_sig_params.der",
            "x509/custom/rsa_pss_cert_unsupported_mgf_hash.der",
        ],
    ),
    ("der.not_der", &["x509/custom/long-form-name-attribute.pem"]),
    ("der.length", &["x509/custom/name_attribute_unsupported_tag.pem"]),
    (
        "crl.syntax",
        &[
            "x509/custom/crl_bad_version.pem",
            "x509/custom/crl_inner_outer_mismatch.der",
            "x509/custom/crl_inval_cert_issuer_entry_ext.pem",
            "x509/custom/crl_invalid_time.der",
            "x509/custom/crl_unsupported_reason.pem",
        ],
    ),
    (
        "sig.broken",
        &[
            "x509/custom/crl_md2_unknown_crit_entry_ext.pem",
            "x509/requests/rsa_md4.der",
            "x509/requests/rsa_md4.pem",
        ],
    ),
];

/// What must come out of some of those that are read: certificates, keys, requests, lists.
const READ: &[(&str, [usize; 4])] = &[
    ("pkcs12/cert-aes256cbc-no-key.p12", [1, 0, 0, 0]),
    ("pkcs12/cert-key-aes256cbc.p12", [1, 1, 0, 0]),
    ("pkcs12/cert-none-key-none.p12", [1, 1, 0, 0]),
    ("pkcs12/cert-rc2-key-3des.p12", [1, 1, 0, 0]),
    ("pkcs12/no-cert-key-aes256cbc.p12", [0, 1, 0, 0]),
    ("pkcs12/name-all-pwd.p12", [3, 1, 0, 0]),
    ("pkcs12/name-unicode-no-pwd.p12", [3, 1, 0, 0]),
    ("pkcs7/isrg.pem", [1, 0, 0, 0]),
    ("asymmetric/PKCS8/rsa_pss_2048_hash_mask_salt.pem", [0, 1, 0, 0]),
    ("asymmetric/Traditional_OpenSSL_Serialization/key2.pem", [0, 1, 0, 0]),
    ("x509/requests/rsa_sha256.pem", [0, 0, 1, 0]),
    ("x509/custom/crl_almost_10k.pem", [0, 0, 0, 1]),
    ("x509/custom/all_supported_names.pem", [1, 0, 0, 0]),
];

#[test]
fn every_file_is_read_or_refused_with_its_reason() {
    let root = vectors();
    let codes = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes.md")).unwrap();
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for (folder, least) in FOLDERS {
        let paths = files(&root.join(folder));
        assert!(paths.len() >= least, "{folder} has {} files", paths.len());
        for path in paths {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let answer = format::read(&std::fs::read(&path).unwrap(), passphrase(&name));
            let code = answer.as_ref().err().map(|refusal| refusal.code);
            let expected =
                REFUSED.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(code, _)| *code);
            if code != expected {
                wrong.push(format!(
                    "{name}: {answer:?}",
                    answer = answer.map(|contents| counts(&contents.items))
                ));
            } else if let Some(code) = code {
                assert!(codes.contains(&format!("`{code}`")), "{code} is not in docs/codes.md");
            } else if let Some((_, counted)) = READ.iter().find(|(known, _)| *known == name) {
                let found = answer.map(|contents| counts(&contents.items));
                assert_eq!(found.as_ref(), Ok(counted), "{name}");
            }
            met.insert(name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named = REFUSED.iter().flat_map(|(_, names)| *names).chain(READ.iter().map(|(name, _)| name));
    let gone: Vec<_> = named.filter(|name| !met.contains(**name)).collect();
    assert!(gone.is_empty(), "no longer there: {gone:?}");
}

fn passphrase(name: &str) -> Option<&'static str> {
    let known = PASSPHRASES.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, text)| *text);
    known.or_else(|| {
        name.ends_with("-pwd.p12").then_some(if name.ends_with("-no-pwd.p12") { "" } else { "password" })
    })
}

/// Certificates, keys, requests, lists.
fn counts(items: &[Item]) -> [usize; 4] {
    let mut counts = [0; 4];
    for item in items {
        counts[match &item.object {
            Object::Certificate(_) => 0,
            Object::PrivateKey(_) => 1,
            Object::Csr(_) => 2,
            Object::Crl(_) => 3,
        }] += 1;
    }
    counts
}

fn vectors() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools");
    let tools = std::env::var_os("CLAVIGER_TOOLS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let libraries = std::fs::read_dir(tools.join("venv/lib")).into_iter().flatten().flatten();
    let mut found = libraries.map(|entry| entry.path().join("site-packages/cryptography_vectors"));
    found.find(|folder| folder.is_dir()).expect("the vectors are not there: cargo xtask tools installs them")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
