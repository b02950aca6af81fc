//! What a run did, as lines of JSON that are on disk before and after each step. The catalog is the
//! truth about what is done; the journal knows what it was before, and what we were at.

use crate::model::plan::{Change, Name, Plan};
use crate::model::snapshot::Tool;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// Done by this run.
    Done,
    /// Nothing was left to do.
    Already,
    /// Failed, and nothing of it is left.
    Failed,
    /// Failed, and something is left: what, says the text.
    Half,
}

impl StepEnd {
    /// The step needs no more work.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "nothing to do",
            Self::Failed => "failed",
            Self::Half => "half done",
        }
    }
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A run began.
    Begun(Box<Header>),
    /// An earlier run was taken up again.
    Resumed {
        /// When, by the server's clock.
        at: DateTime<Utc>,
    },
    /// A step is about to change something.
    StepBegun {
        /// The step.
        step: u32,
        /// When.
        at: DateTime<Utc>,
        /// What takes it back, from the catalog as it is now.
        restore: Option<Box<Change>>,
        /// Invalid indexes of the table that were there before.
        bystanders: Vec<Name>,
    },
    /// A step ended.
    StepEnded {
        /// The step.
        step: u32,
        /// When.
        at: DateTime<Utc>,
        /// How.
        end: StepEnd,
        /// What happened, for people.
        text: String,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// The run ended.
    Ended {
        /// When.
        at: DateTime<Utc>,
        /// All its steps are done.
        is_complete: bool,
    },
}

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The run's name.
    pub run: String,
    /// When it began, by the server's clock.
    pub at: DateTime<Utc>,
    /// The program.
    pub tool: Tool,
    /// Host and port or socket, and database; no password.
    pub place: String,
    /// The plan, whole.
    pub plan: Plan,
    /// The chosen steps.
    pub steps: Vec<u32>,
    /// The run that this one takes back.
    pub undoes: Option<String>,
}

/// A journal that cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal {file}: {message}")]
pub struct JournalError {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub message: String,
}

fn fail(path: &Path, message: impl std::fmt::Display) -> JournalError {
    JournalError { file: path.display().to_string(), message: message.to_string() }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins the journal of a new run.
    pub fn begin(folder: &Path, header: Header) -> Result<Self, JournalError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| fail(folder, error))?;
        let path = folder.join(format!("{}.jsonl", header.run));
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let mut journal = Self { file: file.map_err(|error| fail(&path, error))?, path };
        journal.write(&Entry::Begun(Box::new(header)))?;
        // The name of the file, too, must outlive a crash of this machine.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| fail(folder, error))?;
        Ok(journal)
    }

    /// Takes up the journal of an earlier run.
    pub fn reopen(path: &Path) -> Result<Self, JournalError> {
        let text = std::fs::read(path).map_err(|error| fail(path, error))?;
        let file = OpenOptions::new().append(true).open(path).map_err(|error| fail(path, error))?;
        let mut journal = Self { file, path: path.to_owned() };
        if !text.ends_with(b"\n") {
            // A line that a crash cut short ends here.
            journal.file.write_all(b"\n").map_err(|error| fail(path, error))?;
        }
        Ok(journal)
    }

    /// Adds a line; it is on disk when this returns.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).map_err(|error| fail(&self.path, error))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(|error| fail(&self.path, error))
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A run as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its journal.
    pub path: PathBuf,
    /// How it began.
    pub header: Header,
    /// What became of its steps.
    pub steps: BTreeMap<u32, StepStory>,
    /// When it ended, and whether all was done; none while it runs, or when it died.
    pub ended: Option<(DateTime<Utc>, bool)>,
}

