//! The files that fuzzing begins with: the repository's bad inputs and fixtures, and what OpenSSL makes of new keys. None
//! of them is kept in the repository twice.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::command::{command, read};

/// A target, and how the names of its files begin and end.
type Named = (&'static str, &'static str, &'static str);

/// Folders of the repository, and which files in them are for which target.
const FOUND: &[(&str, &[Named])] = &[
    (
        "badinputs",
        &[
            ("pem", "", ".pem"),
            ("csr", "csr_", ".der"),
            ("pkcs8", "p8_", ".der"),
            ("x509", "", ".der"),
            ("pkcs12", "", ".p12"),
            ("pkcs7", "", ".p7b"),
        ],
    ),
    ("crates/pki/tests/fixtures", &[("x509", "", ".der"), ("jks", "", ".jks"), ("jks", "", ".jceks")]),
    ("crates/pki/tests/vectors", &[("pem", "", ".pem")]),
];

/// What OpenSSL is called with, in their order. Deriving keys must be cheap, or the fuzzer would do nothing else.
const MADE: &[&str] = &[
    "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pem/rsa.pem",
    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pem/p256.pem",
    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out pem/p384.pem",
    "genpkey -algorithm ED25519 -out pem/ed25519.pem",
    "pkcs8 -topk8 -nocrypt -in pem/p256.pem -outform DER -out pkcs8/p256.der",
    "pkcs8 -topk8 -nocrypt -in pem/rsa.pem -outform DER -out pkcs8/rsa.der",
    "pkcs8 -topk8 -nocrypt -in pem/ed25519.pem -outform DER -out pkcs8/ed25519.der",
    "pkcs8 -topk8 -in pem/p256.pem -iter 1 -passout pass:pass -outform DER -out pkcs8/sealed.der",
    "pkcs8 -topk8 -in pem/p256.pem -v2 des3 -v2prf hmacWithSHA1 -iter 1 -passout pass:pass -outform DER -out pkcs8/des3.der",
    "pkcs8 -topk8 -in pem/p256.pem -v2prf hmacWithSHA224 -iter 1 -passout pass:pass -outform DER -out pkcs8/sha224.der",
    "pkcs8 -topk8 -in pem/p256.pem -scrypt -scrypt_N 2 -passout pass:pass -outform DER -out pkcs8/scrypt.der",
    "pkcs8 -topk8 -in pem/p256.pem -v1 PBE-SHA1-3DES -iter 1 -passout pass:pass -outform DER -out pkcs8/old.der",
    "pkcs8 -topk8 -in pem/p256.pem -provider legacy -provider default -v1 PBE-MD5-DES -iter 1 -passout pass:pass -outform DER -out pkcs8/md5.der",
    "rsa -in pem/rsa.pem -traditional -outform DER -out pkcs8/pkcs1.der",
    "ec -in pem/p384.pem -outform DER -out pkcs8/sec1.der",
    "ec -in pem/p256.pem -aes128 -passout pass:pass -out pem/dek.pem",
    "req -x509 -new -key pem/p256.pem -subj /CN=Root -days 3000 -out pem/root.pem",
    "req -new -key pem/rsa.pem -subj /C=FI/O=A/CN=a.example -addext subjectAltName=DNS:a.example,IP:192.0.2.1,email:x@a.example,URI:http://a.example/ -addext keyUsage=digitalSignature -addext extendedKeyUsage=serverAuth -out pem/csr.pem",
    "x509 -req -in pem/csr.pem -CA pem/root.pem -CAkey pem/p256.pem -days 90 -copy_extensions copy -out pem/leaf.pem",
    "req -in pem/csr.pem -outform DER -out csr/rsa.der",
    "req -new -key pem/ed25519.pem -subj /CN=a.example -outform DER -out csr/ed25519.der",
    "req -new -key pem/p256.pem -subj / -addext subjectAltName=DNS:*.a.example -outform DER -out csr/p256.der",
    "x509 -in pem/root.pem -outform DER -out x509/root.der",
    "x509 -in pem/leaf.pem -outform DER -out x509/leaf.der",
    "req -x509 -new -key pem/ed25519.pem -subj /CN=CA -days 900 -addext nameConstraints=critical,permitted;DNS:a.example,excluded;IP:192.0.2.0/255.255.255.0 -addext certificatePolicies=1.2.3 -addext crlDistributionPoints=URI:http://a.example/crl -addext authorityInfoAccess=OCSP;URI:http://a.example/ -outform DER -out x509/ca.der",
    "x509 -in pem/root.pem -trustout -addtrust serverAuth -setalias root -out pem/trusted.pem",
    "ca -config ca.cnf -gencrl -cert pem/root.pem -keyfile pem/p256.pem -out pem/crl.pem",
    "crl -in pem/crl.pem -outform DER -out crl/two.der",
    "crl2pkcs7 -in pem/crl.pem -certfile pem/leaf.pem -certfile pem/root.pem -outform DER -out pkcs7/both.p7b",
    "crl2pkcs7 -nocrl -certfile pem/leaf.pem -certfile pem/root.pem -out pem/p7.pem",
    "cms -sign -stream -nodetach -in ca.cnf -signer pem/leaf.pem -inkey pem/rsa.pem -certfile pem/root.pem -outform DER -out pkcs7/ber.p7b",
    "pkcs12 -export -in pem/leaf.pem -inkey pem/rsa.pem -certfile pem/root.pem -name www -iter 1 -passout pass:pass -out pkcs12/modern.p12",
    "pkcs12 -export -legacy -in pem/leaf.pem -inkey pem/rsa.pem -certfile pem/root.pem -name www -iter 1 -passout pass:pass -out pkcs12/legacy.p12",
    "pkcs12 -export -in pem/root.pem -inkey pem/p256.pem -certpbe NONE -keypbe NONE -name root -iter 1 -passout pass:pass -out pkcs12/open.p12",
    "pkcs12 -export -in pem/root.pem -inkey pem/p256.pem -certpbe NONE -keypbe PBE-SHA1-2DES -iter 1 -passout pass:pass -out pkcs12/half.p12",
];

const CA_SETTINGS: &str = "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=900\n\
    crlnumber=number\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n";
/// Two certificates that were revoked.
const CA_INDEX: &str = "R\t301231235959Z\t261101000000Z,keyCompromise\t1234\tunknown\t/CN=x\n\
    R\t301231235959Z\t261102000000Z\t1235\tunknown\t/CN=y\n";

/// Forms with files as browsers and programs send them, after a line with their `Content-Type`.
const FORMS: &[(&str, &str)] = &[
    (
        "browser",
        "multipart/form-data; boundary=----WebKitFormBoundaryx\n------WebKitFormBoundaryx\r\n\
         Content-Disposition: form-data; name=\"_csrf\"\r\n\r\nabc\r\n------WebKitFormBoundaryx\r\n\
         Content-Disposition: form-data; name=\"files\"; filename=\"a \\\"b\\\".pem\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n-----BEGIN\r\n--x\r\n------WebKitFormBoundaryx--\r\n",
    ),
    (
        "curl",
        "Multipart/Form-Data; charset=utf-8; boundary=\"a b\"\nbefore\r\n--a b  \r\n\
         content-disposition:form-data;filename=;name=f\r\n\r\n\r\n--a b--\r\nafter",
    ),
    ("none", "multipart/form-data; boundary=X\n--X--"),
];

/// Fills a folder with one folder for each target; once.
pub fn write(root: &Path, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    // A run that was broken off leaves nothing that looks complete.
    let unfinished = folder.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).context("could not remove what an earlier run left")?;
    }
    for target in super::TARGETS {
        fs::create_dir_all(unfinished.join(target.name))
            .context("could not make the folders of the seeds")?;
    }
    for (folder, kinds) in FOUND {
        copy(&root.join(folder), kinds, &unfinished)?;
    }
    fs::write(unfinished.join("ca.cnf"), CA_SETTINGS)?;
    fs::write(unfinished.join("index.txt"), CA_INDEX)?;
    fs::write(unfinished.join("number"), "01\n")?;
    for arguments in MADE {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        read(&mut command(&unfinished, "openssl", &arguments))
            .context("could not make files to begin with")?;
    }
    for (name, form) in FORMS {
        fs::write(unfinished.join("forms").join(name), form)?;
    }
    fs::rename(&unfinished, folder).context("could not put the seeds in their place")
}

/// Copies each file to the first target that it is for.
fn copy(from: &Path, kinds: &[(&str, &str, &str)], to: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("could not list {}", from.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = kinds.iter().find(|(_, begin, end)| name.starts_with(begin) && name.ends_with(end));
        if let Some((target, ..)) = kind {
            fs::copy(entry.path(), to.join(target).join(&name))
                .with_context(|| format!("could not copy {name}"))?;
        }
    }
    Ok(())
}
