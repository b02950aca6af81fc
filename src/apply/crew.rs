//! The sessions of a run: one that changes, one that holds the lock of the database, and a reader that
//! looks on. And what is seen of the server before anything is begun.

use crate::ddl::{Site, qualified, quoted, strayed};
use crate::model::adoption::{SeenKeys, SeenObstacle, SeenTable};
use crate::model::blueprint::SeenOriginal;
use crate::model::catalog::{Behind, Catalog, Holder, SeenPartitioned, SeenRelation, SeenServer, Strayed};
use crate::model::partition::{Likeness, Range, SeenOwn};
use crate::model::plan::{Change, Name, Plan};
use crate::model::split::Oldest;
use crate::postgres::{self, ConnectError, ReadError, Reader, Target, ToSql, Type, Writer, pick};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::time::Duration;

/// Key of the advisory lock that one run holds per database: `pgassay` in ASCII.
const LOCK_KEY: i64 = 0x0070_6761_7373_6179;

/// Sessions asked in turn for their process: a pooler that hands them out per transaction gives itself away.
const PROBES: usize = 10;

/// Looks at a catalog are tried again while somebody locks a table.
const LOOKS: usize = 20;

/// What a session of ours is at.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Activity {
    pub(super) state: Option<String>,
    pub(super) is_waiting: Option<bool>,
    pub(super) phase: Option<String>,
    pub(super) done: Option<i64>,
    pub(super) total: Option<i64>,
    pub(super) locker_pid: Option<i32>,
}

/// A session of an earlier run of ours that still works.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Orphan {
    pub(super) pid: i32,
    pub(super) application: String,
}

/// Reads what a change needs to know. Cannot write.
#[derive(Debug)]
pub struct Scout {
    reader: Reader,
}

/// `query_canceled`, as by a statement_timeout.
const TIMED_OUT: &str = "57014";

/// SQLSTATE of a missing privilege.
const NOT_OURS: &str = "42501";

/// Keys that are looked at from each end of a table: UUIDs of another version than 7 are mostly chance, and lie there.
const KEYS: u32 = 100;

impl Scout {
    /// Opens its session.
    pub async fn connect(target: &Target, run: &str) -> Result<Self, ConnectError> {
        let limits = postgres::Limits { jobs: 1, ..postgres::Limits::default() };
        Ok(Self { reader: Reader::connect(target, limits, run).await? })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        query: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<T>, ReadError> {
        let query = pick(query, 0, 0).ok_or_else(|| ReadError {
            message: format!("no {query}.sql"),
            sqlstate: None,
            position: None,
        })?;
        self.reader.read(query.sql, params).await
    }

    async fn named<'a, T: DeserializeOwned>(
        &self,
        query: &str,
        names: impl IntoIterator<Item = &'a Name>,
    ) -> Result<Vec<T>, ReadError> {
        let (schemas, names): (Vec<&str>, Vec<&str>) =
            names.into_iter().map(|name| (name.schema.as_str(), name.name.as_str())).unzip();
        self.ask(query, &[(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)]).await
    }

    /// The server.
    pub async fn server(&self) -> Result<SeenServer, ReadError> {
        let none =
            || ReadError { message: "the server said nothing of itself".to_owned(), sqlstate: None, position: None };
        self.ask("change_server", &[]).await?.pop().ok_or_else(none)
    }

    /// The cluster's identity; none when the role may not read it.
    async fn system_identifier(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Row {
            system_identifier: Option<String>,
        }
        self.ask::<Row>("system_identifier", &[]).await.ok()?.pop()?.system_identifier
    }

