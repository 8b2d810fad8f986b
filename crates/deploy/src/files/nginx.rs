//! nginx: asked by `nginx -t`, told by SIGHUP to the process in its pid file. No shell, no systemd.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::program;
use crate::DeployError;

/// The kernel cuts the names of processes here.
const COMMAND_NAME: usize = 15;
/// The most bytes of a pid file: a number and the end of its line have fewer.
const LONGEST: u64 = 32;

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
        let text = read_short(&self.pid_file).map_err(|error| self.not_running(error.to_string()))?;
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

/// What stands in a pid file. Whoever may change targets names it, so only a short regular file is read: a device may
/// have no end, and a pipe would be waited for.
fn read_short(path: &Path) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it holds more than a number"));
    }
    Ok(text)
}

fn command_name(pid: i32) -> Option<String> {
    let path = Path::new("/proc").join(pid.to_string()).join("comm");
    let name = fs::read_to_string(path).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    fn said(pid_file: PathBuf) -> String {
        let nginx = Nginx { binary: PathBuf::from("/usr/sbin/nginx"), conf: None, prefix: None, pid_file };
        match nginx.reload() {
            Err(DeployError::NotRunning { what, .. }) => what,
            other => panic!("it is refused: {other:?}"),
        }
    }

    #[test]
    fn a_pid_file_is_a_short_regular_file() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(said(PathBuf::from("/dev/zero")), "it is no regular file");
        assert_eq!(said(home.path().to_owned()), "it is no regular file");
        let pipe = home.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(said(pipe), "it is no regular file");
        let file = home.path().join("nginx.pid");
        for (text, what) in [
            ("1".repeat(33), "it holds more than a number"),
            ("x\n".to_owned(), "it holds no number"),
            ("1\n".to_owned(), "it holds no number of a process"),
            (format!("{}\n", std::process::id()), "not nginx"),
        ] {
            fs::write(&file, text).unwrap();
            assert!(said(file.clone()).contains(what), "{what}");
        }
    }
}
