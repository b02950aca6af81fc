//! Reading runs: lists of heads, and one snapshot after the other. Read-only, as on any server.

use super::ArchiveError;
use super::schema::fits;
use crate::model::history::{Holdings, Kept, Stranger};
use crate::model::snapshot::Snapshot;
use crate::postgres::{Bytes, Limits, Reader, Target, Type};
use crate::store::{parse_head, unpacked};
use serde::Deserialize;
use std::time::Duration;

const VERSION: &str = "select pg_catalog.max(m.version) as version from pgassay.migration m";

const RUNS: &str = "select r.name, r.head, pg_catalog.octet_length(r.snapshot)::int8 as bytes \
                    from pgassay.run r order by r.captured_at, r.name";

const SNAPSHOT: &str = "select r.snapshot from pgassay.run r where r.captured_at = $1 and r.name = $2";

/// Snapshots may be large and the way to them slow.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Our reads wait for nobody but a partition that is being attached.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// A history in a database.
#[derive(Debug)]
pub struct Archive {
    reader: Reader,
    place: String,
}

#[derive(Deserialize)]
struct Version {
    version: Option<i32>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    head: serde_json::Value,
    bytes: i64,
}

#[derive(Deserialize)]
struct Packed {
    snapshot: Bytes,
}

impl Archive {
    /// Connects, and looks whether there is a history that this program can read.
    pub async fn connect(target: &Target, run: &str) -> Result<Self, ArchiveError> {
        let limits = Limits { jobs: 1, statement_timeout: STATEMENT_TIMEOUT, lock_timeout: LOCK_TIMEOUT };
        let archive = Self { reader: Reader::connect(target, limits, run).await?, place: target.place() };
        let versions = archive.reader.read::<Version>(VERSION, &[]).await;
        let versions = versions.map_err(|error| ArchiveError::of(&archive.place, &error))?;
        fits(&archive.place, versions.first().and_then(|row| row.version))?;
        Ok(archive)
    }

    /// What is there. Snapshots are not read.
    pub async fn holdings(&self) -> Result<Holdings, ArchiveError> {
        let rows = self.reader.read::<Row>(RUNS, &[]).await;
        let (mut runs, mut strangers) = (Vec::new(), Vec::new());
        for Row { name, head, bytes } in rows.map_err(|error| ArchiveError::of(&self.place, &error))? {
            match parse_head(head.to_string().as_bytes()) {
                Ok(run) => runs.push(Kept { name, bytes: bytes.unsigned_abs(), run }),
                Err(reason) => strangers.push(Stranger { name, reason }),
            }
        }
        Ok(Holdings::of(self.place.clone(), runs, strangers))
    }

    /// The snapshot of a run.
    pub async fn snapshot(&self, kept: &Kept) -> Result<Snapshot, ArchiveError> {
        let rows = self
            .reader
            .read::<Packed>(SNAPSHOT, &[(&kept.run.captured_at, Type::TIMESTAMPTZ), (&kept.name, Type::TEXT)])
            .await
            .map_err(|error| ArchiveError::of(&self.place, &error))?;
        let refuse = |what: String| ArchiveError::new(format!("{}: {what}", kept.name), "leave it out");
        let packed = rows.into_iter().next().ok_or_else(|| refuse("it went away meanwhile".to_owned()))?;
        unpacked(packed.snapshot.0).map_err(refuse)
    }
}
