//! What can go wrong on a target, each with what to do about it.

use std::io;
use std::path::PathBuf;

use pki::Refusal;

/// Why a certificate was not installed, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The settings cannot be used.
    #[error("{} of the target's settings cannot be used", .0.len())]
    Settings(Vec<Refusal>),
    /// The key belongs to another certificate.
    #[error("the private key is not the key of the certificate")]
    KeyMismatch,
    /// No key was given, and there is none on the target.
    #[error("the private key may not leave its token, and {0} is not there")]
    KeyMissing(PathBuf),
    /// The directory is not there, or is no directory.
    #[error("{0} is not a directory that can be used")]
    Directory(PathBuf, #[source] Option<io::Error>),
    /// Something other than a plain file stands in the place of a file.
    #[error("{0} is not a plain file")]
    NotAFile(PathBuf),
    /// A file could not be read, written or renamed.
    #[error("could not {doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The target's own check says no.
    #[error("the target refuses it: {said}")]
    Refused {
        /// The first lines of what it said, without control characters.
        said: String,
    },
    /// A program could not be run.
    #[error("could not run {program}")]
    Program {
        /// Which.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The process to be told is not there.
    #[error("{path} does not lead to the running program: {what}")]
    NotRunning {
        /// The pid file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It failed, and what was there before could not be put back either.
    #[error("the files are half changed: {then}")]
    HalfDone {
        /// Why it was not installed.
        #[source]
        first: Box<DeployError>,
        /// Why the files before were not put back.
        then: Box<DeployError>,
    },
}

impl DeployError {
    /// What a person can do, one sentence.
    pub fn repair(&self) -> &'static str {
        match self {
            Self::Settings(_) => "Correct the settings of the target.",
            Self::KeyMismatch => "Import the certificate again, so that it is matched to its own key.",
            Self::KeyMissing(_) => {
                "Put the key there yourself, or give the lineage keys that may be installed on its targets."
            }
            Self::Directory(..) => {
                "Create the directory for the account that Claviger runs as, or name another; a link is not followed."
            }
            Self::NotAFile(_) => "Move it away: links and directories are not replaced.",
            Self::File { .. } => {
                "Let the account that Claviger runs as write into the directory, and see that the disk is not full."
            }
            Self::Refused { .. } => {
                "Correct what the target says about its configuration, then deploy again."
            }
            Self::Program { .. } => "Correct the path of the program in the settings of the target.",
            Self::NotRunning { .. } => {
                "Start the program, or correct the path of its pid file in the settings."
            }
            Self::HalfDone { .. } => {
                "Correct the second cause and deploy again: it goes on where it stopped."
            }
        }
    }

    /// The error and everything under it in one line, for people.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
