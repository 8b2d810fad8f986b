//! Runs a program by its arguments: no shell, no input, a clean environment, a time limit, and words that are harmless
//! to show.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const TIME_LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);
/// How long we wait for the last words of a program that has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
const MAX_READ: u64 = 64 * 1024;
const MAX_LINES: usize = 20;
const MAX_CHARACTERS: usize = 2_000;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) success: bool,
    /// The first lines of its standard error, in one.
    pub(super) said: String,
}

/// Runs it to its end, at most 30 seconds.
pub(super) fn run(program: &Path, arguments: &[&OsStr]) -> io::Result<Outcome> {
    run_for(program, arguments, TIME_LIMIT)
}

fn run_for(program: &Path, arguments: &[&OsStr], limit: Duration) -> io::Result<Outcome> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = listen(&mut child);
    let status = wait(&mut child, limit)?;
    // A process that it left behind may hold the pipe open: then we go without.
    let said = said.recv_timeout(LAST_WORDS).unwrap_or_default();
    let mut said = inert(&String::from_utf8_lossy(&said));
    if said.is_empty() && !status.success() {
        said = status.to_string();
    }
    Ok(Outcome { success: status.success(), said })
}

/// Reads in a thread of its own, so that a program with much to say does not wait for us.
fn listen(child: &mut Child) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = child.stderr.take() {
        thread::spawn(move || {
            let mut said = Vec::new();
            // What was read before an error is worth showing; the rest is read and dropped.
            let _ = pipe.by_ref().take(MAX_READ).read_to_end(&mut said);
            let _ = io::copy(&mut pipe, &mut io::sink());
            let _ = sender.send(said);
        });
    }
    receiver
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(LOOK);
    }
}

/// The first lines in one, without anything that a terminal or a page would act on.
fn inert(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.take(MAX_LINES).map(pki::name::inert).collect();
    lines.join("; ").chars().take(MAX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> io::Result<Outcome> {
        run_for(Path::new("/bin/sh"), &[OsStr::new("-c"), OsStr::new(script)], limit)
    }

    #[test]
    fn tells_how_it_ended_and_what_was_said() {
        let good = shell("exit 0", TIME_LIMIT).unwrap();
        assert!(good.success && good.said.is_empty());
        let bad = shell("echo one >&2; printf '\\033[31mtwo\\n' >&2; exit 3", TIME_LIMIT).unwrap();
        let said = "one; \\u{1b}[31mtwo".to_owned();
        assert_eq!(bad, Outcome { success: false, said });
        let silent = shell("exit 3", TIME_LIMIT).unwrap();
        assert!(silent.said.contains('3'), "{}", silent.said);
        let much = shell("yes x | head -c 300000 >&2; exit 1", TIME_LIMIT).unwrap();
        assert_eq!(much.said.split("; ").count(), MAX_LINES);
    }

    #[test]
    fn an_argument_is_an_argument() {
        let arguments = ["-c", "echo \"$1\" >&2; exit 1", "sh", "; rm -rf $HOME `x` |"].map(OsStr::new);
        let said = run(Path::new("/bin/sh"), &arguments).unwrap().said;
        assert_eq!(said, "; rm -rf $HOME `x` |");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let late = shell("exec sleep 60", Duration::from_millis(50)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let missing = run(Path::new("/nothing/here"), &[]).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
