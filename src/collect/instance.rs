//! The facets of the whole instance, read once however many databases are audited.

use super::Collector;
use super::sessions::{redacted, redacted_locks};
use crate::model::snapshot::{
    Checkpoints, Database, Facet, Io, Lock, PreparedTransaction, Progress, Replication, Role, Session, Setting, Slot,
    Snapshot, Wal,
};
use crate::postgres::Reader;

/// What was read from the instance.
pub(super) struct InstanceFacets {
    settings: Vec<Setting>,
    databases: Vec<Database>,
    sessions: Vec<Session>,
    replication: Vec<Replication>,
    locks: Vec<Lock>,
    slots: Vec<Slot>,
    io: Vec<Io>,
    checkpoints: Vec<Checkpoints>,
    wal: Vec<Wal>,
    progress: Vec<Progress>,
    roles: Vec<Role>,
    prepared_transactions: Vec<PreparedTransaction>,
}

pub(super) async fn read(collector: &Collector<'_>, reader: &Reader) -> InstanceFacets {
    let (
        sessions,
        locks,
        settings,
        databases,
        replication,
        slots,
        io,
        checkpoints,
        wal,
        progress,
        roles,
        prepared_transactions,
    ) = tokio::join!(
        collector.facet(reader, Facet::Sessions, None),
        collector.facet(reader, Facet::Locks, None),
        collector.facet(reader, Facet::Settings, None),
        collector.facet(reader, Facet::Databases, None),
        collector.facet(reader, Facet::Replication, None),
        collector.facet(reader, Facet::Slots, None),
        collector.facet(reader, Facet::Io, None),
        collector.facet(reader, Facet::Checkpoints, None),
        collector.facet(reader, Facet::Wal, None),
        collector.facet(reader, Facet::Progress, None),
        collector.facet(reader, Facet::Roles, None),
        collector.facet(reader, Facet::PreparedTransactions, None),
    );
    InstanceFacets {
        settings,
        databases,
        sessions,
        replication,
        locks,
        slots,
        io,
        checkpoints,
        wal,
        progress,
        roles,
        prepared_transactions,
    }
}

impl InstanceFacets {
    /// Puts what was read into a snapshot.
    pub(super) fn fill(self, snapshot: &mut Snapshot) {
        snapshot.settings = self.settings;
        snapshot.databases = self.databases;
        snapshot.sessions = redacted(self.sessions);
        snapshot.replication = self.replication;
        snapshot.locks = redacted_locks(self.locks);
        snapshot.slots = self.slots;
        snapshot.io = self.io;
        snapshot.checkpoints = self.checkpoints.into_iter().next();
        snapshot.wal = self.wal.into_iter().next();
        snapshot.progress = self.progress;
        snapshot.roles = self.roles;
        snapshot.prepared_transactions = self.prepared_transactions;
    }
}
