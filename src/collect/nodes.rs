//! Standbys: their own counters of what is used, so that an index that only they use is not called
//! unused.

use super::{Access, CollectError, Scope, rows, server};
use crate::model::snapshot::{Database, Index, IndexUse, Node, Relation, RelationUse, Snapshot};
use crate::postgres::{ReadError, Reader, Target};

/// Reads every replica of the scope into the snapshot.
pub(super) async fn fill(access: Access<'_>, scope: &Scope, snapshot: &mut Snapshot) -> Result<(), CollectError> {
    for replica in &scope.replicas {
        for (number, database) in snapshot.audited.clone().iter().enumerate() {
            let target = replica.clone().with_database(database);
            let node = node(access, &target, snapshot).await?;
            if number == 0 {
                snapshot.nodes.push(node);
            } else if let Some(known) = snapshot.nodes.last_mut() {
                known.indexes.extend(node.indexes);
                known.relations.extend(node.relations);
            }
        }
    }
    Ok(())
}

async fn node(access: Access<'_>, target: &Target, snapshot: &Snapshot) -> Result<Node, CollectError> {
    let mut reader = Reader::connect(target, access.limits, access.run).await?;
    let failed = |error: ReadError| CollectError::Read { place: target.place(), error };
    let own = server(&mut reader).await.map_err(failed)?;
    let ours = &snapshot.server.system_identifier;
    if own.system_identifier.is_none() || own.system_identifier != *ours {
        return Err(CollectError::Stranger(format!(
            "{} is no copy of the audited server: its system identifier is {}, not {}",
            target.place(),
            own.system_identifier.as_deref().unwrap_or("hidden"),
            ours.as_deref().unwrap_or("known"),
        )));
    }
    let major = own.major();
    let (indexes, relations, databases) = tokio::join!(
        rows::<Index>(&reader, "indexes", major),
        rows::<Relation>(&reader, "relations", major),
        rows::<Database>(&reader, "databases", major),
    );
    let databases = databases.map_err(failed)?;
    Ok(Node {
        name: format!("{}:{}", target.host, target.port),
        is_standby: own.is_standby,
        started_at: own.started_at,
        stats_reset: databases.iter().find(|database| database.is_current).and_then(|database| database.stats_reset),
        indexes: indexes.map_err(failed)?.into_iter().filter(|index| index.scans > 0).map(index_use).collect(),
        relations: relations
            .map_err(failed)?
            .into_iter()
            .filter(|relation| relation.seq_scans + relation.index_scans > 0)
            .map(relation_use)
            .collect(),
    })
}

fn index_use(index: Index) -> IndexUse {
    IndexUse {
        database: index.database,
        schema: index.schema,
        name: index.name,
        scans: index.scans,
        last_scan: index.last_scan,
    }
}

fn relation_use(relation: Relation) -> RelationUse {
    RelationUse {
        database: relation.database,
        schema: relation.schema,
        name: relation.name,
        seq_scans: relation.seq_scans,
        seq_tuples_read: relation.seq_tuples_read,
        index_scans: relation.index_scans,
    }
}
