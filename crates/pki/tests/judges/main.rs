//! Other programs judge our files: what is written here is read by OpenSSL, Java's `keytool`, GnuTLS' `certtool` and NSS'
//! `pk12util`, and what they write is read here. Every file is made while the test runs.
//!
//! The matrix is kind of key × passphrase × algorithm. What costs little is tried in full: everything
//! that OpenSSL writes, and our legacy files. Of what derives for a second, each kind of key, each passphrase and each
//! algorithm has its turn. What a program cannot do stands beside its name as [`Inability`] with the reason; it is
//! left out and counted.
//!
//! Start reading at [`material`]. A program that is not there is an error: `cargo xtask tools` installs all of them.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests call other programs, give them files, count what they leave out, and stop at surprises"
)]

mod certtool;
mod keytool;
mod material;
mod nss;
mod openssl;

use material::{Inability, Pair, Passphrase};

/// What is left out of the matrix for one program.
struct Matrix {
    program: &'static str,
    unable: &'static [Inability],
    left_out: usize,
}

impl Matrix {
    fn new(program: &'static str, unable: &'static [Inability]) -> Self {
        Self { program, unable, left_out: 0 }
    }

    /// Whether the program can do this one at all.
    fn takes(&mut self, pair: &Pair, passphrase: &Passphrase) -> bool {
        let unable = self.unable.iter().any(|one| one.is_about(pair, passphrase));
        self.left_out += usize::from(unable);
        !unable
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        println!("{}: {} left out", self.program, self.left_out);
        for Inability { what, reason } in self.unable {
            println!("{}: no {what}: {reason}", self.program);
        }
    }
}
