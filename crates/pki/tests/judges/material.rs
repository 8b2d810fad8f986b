//! Keys of every kind with their certificates, the passphrases, and how the other programs are called.

use std::path::Path;
use std::process::{Command, Output};

use claviger_pki::format::pkcs12_write::{self, Pkcs12, Salts, Strength};
use claviger_pki::format::{self, Contents, Item, Object, pem_write, pkcs8_write};
use claviger_pki::{Certificate, KeyId, PrivateKey};
use tempfile::TempDir;

/// A kind of key: its name, and how OpenSSL makes one.
const KINDS: [(&str, &str); 4] = [
    ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("ed25519", "-algorithm ED25519"),
];

/// A passphrase under a name that fits a file.
#[derive(Debug)]
pub struct Passphrase {
    pub name: &'static str,
    pub text: &'static str,
}

const ONE_HUNDRED: &str =
    "a123456789b123456789c123456789d123456789e123456789f123456789g123456789h123456789i123456789j123456789";

pub const PASSPHRASES: [Passphrase; 4] = [
    Passphrase { name: "ascii", text: "Correct/Horse+7" },
    Passphrase { name: "utf8", text: "pässwörd-€-пароль" },
    Passphrase { name: "empty", text: "" },
    Passphrase { name: "long", text: ONE_HUNDRED },
];

/// Something that a program cannot do: a kind of key or a passphrase, by its name.
pub struct Inability {
    pub what: &'static str,
    pub reason: &'static str,
}

impl Inability {
    pub fn is_about(&self, pair: &Pair, passphrase: &Passphrase) -> bool {
        [pair.kind, passphrase.name].contains(&self.what)
    }
}

/// A key in `<kind>.key`, its certificate in `<kind>.pem`, issued by the root in `root.pem`.
pub struct Pair {
    pub kind: &'static str,
    pub key: PrivateKey,
    /// The leaf, then the root.
    pub certificates: [Certificate; 2],
}

/// Everything that goes into the files of one test, in a folder of its own.
pub struct Material {
    folder: TempDir,
    pub pairs: Vec<Pair>,
}

impl Material {
    pub fn new() -> Self {
        let mut material = Self { folder: TempDir::new().unwrap(), pairs: Vec::new() };
        material.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=Root -days 30 -keyout root.key -out root.pem");
        for (kind, options) in KINDS {
            material.openssl(&format!("genpkey {options} -out {kind}.key"));
            material.openssl(&format!(
                "req -new -key {kind}.key -subj /CN={kind}.example -addext subjectAltName=DNS:{kind}.example -out csr"
            ));
            material.openssl(&format!(
                "x509 -req -in csr -CA root.pem -CAkey root.key -days 20 -copy_extensions copy -out {kind}.pem"
            ));
            let certificates =
                [format!("{kind}.pem"), "root.pem".to_owned()].map(|file| material.certificate(&file));
            let contents = format::read(&material.bytes(&format!("{kind}.key")), None).unwrap();
            let key = contents.items.into_iter().find_map(Item::into_private_key).unwrap();
            material.pairs.push(Pair { kind, key, certificates });
        }
        material
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(file), bytes).unwrap();
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path().join(file)).unwrap()
    }

    fn certificate(&self, file: &str) -> Certificate {
        let contents = format::read(&self.bytes(file), None).unwrap();
        contents.items.into_iter().find_map(Item::into_certificate).unwrap()
    }

    /// Runs a program in the folder. Its words are English, its arguments UTF-8.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env("LC_ALL", "C.UTF-8").args(arguments);
        command.output().unwrap_or_else(|error| panic!("{program}: {error}; cargo xtask tools installs it"))
    }

    /// What a program prints that must end well.
    #[track_caller]
    pub fn text(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let (out, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {out}{complaint}");
        out.into_owned()
    }

    /// Runs OpenSSL with arguments that have no spaces in them.
    #[track_caller]
    pub fn openssl(&self, arguments: &str) -> String {
        self.text("openssl", &arguments.split(' ').collect::<Vec<_>>())
    }

    /// A PKCS#12 file by OpenSSL with cheap derivations, for programs that take keys in no other form.
    pub fn cheap_pkcs12(&self, pair: &Pair, out: &str, passphrase: &Passphrase) {
        let Pair { kind, .. } = pair;
        self.text(
            "openssl",
            &[
                "pkcs12",
                "-export",
                "-in",
                &format!("{kind}.pem"),
                "-inkey",
                &format!("{kind}.key"),
                "-certfile",
                "root.pem",
                "-name",
                kind,
                "-iter",
                "1",
                "-passout",
                &format!("pass:{}", passphrase.text),
                "-out",
                out,
            ],
        );
    }

    /// Every pair with every passphrase.
    pub fn all(&self) -> impl Iterator<Item = (&Pair, &'static Passphrase)> {
        self.pairs.iter().flat_map(|pair| PASSPHRASES.iter().map(move |passphrase| (pair, passphrase)))
    }

    /// Every pair with one passphrase, so that different numbers give different passphrases to each pair.
    pub fn some(&self, number: usize) -> impl Iterator<Item = (&Pair, &'static Passphrase)> {
        let passphrase = move |index: usize| &PASSPHRASES[(index + number) % PASSPHRASES.len()];
        self.pairs.iter().enumerate().map(move |(index, pair)| (pair, passphrase(index)))
    }
}

