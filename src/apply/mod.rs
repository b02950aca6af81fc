//! Carries a plan out: the only writer but for `archive`, which has a schema of its own. Takes short locks with a time-out and tries again, lets long
//! builds wait under a watchdog, repairs what a failure leaves, and keeps a journal that a later run
//! can take up or take back.
//!
//! Sessions of others are never ended: they are named, with the command that would.

mod adoption;
mod crew;
mod guard;
mod index;
mod journal;
mod partition;
mod run;
mod split;
mod undo;

pub use crew::{Crew, Scout, application};
pub use journal::{Entry, Header, Journal, JournalError, Run, StepEnd, StepStory};
pub use run::{Outcome, Settings, apply, try_out};
pub use undo::undo;
