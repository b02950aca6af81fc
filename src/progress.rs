//! How long work tells what it is doing. All defaults are empty: who draws, overrides.

/// Hears of progress; shared between tasks.
pub trait Progress: Send + Sync {
    /// `steps` pieces of work lie ahead.
    fn begin(&self, _steps: usize) {}
    /// A piece of work began.
    fn started(&self, _what: &str) {}
    /// A piece of work ended.
    fn finished(&self, _what: &str) {}
    /// Something worth a line of its own.
    fn note(&self, _text: &str) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
