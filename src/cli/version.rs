//! What `pgassay --version` says; `-V` says the first line.

use crate::{facts, statement};
use std::sync::LazyLock;

/// Version, commit where it is known, and what this build is for.
pub(super) static LONG: LazyLock<String> = LazyLock::new(|| {
    let (first, last) = facts::MAJORS;
    let commit = match env!("PGASSAY_COMMIT") {
        "" => "not known",
        commit => commit,
    };
    format!(
        "{}\ncommit:  {commit}\ntarget:  {}\nparser:  PostgreSQL {}\nservers: PostgreSQL {first} to {last}, minor versions as of {}",
        env!("CARGO_PKG_VERSION"),
        env!("PGASSAY_TARGET"),
        statement::grammar().unwrap_or_default(),
        facts::MINORS_AS_OF,
    )
});
