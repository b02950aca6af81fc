//! Signals to processes that a test has started, by their id.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id")
}

/// To one process.
pub(crate) fn signal(id: u32, signal: Signal) {
    // It may have ended meanwhile.
    let _ = kill_process(pid(id), signal);
}

/// To a process and what it has started, as a terminal does.
pub(crate) fn signal_group(id: u32, signal: Signal) {
    let _ = kill_process_group(pid(id), signal);
}
