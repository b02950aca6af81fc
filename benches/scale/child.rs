//! Runs a program and sees what it took.

use crate::Fallible;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Ticks of a second in /proc, the same on every Linux.
const TICKS: f64 = 100.0;

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) wall_ms: f64,
    /// Of the program itself, user and system.
    pub(crate) cpu_ms: f64,
    /// Most memory it ever had; only where it was watched.
    pub(crate) peak_mb: f64,
}

/// Runs to the end. `accepted` are the exit codes that mean it did its work.
pub(crate) fn run(command: &mut Command, accepted: &[i32]) -> Fallible<Run> {
    let (before, since) = (children_ms(Path::new("/proc/self")), Instant::now());
    let status = quiet(command).spawn()?.wait()?;
    let wall_ms = since.elapsed().as_secs_f64() * 1000.0;
    check(command, status, accepted)?;
    Ok(Run { wall_ms, cpu_ms: children_ms(Path::new("/proc/self")) - before, peak_mb: 0.0 })
}

/// The same, with a look at its memory every two milliseconds: the kernel keeps the peak.
pub(crate) fn watch(command: &mut Command, accepted: &[i32]) -> Fallible<Run> {
    let (before, since) = (children_ms(Path::new("/proc/self")), Instant::now());
    let mut child = quiet(command).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_mb = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak_mb = peak(&status_file).unwrap_or(peak_mb);
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall_ms = since.elapsed().as_secs_f64() * 1000.0;
    check(command, status, accepted)?;
    Ok(Run { wall_ms, cpu_ms: children_ms(Path::new("/proc/self")) - before, peak_mb })
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null())
}

fn check(command: &Command, status: ExitStatus, accepted: &[i32]) -> Fallible<()> {
    match status.code() {
        Some(code) if accepted.contains(&code) => Ok(()),
        _ => Err(format!("{command:?}: {status}").into()),
    }
}

/// `VmHWM:    12345 kB`
#[allow(clippy::cast_precision_loss, reason = "shown to three digits")]
fn peak(status_file: &str) -> Option<f64> {
    let text = fs::read_to_string(status_file).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM"))?;
    let kb: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb as f64 / 1024.0)
}

/// CPU time of a process's children that have ended: of the postmaster's, those of all sessions.
pub(crate) fn children_ms(process: &Path) -> f64 {
    let text = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name in parentheses may hold anything; cutime and cstime are fields 16 and 17.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = rest.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 1000.0 / TICKS
}
