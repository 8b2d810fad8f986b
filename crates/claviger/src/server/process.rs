//! What this process asks of the system for itself: that its memory stays its own, and room for its connections.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Keeps the memory, in which private keys are, out of core dumps and out of reach of other processes of the same
/// user (`prctl(2)`, `PR_SET_DUMPABLE`). A system that refuses it is said in the log and does not stop the start.
pub fn keep_memory_private() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // The limit too: where the system pipes dumps into a program, it is the flag that counts, elsewhere the limit.
    let asked = [setrlimit(Resource::Core, nothing), set_dumpable_behavior(DumpableBehavior::NotDumpable)];
    for error in asked.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "core dumps of this process cannot be turned off");
    }
}

/// Files that are open beside connections: the database, its readers, the log, and what comes and goes.
const OTHER_FILES: usize = 512;

/// Files that may have to be open at once when every listener is full: one for each connection, and one more for each
/// backend behind the edge. The edge must never use up those of the UI, from which it would be mended.
pub fn files_needed(edge: usize) -> u64 {
    let http = edge::HttpLimits::default().connections.connections;
    let files = edge.saturating_mul(2).saturating_add(3 * http + OTHER_FILES);
    u64::try_from(files).unwrap_or(u64::MAX)
}

/// What is said when the system allows fewer open files than that; none when there are enough.
pub fn short_of_files(needed: u64) -> Option<String> {
    let allowed = getrlimit(Resource::Nofile).maximum?;
    (allowed < needed).then(|| {
        format!("this process may open {allowed} files, the connections of full listeners need {needed}")
    })
}

/// How to mend that.
pub const MORE_FILES: &str =
    "Raise the limit (LimitNOFILE= of the systemd unit, ulimit -Hn of a shell), or lower edge.connections.";

/// Raises the number of files that may be open at once to the most that the system allows this process: every
/// connection is one, and the usual 1,024 would end far below the caps of the listeners.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, files = limit.current, "the number of open files cannot be raised");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn leaves_no_core_and_may_open_all_files_that_it_can() {
        keep_memory_private();
        raise_file_limit();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        let files = getrlimit(Resource::Nofile);
        assert_eq!(files.current, files.maximum);
        let allowed = files.maximum.unwrap_or(u64::MAX);
        assert_eq!(short_of_files(allowed), None);
        let said = allowed.checked_add(1).map(|more| short_of_files(more).is_some());
        assert_ne!(said, Some(false));
        assert!(files_needed(20_000) > 46_000 && files_needed(usize::MAX) > 1 << 62);
        // Twice is as good as once.
        keep_memory_private();
        raise_file_limit();
    }
}