impl Pair {
    /// The pair and its root as we write PKCS#12.
    pub fn pkcs12(&self, passphrase: &Passphrase, strength: Strength) -> Vec<u8> {
        let contents =
            Pkcs12 { key: Some(&self.key), certificates: &self.certificates, friendly_name: self.kind };
        pkcs12_write::write(&contents, passphrase.text, strength, &salts()).to_vec()
    }

    /// The key as we write it under a passphrase, in PEM.
    pub fn encrypted_key(&self, passphrase: &Passphrase) -> String {
        pem_write::encrypted_key(&pkcs8_write::encrypt(&self.key, passphrase.text, [0x11; 16], [0x22; 16]))
    }

    /// Both certificates, the leaf first.
    pub fn ders(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Certificate::der)
    }

    /// Reads a file of others: the key and both certificates are in it, and nothing else.
    #[track_caller]
    pub fn assert_in(&self, bytes: &[u8], passphrase: &Passphrase, what: &str) -> Contents {
        let contents = self.read(bytes, passphrase, what);
        self.assert_certificates(&contents, what);
        self.assert_key(&contents, what);
        contents
    }

    /// Reads a file of others: the key is in it.
    #[track_caller]
    pub fn assert_key_in(&self, bytes: &[u8], passphrase: &Passphrase, what: &str) {
        let contents = self.read(bytes, passphrase, what);
        self.assert_key(&contents, what);
    }

    #[track_caller]
    fn read(&self, bytes: &[u8], passphrase: &Passphrase, what: &str) -> Contents {
        format::read(bytes, Some(passphrase.text))
            .unwrap_or_else(|refusal| panic!("{what}, {}, {}: {refusal:?}", self.kind, passphrase.name))
    }

    #[track_caller]
    fn assert_key(&self, contents: &Contents, what: &str) {
        assert_eq!(keys(contents), [self.key.id()], "{what}, {}", self.kind);
    }

    #[track_caller]
    fn assert_certificates(&self, contents: &Contents, what: &str) {
        let found: Vec<&Certificate> = certificates(contents).collect();
        assert_eq!(found.len(), 2, "{what}, {}", self.kind);
        assert!(self.certificates.iter().all(|one| found.contains(&one)), "{what}, {}", self.kind);
    }

    /// What another program printed of a file of ours: the key and both certificates, in PEM.
    #[track_caller]
    pub fn assert_printed(&self, text: &str, what: &str) {
        self.assert_in(text.as_bytes(), &Passphrase { name: "none", text: "" }, what);
    }

    /// As [`Self::assert_printed`], the certificates only.
    #[track_caller]
    pub fn assert_certificates_printed(&self, text: &str, what: &str) {
        let contents = self.read(text.as_bytes(), &Passphrase { name: "none", text: "" }, what);
        self.assert_certificates(&contents, what);
    }

    /// As [`Self::assert_printed`], the key only.
    #[track_caller]
    pub fn assert_key_printed(&self, text: &str, what: &str) {
        self.assert_key_in(text.as_bytes(), &Passphrase { name: "none", text: "" }, what);
    }
}

/// The names of the private keys.
pub fn keys(contents: &Contents) -> Vec<KeyId> {
    let key = |item: &Item| match &item.object {
        Object::PrivateKey(key) => Some(key.id()),
        Object::Certificate(_) | Object::Csr(_) | Object::Crl(_) => None,
    };
    contents.items.iter().filter_map(key).collect()
}

/// The certificates.
pub fn certificates(contents: &Contents) -> impl Iterator<Item = &Certificate> {
    contents.items.iter().filter_map(|item| match &item.object {
        Object::Certificate(certificate) => Some(certificate),
        Object::PrivateKey(_) | Object::Csr(_) | Object::Crl(_) => None,
    })
}

/// Octets that need not be random here.
pub fn salts() -> Salts {
    let mut next = 0;
    Salts::new(move |octets| {
        next += 1;
        octets.fill(next);
    })
}
