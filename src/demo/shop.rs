//! The shop: its tables, data, planted faults and workload, from `fixtures/schema/shop`.

use super::cluster::{Cluster, DemoError, Setup};
use super::workload::{Holders, Workload};
use crate::postgres::ScratchError;
use crate::progress::Progress;
use std::time::{Duration, Instant};

macro_rules! story {
    ($file:literal) => {
        include_str!(concat!("../../fixtures/schema/shop/", $file))
    };
}

/// The config that scales thresholds down to the shop.
pub const CONFIG: &str = story!("pgassay.yaml");

/// The role that makes and loads it.
pub const SUPERUSER: &str = "postgres";

/// The database.
const DATABASE: &str = "shop";

/// The role that audits it: it can read statistics and tables, and do nothing.
const AUDITOR: &str = "auditor";

/// What can go wrong in the shop.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The server.
    #[error(transparent)]
    Cluster(#[from] DemoError),
    /// A statement.
    #[error("{step}: {error}")]
    Sql {
        /// Where.
        step: String,
        /// What the server said.
        error: ScratchError,
    },
    /// A file of the story.
    #[error("workload.yaml: {0}")]
    Story(String),
}

pub(super) fn at(step: &str) -> impl FnOnce(ScratchError) -> ShopError {
    let step = step.to_owned();
    move |error| ShopError::Sql { step, error }
}

/// A shop, open for business.
#[derive(Debug)]
pub struct Shop {
    /// Its server.
    pub cluster: Cluster,
}

impl Shop {
    /// How its server is set up.
    #[must_use]
    pub fn setup() -> Setup {
        Setup::default()
            .with("shared_preload_libraries", "pg_stat_statements")
            .with("pg_stat_statements.max", "5000")
            .with("track_io_timing", "on")
            .with("fsync", "on")
            .with("full_page_writes", "on")
            .with("max_connections", "50")
    }

    /// Builds the shop on a fresh server and plants its faults.
    pub async fn build(cluster: Cluster, progress: &dyn Progress) -> Result<Self, ShopError> {
        let admin = cluster.session("postgres", SUPERUSER, "setup").await.map_err(at("connect"))?;
        admin.execute("create database shop").await.map_err(at("create the database"))?;
        admin.close().await;
        for (step, sql) in
            [("tables", story!("tables.sql")), ("data", story!("data.sql")), ("faults", story!("faults.sql"))]
        {
            progress.started(step);
            let session = cluster.session(DATABASE, SUPERUSER, "setup").await.map_err(at(step))?;
            session.execute(sql).await.map_err(at(step))?;
            // Counters reach the statistics when their session ends.
            session.close().await;
            progress.finished(step);
        }
        let shop = Self { cluster };
        shop.make_auditor().await?;
        shop.settle().await?;
        shop.leave_invalid_index().await?;
        Ok(shop)
    }

    /// Works the whole workload, and returns the sessions that stay idle in transaction.
    pub async fn work(&self, progress: &dyn Progress) -> Result<Holders, ShopError> {
        let workload = Workload::parse(story!("workload.yaml"))?;
        progress.started("workload");
        let holders = workload.hold(&self.cluster, DATABASE).await?;
        workload.run(&self.cluster, DATABASE).await?;
        self.await_statistics(&workload).await?;
        progress.finished("workload");
        Ok(holders)
    }

    /// A target text for the auditing role.
    #[must_use]
    pub fn dsn(&self) -> String {
        self.cluster.dsn(AUDITOR, DATABASE)
    }

    /// A writing session in the shop.
    pub async fn session(&self, application: &str) -> Result<crate::postgres::Scratch, ShopError> {
        self.cluster.session(DATABASE, SUPERUSER, application).await.map_err(at("connect"))
    }

    async fn make_auditor(&self) -> Result<(), ShopError> {
        let admin = self.session("setup").await?;
        let reading = if self.cluster.major >= 14 {
            format!("grant pg_read_all_data to {AUDITOR}")
        } else {
            format!(
                "grant usage on schema shop to {AUDITOR}; grant select on all tables in schema shop to {AUDITOR}; grant select on all sequences in schema shop to {AUDITOR}"
            )
        };
        let sql = format!("create role {AUDITOR} login; grant pg_monitor to {AUDITOR}; {reading}");
        admin.execute(&sql).await.map_err(at("make the auditor"))?;
        admin.close().await;
        Ok(())
    }

    /// Each statement alone: VACUUM bears no transaction.
    async fn settle(&self) -> Result<(), ShopError> {
        let admin = self.session("setup").await?;
        for sql in story!("settle.sql").split(';').filter(|sql| !sql.trim().is_empty()) {
            admin.execute(sql).await.map_err(at("settle"))?;
        }
        admin.close().await;
        Ok(())
    }

    /// A unique index that meets duplicates stays behind, invalid: that is the fault.
    async fn leave_invalid_index(&self) -> Result<(), ShopError> {
        let admin = self.session("setup").await?;
        let outcome = admin.execute(story!("invalid_index.sql")).await;
        admin.close().await;
        match outcome {
            Err(error) if error.sqlstate.as_deref() == Some("23505") => Ok(()),
            Err(error) => Err(at("invalid_index")(error)),
            Ok(()) => Err(ShopError::Story("invalid_index.sql was expected to meet duplicates".to_owned())),
        }
    }

    /// Waits until the workload's last counters have arrived: up to 14 they travel through a process
    /// of their own.
    async fn await_statistics(&self, workload: &Workload) -> Result<(), ShopError> {
        let session = self.session("setup").await?;
        let wanted = format!(
            "select coalesce((select seq_scan from pg_stat_user_tables where relid = 'shop.events'::regclass), 0) >= {}",
            workload.calls_of("visitor_trail")
        );
        let since = Instant::now();
        while session.value(&wanted).await.map_err(at("statistics"))?.as_deref() != Some("t") {
            if since.elapsed() > Duration::from_secs(10) {
                return Err(ShopError::Story("the statistics of the workload did not arrive within 10 s".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        session.close().await;
        // What came with them is at most one flush behind.
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(())
    }
}
