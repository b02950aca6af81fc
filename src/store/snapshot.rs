//! Snapshots on disk: JSON, compressed with zstd unless the name says otherwise.

use super::{StoreError, replace};
use crate::model::snapshot::{FORMAT_VERSION, Snapshot};
use serde::Deserialize;
use std::fs;
use std::io::{self, BufWriter, Read};
use std::path::Path;

/// Largest snapshot that is read, after decompression.
const MAX_BYTES: u64 = 4 << 30;

/// First bytes of a zstd frame (RFC 8878 §3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

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
fn compressed(file: fs::File, snapshot: &Snapshot) -> io::Result<fs::File> {
    let mut text = BufWriter::with_capacity(1 << 16, zstd::Encoder::new(file, 3)?);
    serde_json::to_writer(&mut text, snapshot)?;
    text.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// Reads a snapshot, compressed or plain.
pub fn read_snapshot(path: &Path) -> Result<Snapshot, StoreError> {
    let fail = |error: &dyn std::fmt::Display| StoreError::new(path, error);
    let raw = fs::read(path).map_err(|error| fail(&error))?;
    let mut json = Vec::new();
    if raw.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::Decoder::new(raw.as_slice()).map_err(|error| fail(&error))?;
        decoder.take(MAX_BYTES).read_to_end(&mut json).map_err(|error| fail(&error))?;
    } else {
        json = raw;
    }
    parse(&json).map_err(|message| StoreError::new(path, message))
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
            let mut framed = ZSTD_MAGIC.to_vec();
            framed.extend(&bytes);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("s");
            std::fs::write(&path, framed).expect("written");
            let _ = read_snapshot(&path);
        }

        #[test]
        fn no_damage_to_a_snapshot_makes_it_panic(text in mutants(vec![small()])) {
            let _ = parse(text.as_bytes());
        }
    }
}
