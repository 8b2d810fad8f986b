//! nginx: asked by `nginx -t`, told by SIGHUP to the process in its pid file. No shell, no systemd.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::program;
use crate::DeployError;

/// The kernel cuts the names of processes here.
const COMMAND_NAME: usize = 15;

/// An nginx on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nginx {
    pub(super) binary: PathBuf,
    pub(super) conf: Option<PathBuf>,
    pub(super) prefix: Option<PathBuf>,
    pub(super) pid_file: PathBuf,
}

impl Nginx {
    /// Asks nginx whether it takes its configuration, the new files included.
    pub(super) fn test(&self) -> Result<(), DeployError> {
        let mut arguments: Vec<&OsStr> = vec![OsStr::new("-t")];
        for (option, path) in [("-c", &self.conf), ("-p", &self.prefix)] {
            if let Some(path) = path {
                arguments.extend([OsStr::new(option), path.as_os_str()]);
            }
        }
        let outcome = program::run(&self.binary, &arguments);
        let outcome =
            outcome.map_err(|source| DeployError::Program { program: self.binary.clone(), source })?;
        if outcome.success { Ok(()) } else { Err(DeployError::Refused { said: outcome.said }) }
    }

    /// Tells the running nginx to load the files.
    pub(super) fn reload(&self) -> Result<(), DeployError> {
        let pid = self.pid()?;
        kill_process(pid, Signal::HUP).map_err(|error| self.not_running(error.to_string()))
    }

    /// The process, if it is the one that we mean: a stale number may belong to anybody by now, and most programs
    /// end at SIGHUP.
    fn pid(&self) -> Result<Pid, DeployError> {
        let text = fs::read_to_string(&self.pid_file).map_err(|error| self.not_running(error.to_string()))?;
        let number: i32 =
            text.trim().parse().map_err(|_| self.not_running("it holds no number".to_owned()))?;
        let pid = Some(number).filter(|number| *number > 1).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| self.not_running("it holds no number of a process".to_owned()))?;
        let name =
            command_name(number).ok_or_else(|| self.not_running(format!("there is no process {number}")))?;
        if name == self.command_name() {
            Ok(pid)
        } else {
            let what = format!("process {number} is {name}, not {}", self.command_name());
            Err(self.not_running(what))
        }
    }

    fn command_name(&self) -> String {
        let name = self.binary.file_name().unwrap_or_default().to_string_lossy();
        name.chars().take(COMMAND_NAME).collect()
    }

    fn not_running(&self, what: String) -> DeployError {
        DeployError::NotRunning { path: self.pid_file.clone(), what }
    }
}

fn command_name(pid: i32) -> Option<String> {
    let path = Path::new("/proc").join(pid.to_string()).join("comm");
    let name = fs::read_to_string(path).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}
