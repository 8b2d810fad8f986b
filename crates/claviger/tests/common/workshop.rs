//! What the stories of the offline tools share: a small PKI made by `openssl` in a directory of its own, the built
//! program, and `openssl` as the judge of what it writes.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]
#![expect(dead_code, reason = "every story is a program of its own and uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The passphrase in the file `in`.
pub const IN: &str = "correct horse 1";
/// The passphrase in the file `out`.
pub const OUT: &str = "battery staple 2";

/// A directory with `root.pem`, `middle.pem`, `leaf.pem` (for shop.example), their keys, `in` and `out`.
pub struct Workshop {
    directory: TempDir,
}

impl Workshop {
    /// With EC keys everywhere.
    pub fn new() -> Self {
        Self::with_leaf_key("-newkey ec -pkeyopt ec_paramgen_curve:P-256")
    }

    /// With a leaf whose key is of this kind.
    pub fn with_leaf_key(kind: &str) -> Self {
        let shop = Self { directory: tempfile::tempdir().unwrap() };
        shop.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        shop.write(
            "leaf.ext",
            "subjectAltName=DNS:shop.example,DNS:www.shop.example\nextendedKeyUsage=serverAuth\n",
        );
        shop.write("in", IN);
        shop.write("out", OUT);
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
        shop.openssl(&format!(
            "req -x509 {ec} -nodes -keyout root.key -out root.pem -days 3650 -subj /CN=Root -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
        shop.openssl(&format!("req -new {ec} -nodes -keyout middle.key -out middle.csr -subj /CN=Middle"));
        shop.certify("middle", "root", 400, "ca.ext");
        shop.openssl(&format!(
            "req -new {kind} -nodes -keyout leaf.key -out leaf.csr -subj /CN=shop.example"
        ));
        shop.certify("leaf", "middle", 90, "leaf.ext");
        shop
    }

    /// Has `issuer` certify what `name.csr` asks for: `name.pem`.
    pub fn certify(&self, name: &str, issuer: &str, days: u32, extensions: &str) {
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -days {days} -out {name}.pem -extfile {extensions}"
        ));
    }

    /// Has the intermediate revoke the leaf, and write its list.
    pub fn revoke_leaf(&self, list: &str) {
        self.write("index.txt", "");
        self.write("crlnumber", "07\n");
        self.write(
            "ca.cnf",
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n\
             certificate=middle.pem\nprivate_key=middle.key\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n",
        );
        self.openssl("ca -config ca.cnf -revoke leaf.pem -crl_reason keyCompromise");
        self.openssl(&format!("ca -config ca.cnf -gencrl -out {list}"));
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Puts files one after the other into another one.
    pub fn join(&self, names: &[&str], into: &str) {
        let whole: String = names.iter().map(|name| self.text(name)).collect();
        self.write(into, whole);
    }

    /// The mode of a file.
    pub fn mode(&self, name: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        self.path(name).metadata().unwrap().permissions().mode() & 0o777
    }

    /// Runs `openssl`, words apart by spaces; it must succeed. What it said.
    pub fn openssl(&self, arguments: &str) -> String {
        let output = self.run(Command::new("openssl").args(arguments.split(' ')));
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the program, words apart by spaces.
    pub fn claviger(&self, arguments: &str) -> Output {
        self.run(claviger().args(arguments.split(' ')))
    }

    /// The same; the code is 0.
    pub fn succeed(&self, arguments: &str) -> Output {
        let output = self.claviger(arguments);
        assert_eq!(output.status.code(), Some(0), "claviger {arguments}: {}", said(&output));
        output
    }

    /// The same; the code is this one, nothing goes to standard output, and what is said has this in it.
    pub fn refuse(&self, code: i32, arguments: &str, reason: &str) -> String {
        let output = self.claviger(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "claviger {arguments}: {said}");
        assert!(output.stdout.is_empty() && said.contains(reason), "claviger {arguments}: {said}");
        said
    }

    /// Any command in the directory.
    pub fn run(&self, command: &mut Command) -> Output {
        command.current_dir(self.directory.path()).output().unwrap()
    }

    /// The SHA-256 of a certificate, as openssl computes it.
    pub fn fingerprint(&self, name: &str) -> String {
        let line = self.openssl(&format!("x509 -in {name} -noout -fingerprint -sha256"));
        line.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
    }
}

/// The built program, with nobody to ask and no roots but those that a test names.
pub fn claviger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.env("SSL_CERT_FILE", "/dev/null").stdin(Stdio::null());
    command
}

/// Everything that a program said.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The one object on standard output.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// The codes of the findings.
pub fn codes(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect()
}

/// The inputs that are wrong on purpose.
pub fn bad_inputs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../badinputs")
}
