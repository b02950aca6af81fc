//! How long work tells what it is doing. All defaults are empty: who draws, overrides.

/// Hears of progress; shared between tasks.
pub trait Progress: Send + Sync {
    /// `steps` pieces of work lie ahead.
    fn begin(&self, _steps: usize) {}
    /// A piece of work began.
    fn started(&self, _what: &str) {}
    /// A piece of work ended.
    fn finished(&self, _what: &str) {}
    /// The work under way is in this phase, `done` of `total` through it; of an unknown total when that is 0.
    fn phase(&self, _text: &str, _done: u64, _total: u64) {}
    /// Something worth a line of its own to who wants to know all.
    fn note(&self, _text: &str) {}
    /// Something everybody should hear of, such as what the server remarks.
    fn warn(&self, _text: &str) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
