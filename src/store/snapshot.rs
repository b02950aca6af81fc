//! Snapshots on disk: JSON, compressed with zstd unless the name says otherwise.

use super::{StoreError, replace};
use crate::model::history::{HISTORY_VERSION, Run};
use crate::model::snapshot::{FORMAT_VERSION, Snapshot};
use serde::Deserialize;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Largest snapshot that is read, after decompression.
const MAX_BYTES: u64 = 4 << 30;

/// First bytes of a zstd frame (RFC 8878 §3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// First bytes of a frame that zstd skips (RFC 8878 §3.1.2): the head of a run is in one, so that any program that
/// reads zstd finds the snapshot behind it.
const HEAD_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Largest head that is read.
const MAX_HEAD: u32 = 1 << 20;

/// How a compressed snapshot's name ends.
pub(super) const EXTENSION: &str = ".json.zst";

/// Writes a snapshot whole or not at all.
/// `*.json` is written plain, anything else compressed.
pub fn write_snapshot(path: &Path, snapshot: &Snapshot) -> Result<(), StoreError> {
    let is_plain = path.extension().is_some_and(|extension| extension == "json");
    replace(path, |file| if is_plain { plain(file, snapshot) } else { compressed(file, snapshot) })
}

fn plain(file: fs::File, snapshot: &Snapshot) -> io::Result<fs::File> {
    let mut text = BufWriter::new(file);
    serde_json::to_writer(&mut text, snapshot)?;
    text.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Compressed as it is written: the whole text would need as much memory as the snapshot itself.
fn compressed<W: Write>(file: W, snapshot: &Snapshot) -> io::Result<W> {
    let mut text = BufWriter::with_capacity(1 << 16, zstd::Encoder::new(file, 3)?);
    serde_json::to_writer(&mut text, snapshot)?;
    text.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// A run of a history: its head, and its snapshot compressed.
pub fn packed(run: &Run, snapshot: &Snapshot) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(run)?;
    let length = u32::try_from(head.len()).ok().filter(|length| *length <= MAX_HEAD);
    let length = length.ok_or_else(|| io::Error::other("what is known of the run is larger than a head may be"))?;
    let mut bytes = HEAD_MAGIC.to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(head);
    compressed(bytes, snapshot)
}

/// The head of a run's file, and the file's size; none where the file is gone.
pub(super) fn read_head(path: &Path) -> Result<Option<(Run, u64)>, String> {
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| error.to_string())?,
    };
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    let cut = |error: io::Error| format!("not a run of pgassay ({error})");
    let (mut magic, mut length) = ([0; 4], [0; 4]);
    file.read_exact(&mut magic).and_then(|()| file.read_exact(&mut length)).map_err(cut)?;
    let length = u32::from_le_bytes(length);
    if magic != HEAD_MAGIC || length > MAX_HEAD {
        return Err("not a run of pgassay: it has no head".to_owned());
    }
    let mut head = Vec::new();
    file.take(u64::from(length)).read_to_end(&mut head).map_err(cut)?;
    Ok(Some((parse_head(&head)?, bytes)))
}

/// Reads what is known of a run.
pub fn parse_head(json: &[u8]) -> Result<Run, String> {
    #[derive(Deserialize)]
    struct Version {
        history_version: u32,
    }
    let fail = |error: serde_json::Error| format!("not a run of pgassay ({error})");
    let version: Version = serde_json::from_slice(json).map_err(fail)?;
    if version.history_version != HISTORY_VERSION {
        let found = version.history_version;
        return Err(format!("run of version {found}, this program reads {HISTORY_VERSION}: use a newer pgassay"));
    }
    serde_json::from_slice(json).map_err(fail)
}

/// Reads a snapshot, compressed or plain; a run of a history too.
pub fn read_snapshot(path: &Path) -> Result<Snapshot, StoreError> {
    let raw = fs::read(path).map_err(|error| StoreError::new(path, error))?;
    unpacked(raw).map_err(|message| StoreError::new(path, message))
}

/// The snapshot in these bytes.
pub fn unpacked(raw: Vec<u8>) -> Result<Snapshot, String> {
    if !raw.starts_with(&ZSTD_MAGIC) && !raw.starts_with(&HEAD_MAGIC) {
        return parse(&raw);
    }
    let mut json = Vec::new();
    let decoder = zstd::Decoder::new(raw.as_slice()).map_err(|error| error.to_string())?;
    decoder.take(MAX_BYTES).read_to_end(&mut json).map_err(|error| error.to_string())?;
    parse(&json)
}

fn parse(json: &[u8]) -> Result<Snapshot, String> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Version =
        serde_json::from_slice(json).map_err(|error| format!("not a snapshot of pgassay ({error})"))?;
    if version.format_version != FORMAT_VERSION {
        return Err(format!(
            "snapshot format {}, this program reads {FORMAT_VERSION}: use the pgassay that wrote it, or take a new one",
            version.format_version
        ));
    }
    serde_json::from_slice(json).map_err(|error| format!("damaged snapshot: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use crate::model::snapshot::{Relation, Statement};
    use crate::mutants::mutants;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn small() -> String {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        snapshot.relations = vec![Relation::default()];
        snapshot.statements = vec![Statement::default()];
        serde_json::to_string(&snapshot).expect("JSON")
    }

    #[test]
    fn what_is_written_is_read_compressed_and_plain() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        for name in ["s.json", "s.json.zst"] {
            let path = folder.path().join(name);
            write_snapshot(&path, &snapshot).expect("written");
            assert_eq!(read_snapshot(&path), Ok(snapshot.clone()));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2, "nothing is left beside them");
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        assert!(parse(br#"{"format_version": 99}"#).is_err_and(|message| message.contains("format 99")));
        assert!(parse(b"hello").is_err_and(|message| message.contains("not a snapshot")));
        assert!(parse(br#"{"format_version": 1}"#).is_err_and(|message| message.contains("damaged")));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("s");
            for magic in [ZSTD_MAGIC, HEAD_MAGIC] {
                std::fs::write(&path, [&magic[..], &bytes].concat()).expect("written");
                let _ = read_snapshot(&path);
                let _ = read_head(&path);
            }
        }

        /// Counters of two moments are compared: off by the last digit they would seem to have gone back.
        #[test]
        fn counters_are_read_as_they_were_written(ms in 0.0..1e12f64) {
            let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
            let mut statement = Statement::default();
            statement.counters.max_exec_time_ms = ms;
            snapshot.statements = vec![statement];
            let read = parse(&serde_json::to_vec(&snapshot).expect("JSON")).expect("a snapshot");
            prop_assert_eq!(read.statements[0].counters.max_exec_time_ms, ms);
        }

        #[test]
        fn no_damage_to_a_snapshot_makes_it_panic(text in mutants(vec![small()])) {
            let _ = parse(text.as_bytes());
        }
    }
}
