//! `completions` and `manual`: what a package ships beside the program.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::Cli;

/// Prints completions for a shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

impl Completions {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "claviger", &mut text);
        super::output::line(String::from_utf8_lossy(&text).trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes man pages.
#[derive(Debug, Args)]
pub struct Manual {
    /// The directory that they are written to.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Manual {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.to).with_context(|| format!("cannot make {}", self.to.display()))?;
        let written = clap_mangen::generate_to(Cli::command(), &self.to);
        written.with_context(|| format!("cannot write to {}", self.to.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