/// What became of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepStory {
    /// What takes it back, by the catalog before it was first begun.
    pub restore: Option<Change>,
    /// Invalid indexes of the table that were there before it was first begun.
    pub bystanders: Vec<Name>,
    /// It was begun, and may have left something.
    pub is_begun: bool,
    /// It was begun and did not end since.
    pub is_open: bool,
    /// How and when it ended, with what is said of it; none when it did not.
    pub end: Option<(StepEnd, DateTime<Utc>, String)>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Run {
    /// Reads a journal. A last line that was cut short by a crash is left out.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let bytes = std::fs::read(path).map_err(|error| fail(path, error))?;
        let mut entries = Vec::new();
        // Bytes: a crash may cut a character in two.
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_slice::<Entry>(line) {
                Ok(entry) => entries.push(entry),
                Err(error) if error.is_eof() && number > 0 => {}
                Err(error) => return Err(fail(path, format!("line {}: {error}", number + 1))),
            }
        }
        Self::of(path, entries)
    }

    fn of(path: &Path, entries: Vec<Entry>) -> Result<Self, JournalError> {
        let mut entries = entries.into_iter();
        let Some(Entry::Begun(header)) = entries.next() else {
            return Err(fail(path, "does not begin with the begin of a run"));
        };
        let mut run = Self { path: path.to_owned(), header: *header, steps: BTreeMap::new(), ended: None };
        for entry in entries {
            run.tell(entry);
        }
        Ok(run)
    }

    fn tell(&mut self, entry: Entry) {
        match entry {
            Entry::Begun(_) => {}
            Entry::Resumed { .. } => {
                self.ended = None;
                self.steps.values_mut().for_each(|story| story.is_open = false);
            }
            Entry::StepBegun { step, restore, bystanders, .. } => {
                let story = self.steps.entry(step).or_default();
                // What was there before the first attempt is what undo must bring back.
                if !story.is_begun {
                    (story.restore, story.bystanders, story.is_begun) =
                        (restore.map(|change| *change), bystanders, true);
                }
                (story.end, story.is_open) = (None, true);
            }
            Entry::StepEnded { step, at, end, text, seconds } => {
                let story = self.steps.entry(step).or_default();
                // An attempt that left nothing is as none: what will be there is somebody else's.
                story.is_begun &= !(story.is_open && end == StepEnd::Failed);
                story.is_open = false;
                story.end = Some((end, at, text));
                story.seconds += seconds;
            }
            Entry::Ended { at, is_complete } => self.ended = Some((at, is_complete)),
        }
    }

    /// All runs of a folder, the oldest first. Files that are no journals are named in the error; one that a
    /// crash cut in its first line began nothing.
    pub fn all(folder: &Path) -> Result<Vec<Self>, JournalError> {
        let listed = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|error| fail(folder, error))?,
        };
        let paths: std::io::Result<Vec<PathBuf>> = listed.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(|error| fail(folder, error))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        paths.sort();
        // What cannot be read may have begun: `read` says so.
        let has_begun = |path: &&PathBuf| std::fs::read(path).map_or(true, |bytes| bytes.contains(&b'\n'));
        let mut runs = paths.iter().filter(has_begun).map(|path| Self::read(path)).collect::<Result<Vec<_>, _>>()?;
        runs.sort_by(|a, b| (a.header.at, &a.header.run).cmp(&(b.header.at, &b.header.run)));
        Ok(runs)
    }

    /// Something is left to do, or to look at.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.header.steps.iter().all(|step| self.is_done(*step))
    }

    /// The step is done, as far as the journal knows.
    #[must_use]
    pub fn is_done(&self, step: u32) -> bool {
        self.steps.get(&step).and_then(|story| story.end.as_ref()).is_some_and(|(end, ..)| end.is_good())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        let plan = Plan {
            plan_version: 1,
            tool: Tool::default(),
            captured_at: DateTime::UNIX_EPOCH,
            target: crate::model::plan::PlanTarget::default(),
            steps: Vec::new(),
            left: Vec::new(),
        };
        Header {
            run: "r1".to_owned(),
            at: DateTime::UNIX_EPOCH,
            tool: Tool::default(),
            place: "db1:5432/shop".to_owned(),
            plan,
            steps: vec![1],
            undoes: None,
        }
    }

    fn begun(restore: Option<Change>) -> Entry {
        Entry::StepBegun { step: 1, at: DateTime::UNIX_EPOCH, restore: restore.map(Box::new), bystanders: Vec::new() }
    }

    fn ended(end: StepEnd) -> Entry {
        Entry::StepEnded { step: 1, at: DateTime::UNIX_EPOCH, end, text: String::new(), seconds: 1.0 }
    }

    #[test]
    fn a_line_cut_short_is_left_out_and_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), header()).expect("begun");
        journal.write(&begun(None)).expect("written");
        let path = journal.path().to_owned();
        let whole = std::fs::read(&path).expect("read");
        std::fs::write(&path, &whole[..whole.len() - 9]).expect("cut");
        let run = Run::read(&path).expect("a run");
        assert!(run.steps.is_empty() && run.is_unfinished());
        let mut again = Journal::reopen(&path).expect("reopened");
        again.write(&begun(None)).expect("written");
        again.write(&ended(StepEnd::Done)).expect("written");
        again.write(&Entry::Ended { at: DateTime::UNIX_EPOCH, is_complete: true }).expect("written");
        let run = Run::read(&path).expect("a run");
        assert!(run.is_done(1) && !run.is_unfinished());
    }

    #[test]
    fn what_was_there_before_the_first_attempt_is_kept() {
        let table = Name::new("public", "t");
        let first = Change::Analyze { table: table.clone() };
        let entries = vec![
            Entry::Begun(Box::new(header())),
            begun(Some(first.clone())),
            ended(StepEnd::Half),
            Entry::Resumed { at: DateTime::UNIX_EPOCH },
            begun(None),
            ended(StepEnd::Done),
        ];
        let run = Run::of(Path::new("x"), entries).expect("a run");
        assert_eq!(run.steps[&1].restore, Some(first));
        assert!(run.is_done(1));
    }

    #[test]
    fn an_attempt_that_left_nothing_is_as_none() {
        let is_begun = |entries: Vec<Entry>| {
            let all = std::iter::once(Entry::Begun(Box::new(header()))).chain(entries).collect();
            Run::of(Path::new("x"), all).expect("a run").steps[&1].is_begun
        };
        let resumed = || Entry::Resumed { at: DateTime::UNIX_EPOCH };
        assert!(!is_begun(vec![begun(None), ended(StepEnd::Failed)]));
        assert!(!is_begun(vec![begun(None), ended(StepEnd::Failed), resumed(), ended(StepEnd::Already)]));
        assert!(is_begun(vec![begun(None), resumed(), ended(StepEnd::Already)]), "it was ours");
        assert!(is_begun(vec![begun(None), resumed(), ended(StepEnd::Failed)]), "not begun again");
        assert!(is_begun(vec![begun(None), ended(StepEnd::Half), ended(StepEnd::Failed)]), "not begun again");
        assert!(!is_begun(vec![begun(None), ended(StepEnd::Half), begun(None), ended(StepEnd::Failed)]));
    }

    #[test]
    fn what_cannot_be_read_is_not_called_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Run::all(&folder.path().join("none")).expect("no folder, no runs").len(), 0);
        let unreadable = folder.path().join("r1.jsonl");
        std::fs::create_dir(&unreadable).expect("made");
        assert!(Run::all(folder.path()).expect_err("a journal").file.ends_with("r1.jsonl"));
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        assert_eq!(Run::all(&file).expect_err("no folder").file, file.display().to_string());
    }

    #[test]
    fn a_run_is_not_begun_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        Journal::begin(folder.path(), header()).expect("begun");
        assert!(Journal::begin(folder.path(), header()).is_err());
    }

    proptest! {
        #[test]
        fn damaged_journals_are_errors(at in 0usize..2000, byte in any::<u8>()) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut journal = Journal::begin(folder.path(), header()).expect("begun");
            journal.write(&begun(None)).expect("written");
            let mut bytes = std::fs::read(journal.path()).expect("read");
            let at = at % bytes.len();
            bytes[at] = byte;
            std::fs::write(journal.path(), bytes).expect("written");
            let _ = Run::read(journal.path());
        }
    }
}
