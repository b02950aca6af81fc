//! A history in a folder: a file for each run, which is a snapshot with what is known of the run before it. Writers
//! rename whole files into place and readers lock nothing, so that any number of both may be at work.

use super::snapshot::{self, EXTENSION};
use super::{StoreError, write_whole};
use crate::model::history::{Holdings, Kept, Run, Stranger, is_run_name};
use crate::model::snapshot::Snapshot;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// At this path; it is made with the first run.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Keeps a run and returns its file. The same snapshot again takes the place of itself.
    pub fn keep(&self, run: &Run, snapshot: &Snapshot) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.path).map_err(|error| StoreError::new(&self.path, error))?;
        let path = self.file(&run.name());
        let bytes = snapshot::packed(run, snapshot).map_err(|error| StoreError::new(&path, error))?;
        write_whole(&path, &bytes)?;
        Ok(path)
    }

    /// What is there. Of each run only its head is read.
    pub fn holdings(&self) -> Result<Holdings, StoreError> {
        let fail = |error: std::io::Error| StoreError::new(&self.path, error);
        let (mut runs, mut strangers) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let mut stranger = |reason: String| strangers.push(Stranger { name: file.clone(), reason });
            let Some(name) = file.strip_suffix(EXTENSION).filter(|name| is_run_name(name)) else {
                stranger("no run by its name".to_owned());
                continue;
            };
            // A file that went away since the folder was listed was pruned by somebody else.
            match snapshot::read_head(&entry.path()) {
                Ok(Some((run, bytes))) => runs.push(Kept { name: name.to_owned(), bytes, run }),
                Ok(None) => {}
                Err(reason) => stranger(reason),
            }
        }
        Ok(Holdings::of(self.path.display().to_string(), runs, strangers))
    }

    /// The file of a run.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{EXTENSION}"))
    }

    /// Removes a run; one that is gone already is no mistake.
    pub fn remove(&self, kept: &Kept) -> Result<(), StoreError> {
        let path = self.file(&kept.name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::new(&path, error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{TargetInfo, Tool};
    use crate::store::read_snapshot;
    use chrono::{DateTime, TimeDelta};

    fn snapshot(name: &str, hour: i64) -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH + TimeDelta::hours(hour));
        snapshot.target = TargetInfo { name: name.to_owned(), ..TargetInfo::default() };
        snapshot
    }

    fn keep(folder: &Folder, snapshot: &Snapshot) -> PathBuf {
        folder.keep(&Run::of(snapshot, snapshot.captured_at, None), snapshot).expect("kept")
    }

    #[test]
    fn runs_of_several_targets_lie_side_by_side_and_are_snapshots() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(&temporary.path().join("new/history"));
        let path = keep(&folder, &snapshot("shop", 2));
        keep(&folder, &snapshot("crm", 1));
        assert_eq!(keep(&folder, &snapshot("shop", 2)), path, "the same snapshot twice is one run");
        let holdings = folder.holdings().expect("listed");
        let names: Vec<&str> = holdings.runs.iter().map(|kept| kept.run.target.name.as_str()).collect();
        assert_eq!((names, holdings.strangers.len()), (vec!["crm", "shop"], 0));
        assert_eq!(read_snapshot(&path), Ok(snapshot("shop", 2)));
        for kept in &holdings.runs {
            folder.remove(kept).expect("removed");
            folder.remove(kept).expect("gone already");
        }
        assert!(folder.holdings().expect("listed").runs.is_empty());
    }

    #[test]
    fn what_is_not_ours_or_damaged_is_told_and_hinders_nothing() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(temporary.path());
        let path = keep(&folder, &snapshot("shop", 1));
        let whole = fs::read(&path).expect("read");
        let write = |name: &str, bytes: &[u8]| fs::write(temporary.path().join(name), bytes).expect("written");
        write("notes.txt", b"hello");
        write("20261120T073000Z_shop_0a1b2c3d.json.partial", b"");
        write("20261120T073000Z_empty_0a1b2c3d.json.zst", b"");
        write("20261120T073000Z_cut_0a1b2c3d.json.zst", &whole[..20]);
        write("20261120T073000Z_other_0a1b2c3d.json.zst", b"P*M\x18\x02\0\0\0{}");
        fs::create_dir(temporary.path().join("20261120T073000Z_folder_0a1b2c3d.json.zst")).expect("made");
        let holdings = folder.holdings().expect("listed");
        assert_eq!(holdings.runs.len(), 1);
        assert_eq!(holdings.strangers.len(), 6, "{:#?}", holdings.strangers);
        let nowhere = Folder::at(&temporary.path().join("nowhere")).holdings();
        assert!(nowhere.is_err_and(|error| error.message.contains("No such file")));
    }
}
