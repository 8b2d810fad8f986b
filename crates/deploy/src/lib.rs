//! Where certificates get installed: one file per kind of target, and the verifier that looks from outside.
//!
//! A target takes values and answers values: it must not know the store, the jobs or who asked. Everything here but
//! the verifier is synchronous: call it on a blocking thread. A target that fails has changed nothing that lasts.
//!
//! Start reading at [`Target`], then [`mod@files`], then [`mod@verify`].

mod edge;
mod error;
pub mod files;
pub mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::connector::{self, Field};
use pki::{Certificate, Fingerprint, PrivateKey, Refusal};

pub use error::DeployError;
pub use verify::{EndpointLook, Expected, Patience, verify, verify_within};

/// A target's settings by name, as its connector's fields describe them.
pub type Settings = BTreeMap<String, String>;

/// What is installed.
pub struct Material<'a> {
    /// The leaf.
    pub certificate: &'a Certificate,
    /// The intermediates in order, without the root.
    pub chain: &'a [Certificate],
    /// The private key; none when it does not leave its token and is on the target already.
    pub key: Option<&'a PrivateKey>,
    /// Whether this certificate was in use there before, with another chain say: then what stands there is good, and is
    /// kept and put back as a version of its own.
    pub proven: bool,
}

/// How a target took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Whether anything was different before. Installing the same again changes nothing.
    pub changed: bool,
}

/// What a page, the API and the manual say about a kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The stable name.
    pub kind: &'static str,
    /// The name on a page.
    pub label: &'static str,
    /// Two or three sentences.
    pub help: &'static str,
    /// Its settings.
    pub fields: &'static [Field],
}

/// A kind of place that takes certificates. Synchronous: call it on a blocking thread.
pub trait Target: Send + Sync {
    /// What it is and what it needs.
    fn about(&self) -> &'static About;

    /// Checks settings without touching the target, and answers them with the defaults filled in.
    fn check(&self, settings: &Settings) -> Result<Settings, Vec<Refusal>> {
        connector::check(self.about().fields, settings)
    }

    /// Where the target's files are, which no other target may have; none when it has no such place.
    fn own_place(&self, _settings: &Settings) -> Option<PathBuf> {
        None
    }

    /// What it may share with other targets, by names that are the same for all of them: whoever installs or puts back
    /// keeps everybody else away from these for as long.
    fn shares(&self, _settings: &Settings) -> Vec<String> {
        Vec::new()
    }

    /// Installs a certificate and makes the target use it. Run again, also after it was killed at any point, it ends
    /// in the same state. When it fails, what was there before is there again, unless the error is
    /// [`DeployError::HalfDone`].
    fn install(&self, settings: &Settings, material: &Material<'_>) -> Result<Installed, DeployError>;

    /// Puts back what was there before `certificate` was installed, and makes the target use that. Does nothing when
    /// another certificate is there now.
    fn put_back(&self, settings: &Settings, certificate: Fingerprint) -> Result<(), DeployError>;

    /// The stable name of the kind.
    fn kind(&self) -> &'static str {
        self.about().kind
    }

    /// Its settings.
    fn fields(&self) -> &'static [Field] {
        self.about().fields
    }
}

/// Every kind of target, in the order in which they are offered.
pub fn registry() -> &'static [&'static dyn Target] {
    static FILES: files::Files = files::Files::new();
    static KINDS: [&dyn Target; 2] = [&FILES, &edge::Edge];
    &KINDS
}

/// The kind of target with this name.
pub fn connector(kind: &str) -> Option<&'static dyn Target> {
    registry().iter().copied().find(|target| target.kind() == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        for target in registry() {
            let found = connector(target.kind()).map(|found| found.about());
            assert_eq!(found, Some(target.about()));
        }
        assert!(connector("ftp").is_none());
    }
}
