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
        // Twice is as good as once.
        keep_memory_private();
        raise_file_limit();
    }
}
