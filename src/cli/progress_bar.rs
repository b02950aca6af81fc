//! Progress on a terminal, and times for `--verbose`.

use super::args::Shared;
use crate::progress::Progress;
use crate::report::escape;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Instant;

/// A progress bar on standard error, drawn only on a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    is_verbose: bool,
    is_quiet: bool,
    since: Mutex<HashMap<String, Instant>>,
}

impl Bar {
    pub(super) fn new(shared: &Shared, verb: &'static str) -> Self {
        let is_drawn = !shared.quiet && !shared.verbose && std::io::stderr().is_terminal();
        let target = if is_drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(verb);
        Self { bar, is_verbose: shared.verbose, is_quiet: shared.quiet, since: Mutex::default() }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&self, steps: usize) {
        self.bar.set_length(steps as u64);
    }

    fn started(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if let Ok(mut since) = self.since.lock() {
            since.insert(what.to_owned(), Instant::now());
        }
    }

    fn finished(&self, what: &str) {
        self.bar.inc(1);
        let began = self.since.lock().ok().and_then(|mut since| since.remove(what));
        if let Some(began) = began.filter(|_| self.is_verbose) {
            eprintln!("{what}: {:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn phase(&self, text: &str, done: u64, total: u64) {
        let share = (done * 100).checked_div(total).map(|share| format!(" {share} %")).unwrap_or_default();
        self.bar.set_message(format!("{text}{share}"));
    }

    fn warn(&self, text: &str) {
        if !self.is_quiet {
            self.bar.suspend(|| eprintln!("{}", escape(text)));
        }
    }

    fn note(&self, text: &str) {
        if self.is_verbose {
            eprintln!("{text}");
        }
    }
}
