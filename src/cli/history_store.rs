//! Where runs are kept: a folder, or a database.

use super::config::Config;
use super::history_args::StoreArgs;
use super::{connection, interrupt};
use crate::archive::{self, Archive};
use crate::facts::counters_since;
use crate::model::history::{Holdings, Kept, Run, Tally};
use crate::model::snapshot::Snapshot;
use crate::model::verdict::Verdict;
use crate::postgres::{Target, parse_params};
use crate::store::{Folder, read_snapshot};
use anyhow::{Result, anyhow};
use std::path::Path;

/// A history.
pub(super) enum Store {
    /// A file for each run.
    Folder(Folder),
    /// A row for each run.
    Database(Box<Target>),
}

/// The history is in a database, as its text has the form of a URL or of `key=value` pairs.
pub(super) fn is_database(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.contains("://") || text.split_once('=').is_some_and(|(word, _)| is_word(word.trim()))
}

/// A password stands in it.
pub(super) fn holds_password(text: &str) -> bool {
    is_database(text) && parse_params(text).unwrap_or_default().contains_key("password")
}

/// Keeps a run, and what was found in it.
pub(super) fn keep(config: &Config, history: &str, snapshot: &Snapshot, verdict: Option<&Verdict>) -> Result<()> {
    let run = run_of(snapshot, verdict);
    match Store::at(config, history)? {
        Store::Folder(folder) => folder.keep(&run, snapshot).map(|_| ())?,
        Store::Database(target) => {
            interrupt::block_on(async { Ok(archive::keep(&target, &application(), &run, snapshot).await?) })?
        }
    }
    Ok(())
}

/// What is known of a run without its snapshot.
pub(super) fn run_of(snapshot: &Snapshot, verdict: Option<&Verdict>) -> Run {
    Run::of(snapshot, counters_since(snapshot).from, verdict.map(Tally::of))
}

/// The name under which a session of ours that writes is seen.
pub(super) fn application() -> String {
    format!("pgassay/{}", connection::run_name())
}

impl Store {
    /// The history of the flag, else of the config.
    pub(super) fn open(config: &Config, args: &StoreArgs) -> Result<Self> {
        Self::at(config, named(config, args)?)
    }

    /// The history of a text.
    pub(super) fn at(config: &Config, text: &str) -> Result<Self> {
        if is_database(text) {
            let target = connection::target_of(config, Some(text)).map_err(|error| anyhow!("--history: {error}"))?;
            return Ok(Self::Database(Box::new(target)));
        }
        Ok(Self::Folder(Folder::at(Path::new(text))))
    }

    /// What is there.
    pub(super) fn holdings(&self) -> Result<Holdings> {
        match self {
            Self::Folder(folder) => Ok(folder.holdings()?),
            Self::Database(target) => interrupt::block_on(async { Ok(connect(target).await?.holdings().await?) }),
        }
    }

    /// Reads snapshots one after the other; one that cannot be read is told as such.
    pub(super) fn read(&self, runs: &[&Kept], mut each: impl FnMut(&Kept, Result<Snapshot>)) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                for kept in runs {
                    each(kept, read_snapshot(&folder.file(&kept.name)).map_err(Into::into));
                }
                Ok(())
            }
            Self::Database(target) => interrupt::block_on(async {
                let archive = connect(target).await?;
                for kept in runs {
                    each(kept, archive.snapshot(kept).await.map_err(Into::into));
                }
                Ok(())
            }),
        }
    }
}

/// The text of the flag, else of the config.
pub(super) fn named<'a>(config: &'a Config, args: &'a StoreArgs) -> Result<&'a str> {
    let named = args.history.as_deref().or(config.history.store.as_deref());
    named.ok_or_else(|| {
        anyhow!(
            "which history? Name the folder or database that `audit --history` was given with --history, or history.store in the config"
        )
    })
}

async fn connect(target: &Target) -> Result<Archive> {
    Ok(Archive::connect(target, connection::run_name()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_from_a_database() {
        for text in ["postgres://u@h/d", "host=/run dbname=d", "dbname=d", "user = u dbname=d"] {
            assert!(is_database(text), "{text}");
        }
        for text in ["/var/lib/pgassay", "past", "./a=b", "a/b=c", "", "=", "A=b"] {
            assert!(!is_database(text), "{text}");
        }
        assert!(holds_password("postgres://u:S3cret@h/d") && holds_password("user=u password=S3cret"));
        assert!(!holds_password("postgres://u@h/d") && !holds_password("/a:b@c"));
    }
}
