//! What tests against real servers share: which servers there are, a yard to keep one in, and the
//! program as a user would run it.
#![allow(dead_code, reason = "each test binary takes what it needs")]

mod advice;
pub(crate) mod app;
mod browser;
mod certificates;
mod change;
mod corner;
mod crowd;
mod load;
mod log;
mod pooler;
mod program;
mod report;
mod servers;
mod signal;
mod standby;
mod verdict;
mod wait;
mod yard;

pub(crate) use advice::{Case, advised, cases, matches};
pub(crate) use browser::{Browser, CONTROL, ESCAPE, TAB};
pub(crate) use certificates::Certificates;
pub(crate) use change::{ALONE, Site, WAITS, end, index, notes, step};
pub(crate) use corner::{CORNER, ask, corner, with_statements};
pub(crate) use crowd::{Crowd, Habit};
pub(crate) use load::{Load, table as load_table};
pub(crate) use log::{Entry, busy, entries, logging, ours, peak};
pub(crate) use pooler::Pooler;
pub(crate) use program::{Outcome, Pgassay};
pub(crate) use report::Report;
pub(crate) use servers::{newest, oldest, server};
pub(crate) use signal::{signal, signal_group};
pub(crate) use standby::Standby;
pub(crate) use verdict::{Audit, audit, shop_settings};
pub(crate) use wait::{until, until_so};
pub(crate) use yard::{THROWAWAY, Yard, free_port};

/// The repository.
pub(crate) fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}