    /// The objects of these changes. A table that somebody locks for a moment is looked at again.
    pub(super) async fn catalog(&self, changes: &[&Change]) -> Result<Catalog, ReadError> {
        let mut look = 0;
        loop {
            look += 1;
            match self.look(changes).await {
                Err(error) if error.sqlstate.as_deref() != Some("55P03") => return Err(error),
                Err(error) if look >= LOOKS => {
                    let message = "a table of this plan is locked exclusively, and its indexes cannot be read: \
                                   try again when that is over";
                    return Err(ReadError { message: message.to_owned(), ..error });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
                seen => return seen,
            }
        }
    }

    async fn look(&self, changes: &[&Change]) -> Result<Catalog, ReadError> {
        let tables = changes.iter().map(|change| change.table().clone());
        let wished = changes.iter().map(|change| change.object().clone());
        let leaves = changes.iter().filter_map(|change| change.index()).flat_map(|index| &index.leaves);
        let more = changes.iter().flat_map(|change| change.more_names()).cloned();
        let names = tables.chain(wished).chain(leaves.map(|leaf| leaf.index.clone())).chain(more);
        let names: BTreeSet<Name> = names.collect();
        let relations: Vec<crate::model::catalog::SeenRelation> = self.named("change_relations", &names).await?;
        // Reading a definition takes a lock on the table: where it is of no interest, nobody waits for that.
        let indexed: BTreeSet<&Name> = changes.iter().filter_map(|change| Some(&change.index()?.table)).collect();
        let is_table = |kind: &str| matches!(kind, "r" | "p" | "m");
        let own = relations.iter().filter(|row| is_table(&row.kind));
        let own = own.map(|row| (Name::new(&row.schema, &row.name), row.parent_name.is_some()));
        let wanted =
            |(name, is_partition): &(Name, bool)| indexed.contains(name) || (*is_partition && !indexed.is_empty());
        let tables: BTreeSet<Name> = own.filter(wanted).map(|(name, _)| name).collect();
        Ok(Catalog {
            indexes: self.named("change_indexes", &tables).await?,
            statistics: self.named("change_statistics", &names).await?,
            relations,
        })
    }

    /// Everything that pre-flight judges, but for what only a writing session can tell.
    pub async fn site(&self, plan: &Plan) -> Result<Site, ReadError> {
        let changes: Vec<&Change> = plan.steps.iter().map(|step| &step.change).collect();
        Ok(Site {
            server: self.server().await?,
            system_identifier: self.system_identifier().await,
            is_read_only: false,
            is_pooled: false,
            catalog: self.catalog(&changes).await?,
            holders: self.ask("change_waits", &[]).await?,
            behind: self.behind().await?,
            leftovers: self.ask("change_leftovers", &[]).await?,
        })
    }

    /// What a table is beyond its columns; none where it is gone.
    pub async fn likeness(&self, table: &Name) -> Result<Option<Likeness>, ReadError> {
        Ok(self.likenesses(std::slice::from_ref(table)).await?.and_then(|mut found| found.pop()))
    }

    /// The same of several tables, in their order; none where one is gone.
    pub async fn likenesses(&self, tables: &[Name]) -> Result<Option<Vec<Likeness>>, ReadError> {
        let mut found: Vec<Likeness> = self.named("change_likeness", tables).await?;
        let own: Vec<SeenOwn> = self.named("change_own", tables).await?;
        let is_whole = found.len() == tables.len() && own.len() == tables.len();
        found.iter_mut().zip(own).for_each(|(likeness, own)| likeness.alone = own.alone);
        Ok(is_whole.then_some(found))
    }

    /// All that a table is made of; none where there is no such table.
    pub async fn table(&self, table: &Name) -> Result<Option<SeenOriginal>, ReadError> {
        let name = [(&table.schema as &(dyn ToSql + Sync), Type::TEXT), (&table.name, Type::TEXT)];
        Ok(self.ask("change_table", &name).await?.pop())
    }

    /// What decides how a partition of a table is made; none where it is gone.
    pub async fn partitioned(&self, table: &Name) -> Result<Option<SeenPartitioned>, ReadError> {
        let name = [(&table.schema as &(dyn ToSql + Sync), Type::TEXT), (&table.name, Type::TEXT)];
        Ok(self.ask("change_partitioned", &name).await?.pop())
    }

    /// A table that is to be adopted, and its key column; none where it is gone.
    pub async fn adoptable(&self, table: &Name, key: &str) -> Result<Option<SeenTable>, ReadError> {
        Ok(self.ask("change_adoption", &keyed(table, &key)).await?.pop())
    }

    /// What stands in the way of that.
    pub async fn obstacles(&self, table: &Name, key: &str) -> Result<Vec<SeenObstacle>, ReadError> {
        self.ask("change_adoption_obstacles", &keyed(table, &key)).await
    }

    /// Some keys of a table from both ends: read at once by an index, else with all of the table. None where they were not
    /// found in time, or are not ours to read.
    pub async fn keys(&self, table: &Name, column: &str) -> Result<Option<SeenKeys>, ReadError> {
        let keys = match self.end(table, column, "", KEYS).await {
            Ok(least) => self.end(table, column, "desc", KEYS).await.map(|greatest| SeenKeys { least, greatest }),
            Err(error) => Err(error),
        };
        match keys {
            Ok(keys) => Ok(Some(keys)),
            Err(error) if matches!(error.sqlstate.as_deref(), Some(TIMED_OUT | NOT_OURS)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, table: &Name, column: &str, order: &str, count: u32) -> Result<Vec<String>, ReadError> {
        #[derive(Deserialize)]
        struct Row {
            key: String,
        }
        // Of a uuid there is no min() before 18.
        let sql = format!(
            "select x.{0}::text as key from only {1} x where x.{0} is not null order by x.{0} {order} limit {count}",
            quoted(column),
            qualified(table)
        );
        Ok(self.reader.read::<Row>(&sql, &[]).await?.into_iter().map(|row| row.key).collect())
    }

    /// What keeps a table's wide partition from being split.
    pub async fn split_obstacles(&self, table: &Name) -> Result<Vec<SeenObstacle>, ReadError> {
        let name = [(&table.schema as &(dyn ToSql + Sync), Type::TEXT), (&table.name, Type::TEXT)];
        self.ask("change_split_obstacles", &name).await
    }

    /// The least value of a table's column, in UTC and ISO: read at once by an index, else with all of the table.
    pub async fn oldest(&self, table: &Name, column: &str) -> Result<Oldest, ReadError> {
        match self.end(table, column, "", 1).await {
            Ok(mut keys) => Ok(keys.pop().map_or(Oldest::NoRows, Oldest::Key)),
            Err(error) if error.sqlstate.as_deref() == Some(TIMED_OUT) => Ok(Oldest::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The relations of these names, and all partitions below them.
    pub async fn relations(&self, names: &[Name]) -> Result<Vec<SeenRelation>, ReadError> {
        self.named("change_relations", names).await
    }

    /// Rows of a DEFAULT partition that are of one of these ranges.
    pub async fn strayed(&self, default: &Name, key: &str, ranges: &[&Range]) -> Result<Vec<Strayed>, ReadError> {
        match strayed(default, key, ranges) {
            Some(sql) => self.reader.read(&sql, &[]).await,
            None => Ok(Vec::new()),
        }
    }

    /// Standbys and slots.
    pub(super) async fn behind(&self) -> Result<Vec<Behind>, ReadError> {
        self.ask("change_replication", &[]).await
    }

    /// What a session is at; none when it is gone.
    pub(super) async fn activity(&self, pid: i32) -> Result<Option<Activity>, ReadError> {
        Ok(self.ask("change_activity", &[(&pid, Type::INT4)]).await?.pop())
    }

    /// For whom a session waits.
    pub(super) async fn blockers(&self, pid: i32) -> Result<Vec<Holder>, ReadError> {
        self.ask("change_blockers", &[(&pid, Type::INT4)]).await
    }

    /// Sessions of earlier runs of ours that still work.
    pub(super) async fn orphans(&self) -> Result<Vec<Orphan>, ReadError> {
        self.ask("change_orphans", &[]).await
    }

    /// Cancels what a session of ours is doing.
    pub(super) async fn cancel(&self, pid: i32) -> Result<(), ReadError> {
        #[derive(Deserialize)]
        struct Row {}
        let sql = "select pg_catalog.pg_cancel_backend($1) as is_sent";
        self.reader.read::<Row>(sql, &[(&pid, Type::INT4)]).await.map(|_| ())
    }
}

fn keyed<'a>(table: &'a Name, key: &'a &'a str) -> [(&'a (dyn ToSql + Sync), Type); 3] {
    [(&table.schema, Type::TEXT), (&table.name, Type::TEXT), (key, Type::TEXT)]
}

/// The sessions of a run.
#[derive(Debug)]
pub struct Crew {
    target: Target,
    run: String,
    /// The application name of the session that changes.
    pub(super) application: String,
    pub(super) scout: Scout,
    pub(super) worker: Writer,
    keeper: Writer,
    /// A transaction pooler stands between.
    is_pooled: bool,
}

impl Crew {
    /// Opens the sessions of a run. Through a pooler they stay as they are: settings of ours would be found
    /// by the application.
    pub async fn connect(target: &Target, run: &str) -> Result<Self, ConnectError> {
        let application = application(run);
        let mut crew = Self {
            scout: Scout::connect(target, run).await?,
            worker: Writer::connect(target, &application).await?,
            keeper: Writer::connect(target, &keeper(run)).await?,
            is_pooled: false,
            target: target.clone(),
            run: run.to_owned(),
            application,
        };
        let failed = |error| unsettled(target, error);
        crew.is_pooled = crew.probe().await.map_err(failed)?;
        if !crew.is_pooled {
            crew.worker.settle().await.map_err(failed)?;
            crew.keeper.settle().await.map_err(failed)?;
        }
        Ok(crew)
    }

    /// Everything that pre-flight judges.
    pub async fn site(&self, plan: &Plan) -> Result<Site, ReadError> {
        let site = self.scout.site(plan).await?;
        let read_only = self.worker.value("show transaction_read_only").await?;
        // Nobody can write on a standby; that is said once.
        let is_read_only = read_only.as_deref() == Some("on") && !site.server.is_standby;
        Ok(Site { is_read_only, is_pooled: self.is_pooled, ..site })
    }

    /// A pooler that gives a server's session away after each transaction stands between: two sessions of
    /// ours reach the same process, one of ours changes its process, or a process that is ours is not where
    /// we look. A busy pooler may escape this; that is why a plan wants a direct address.
    async fn probe(&self) -> Result<bool, ReadError> {
        const PID: &str = "select pg_catalog.pg_backend_pid()";
        for _ in 0..PROBES {
            let (worker, keeper) = (self.worker.value(PID).await?, self.keeper.value(PID).await?);
            if worker == keeper
                || worker != Some(self.worker.pid.to_string())
                || keeper != Some(self.keeper.pid.to_string())
            {
                return Ok(true);
            }
        }
        Ok(self.scout.activity(self.worker.pid).await?.is_none())
    }

    /// Takes the lock of the database, or says who has it. Never waits: a session that waits for an
    /// advisory lock holds a snapshot, for which a concurrent build would wait in turn.
    pub async fn lock(&self) -> Result<Result<(), String>, ReadError> {
        let sql = format!("select pg_catalog.pg_try_advisory_lock({LOCK_KEY})");
        for _ in 0..10 {
            if self.keeper.value(&sql).await?.as_deref() == Some("t") {
                return Ok(Ok(()));
            }
            // The session of a run that has just ended may take a moment to go.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let (high, low) = (LOCK_KEY >> 32, LOCK_KEY & 0xffff_ffff);
        let sql = format!(
            "select 'pid ' || l.pid || ' (' || coalesce(a.application_name, 'unknown') || ')' from pg_catalog.pg_locks l \
             left join pg_catalog.pg_stat_activity a on a.pid = l.pid where l.locktype = 'advisory' and l.granted \
             and l.classid = {high} and l.objid = {low} and l.database = \
             (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())"
        );
        let who = self.keeper.value(&sql).await?.unwrap_or_else(|| "another session".to_owned());
        Ok(Err(format!("another run is at work in this database: {who}")))
    }

    /// Replaces the session that changes, after it was lost.
    pub(super) async fn replace_worker(&mut self) -> Result<(), String> {
        self.worker = self.hire(&self.application).await.map_err(|error| error.to_string())?;
        self.keep_lock().await
    }

    /// Takes the lock of the database again where its session was lost: with the server, or because somebody
    /// ends idle ones.
    pub(super) async fn keep_lock(&mut self) -> Result<(), String> {
        if self.keeper.value("select 1").await.is_ok() {
            return Ok(());
        }
        self.keeper = self.hire(&keeper(&self.run)).await.map_err(|error| error.to_string())?;
        self.lock().await.map_err(|error| error.message)?
    }

    async fn hire(&self, application: &str) -> Result<Writer, ConnectError> {
        let writer = Writer::connect(&self.target, application).await?;
        writer.settle().await.map_err(|error| unsettled(&self.target, error))?;
        Ok(writer)
    }

    /// Ends all sessions.
    pub async fn dismiss(self) {
        self.worker.close().await;
        self.keeper.close().await;
    }
}

fn unsettled(target: &Target, error: ReadError) -> ConnectError {
    let next = "connect to the server itself and not through a pooler".to_owned();
    ConnectError { place: target.place(), cause: error.message, next, sqlstate: error.sqlstate }
}

/// The application name of the session that holds the lock.
fn keeper(run: &str) -> String {
    format!("pgassay/{run}")
}

/// The application name of the session that changes, in this run.
#[must_use]
pub fn application(run: &str) -> String {
    format!("pgassay/apply/{run}")
}
