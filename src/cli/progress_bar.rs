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
    watch: Watch,
}

/// When each piece of work began.
#[derive(Default)]
struct Watch(Mutex<HashMap<String, Instant>>);

impl Watch {
    fn start(&self, what: &str) {
        if let Ok(mut since) = self.0.lock() {
            since.insert(what.to_owned(), Instant::now());
        }
    }

    /// Milliseconds since then.
    fn stop(&self, what: &str) -> Option<f64> {
        let began = self.0.lock().ok()?.remove(what)?;
        Some(began.elapsed().as_secs_f64() * 1000.0)
    }
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
        Self { bar, is_verbose: shared.verbose, is_quiet: shared.quiet, watch: Watch::default() }
    }

    /// The part of it that is one of several targets.
    pub(super) fn of<'a>(&'a self, target: &'a str) -> Voice<'a> {
        Voice { bar: self, target, watch: Watch::default() }
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
        self.watch.start(what);
    }

    fn finished(&self, what: &str) {
        self.bar.inc(1);
        if let Some(millis) = self.watch.stop(what) {
            self.note(&format!("{what}: {millis:.1} ms"));
        }
    }

    fn phase(&self, text: &str, done: u64, total: u64) {
        let share = (done * 100).checked_div(total).map(|share| format!(" {share} %")).unwrap_or_default();
        self.bar.set_message(format!("{text}{share}"));
    }

    fn warn(&self, text: &str) {
        if !self.is_quiet {
            self.bar.suspend(|| tell!("{}", escape(text)));
        }
    }

    fn note(&self, text: &str) {
        if self.is_verbose {
            tell!("{}", escape(text));
        }
    }
}

/// Progress on one of several targets: its steps move no bar, its words bear its name.
pub(super) struct Voice<'a> {
    bar: &'a Bar,
    target: &'a str,
    watch: Watch,
}

impl Progress for Voice<'_> {
    fn started(&self, what: &str) {
        self.watch.start(what);
    }

    fn finished(&self, what: &str) {
        if let Some(millis) = self.watch.stop(what) {
            self.note(&format!("{what}: {millis:.1} ms"));
        }
    }

    fn warn(&self, text: &str) {
        self.bar.warn(&format!("{}: {text}", self.target));
    }

    fn note(&self, text: &str) {
        self.bar.note(&format!("{}: {text}", self.target));
    }
}
