//! An audit, or a comparison, as metrics of Prometheus. What is of databases, statements and tables is of the largest few,
//! and texts stand in one metric alone: no label grows without bound.

use super::prometheus::{Labels, Sample, metric};
use super::prometheus_pools::poolers;
use super::words::cut_flat;
use crate::model::finding::Severity;
use crate::model::verdict::{Diff, Verdict};
use crate::model::vitals::{
    DatabaseVitals, RunwayVitals, SessionVitals, StatementLoad, StatementVitals, TableVitals, Vitals,
};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Databases that are told, the largest, and tables with a runway, those whose partitions end first.
const TOLD: usize = 50;

/// Longest statement, in characters.
const STATEMENT: usize = 200;

/// Milliseconds of a second.
const MILLIS: f64 = 1000.0;

/// States of sessions that are told when there are none of them.
const STATES: [&str; 3] = ["active", "idle", "idle in transaction"];

/// And what sessions wait for.
const WAITS: [&str; 3] = ["IO", "LWLock", "Lock"];

/// Writes the metrics of a verdict.
pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let target: Labels = vec![("target", verdict.target.name.clone())];
    let mut page = Page { target, is_lifetime: !verdict.window.is_delta, out };
    match &verdict.diff {
        // Names of its own: its file lies beside that of an audit.
        Some(diff) => page.comparison(verdict, diff),
        None => {
            page.run(verdict)?;
            page.findings(verdict)?;
            page.vitals(&verdict.vitals)
        }
    }
}

/// Where metrics are written, and what all of them bear.
struct Page<'a> {
    target: Labels,
    /// Counters go on from their reset; else they are of a window, and no counters of Prometheus.
    is_lifetime: bool,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn labels(&self, own: &[(&'static str, &str)]) -> Labels {
        let own = own.iter().map(|(label, text)| (*label, (*text).to_owned()));
        self.target.iter().cloned().chain(own).collect()
    }

    fn one(&mut self, name: &str, help: &str, value: f64) -> io::Result<()> {
        metric(self.out, name, help, vec![(self.target.clone(), value)])
    }

    fn many(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> io::Result<()> {
        if name.ends_with("_total") && !self.is_lifetime {
            return Ok(());
        }
        metric(self.out, name, help, samples)
    }

    /// Which server, when, and how far the run came.
    #[allow(clippy::cast_precision_loss, reason = "times and counts")]
    fn run(&mut self, verdict: &Verdict) -> io::Result<()> {
        let standby = if verdict.server.is_standby { "true" } else { "false" };
        let about = [
            ("host", verdict.target.host.as_str()),
            ("database", verdict.target.database.as_str()),
            ("server_version", verdict.server.version.as_str()),
            ("is_standby", standby),
            ("tool_version", verdict.tool.version.as_str()),
        ];
        let about = vec![(self.labels(&about), 1.0)];
        self.many("pgassay_target_info", "What was audited", about)?;
        self.one(
            "pgassay_captured_timestamp_seconds",
            "When the server was read, by its clock, Unix time",
            verdict.captured_at.timestamp() as f64,
        )?;
        self.one(
            "pgassay_window_seconds",
            "Time that the counters of statements are known to cover",
            verdict.window.seconds() as f64,
        )?;
        self.one("pgassay_audit_success", "No facet and no rule failed: 1", flag(!verdict.is_incomplete()))?;
        self.one("pgassay_gaps", "What was not read, in facets or parts of them", verdict.gaps.len() as f64)?;
        let rules = ["passed", "found", "waived", "skipped", "failed"]
            .map(|status| (self.labels(&[("status", status)]), verdict.rules_that(status) as f64));
        self.many("pgassay_rules", "Rules by how they ended", rules.to_vec())
    }

    #[allow(clippy::cast_precision_loss, reason = "counts")]
    fn findings(&mut self, verdict: &Verdict) -> io::Result<()> {
        let found = [Severity::Critical, Severity::Warning, Severity::Info]
            .map(|severity| (self.labels(&[("severity", severity.name())]), verdict.count(severity) as f64));
        self.many("pgassay_findings", "Open findings", found.to_vec())?;
        let rules = self.by_rule(verdict, &[]);
        self.many("pgassay_rule_findings", "Open findings of a rule that has some", rules)?;
        self.one("pgassay_findings_waived", "Findings that a waiver accepts", verdict.waived().count() as f64)?;
        self.one("pgassay_findings_gating", "Findings that make the run fail", gating(verdict))?;
        match verdict.new_count() {
            Some(new) => self.one("pgassay_findings_new", "Open findings that the baseline lacks", new as f64),
            None => Ok(()),
        }
    }

    /// Open findings by rule and severity.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    fn by_rule(&self, verdict: &Verdict, more: &[(&'static str, &str)]) -> Vec<Sample> {
        let mut counts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        for finding in verdict.open() {
            *counts.entry((&finding.area, &finding.rule, finding.severity.name())).or_default() += 1;
        }
        let sample = |((area, rule, severity), count): ((&str, &str, &str), usize)| {
            let own = [&[("area", area), ("rule", rule), ("severity", severity)], more].concat();
            (self.labels(&own), count as f64)
        };
        counts.into_iter().map(sample).collect()
    }

    /// What a comparison found.
    #[allow(clippy::cast_precision_loss, reason = "times and counts")]
    fn comparison(&mut self, verdict: &Verdict, diff: &Diff) -> io::Result<()> {
        self.one(
            "pgassay_diff_captured_timestamp_seconds",
            "When HEAD was read, by its clock, Unix time",
            verdict.captured_at.timestamp() as f64,
        )?;
        self.one("pgassay_diff_success", "No facet and no rule failed: 1", flag(!verdict.is_incomplete()))?;
        self.one("pgassay_regressions", "Open findings of the comparison", verdict.open().count() as f64)?;
        self.one("pgassay_regressions_gating", "Regressions that make the run fail", gating(verdict))?;
        let rules = self.by_rule(verdict, &[("gate", diff.gate)]);
        self.many("pgassay_rule_regressions", "Open findings of a rule that has some", rules)?;
        let sides = [("matched", diff.matched), ("new", diff.new), ("gone", diff.gone)];
        let sides = sides.map(|(side, count)| (self.labels(&[("side", side)]), count as f64));
        self.many("pgassay_diff_statements", "Statements of both sides, of HEAD alone, of BASE alone", sides.to_vec())
    }

    fn vitals(&mut self, vitals: &Vitals) -> io::Result<()> {
        if let Some(databases) = &vitals.databases {
            self.databases(databases)?;
        }
        if let Some(sessions) = &vitals.sessions {
            self.sessions(sessions)?;
        }
        if let Some(statements) = &vitals.statements {
            self.statements(statements)?;
        }
        self.tables(vitals.tables.as_deref().unwrap_or_default())?;
        self.runways(vitals.partitioned_tables.as_deref().unwrap_or_default())?;
        poolers(vitals.poolers.as_deref().unwrap_or_default(), &self.target, self.out)
    }

    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn databases(&mut self, all: &[DatabaseVitals]) -> io::Result<()> {
        type Column = (&'static str, &'static str, fn(&DatabaseVitals) -> Option<f64>);
        const COLUMNS: [Column; 8] = [
            ("pgassay_database_size_bytes", "Size on disk", |row| row.size_bytes.map(|bytes| bytes as f64)),
            (
                "pgassay_database_cache_hit_ratio",
                "Share of blocks found in shared buffers, of those asked for in the window",
                |row| row.cache_hit_ratio,
            ),
            ("pgassay_database_blocks_hit_total", "Blocks found in shared buffers", |row| Some(row.blocks_hit as f64)),
            ("pgassay_database_blocks_read_total", "Blocks read from the operating system", |row| {
                Some(row.blocks_read as f64)
            }),
            ("pgassay_database_commits_total", "Transactions committed", |row| Some(row.commits as f64)),
            ("pgassay_database_rollbacks_total", "Transactions rolled back", |row| Some(row.rollbacks as f64)),
            ("pgassay_database_temp_bytes_total", "Written to temporary files", |row| Some(row.temp_bytes as f64)),
            ("pgassay_database_deadlocks_total", "Deadlocks detected", |row| Some(row.deadlocks as f64)),
        ];
        let mut told: Vec<&DatabaseVitals> = all.iter().collect();
        // Stable: of the same size the names stay in order.
        told.sort_by_key(|row| std::cmp::Reverse((row.is_audited, row.size_bytes)));
        told.truncate(TOLD);
        for (name, help, of) in COLUMNS {
            let samples = told.iter().filter_map(|row| Some((self.labels(&[("database", &row.database)]), of(row)?)));
            self.many(name, help, samples.collect())?;
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
    fn sessions(&mut self, sessions: &SessionVitals) -> io::Result<()> {
        let counted = |page: &Self, label, always: &[&str], seen: &BTreeMap<String, usize>| -> Vec<Sample> {
            let mut all: BTreeMap<&str, usize> = always.iter().map(|name| (*name, 0)).collect();
            all.extend(seen.iter().map(|(name, count)| (name.as_str(), *count)));
            all.into_iter().map(|(name, count)| (page.labels(&[(label, name)]), count as f64)).collect()
        };
        let states = counted(self, "state", &STATES, &sessions.by_state);
        self.many("pgassay_sessions", "Client sessions at the moment of reading", states)?;
        let waits = counted(self, "wait_event_type", &WAITS, &sessions.waiting);
        self.many("pgassay_sessions_waiting", "Active sessions that wait, by the class of what for", waits)?;
        for (name, help, limit) in [
            ("pgassay_max_connections", "Sessions that the server allows", sessions.max_connections),
            ("pgassay_usable_connections", "Those that ordinary roles can use", sessions.usable_connections),
        ] {
            if let Some(limit) = limit {
                self.one(name, help, limit as f64)?;
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn statements(&mut self, statements: &StatementVitals) -> io::Result<()> {
        type Column = (&'static str, &'static str, fn(&StatementLoad) -> Option<f64>);
        const COLUMNS: [Column; 6] = [
            (
                "pgassay_statement_exec_seconds_total",
                "Execution time of a statement; falls when one of its entries is evicted",
                |row| Some(row.total_ms / MILLIS),
            ),
            ("pgassay_statement_calls_total", "Executions of a statement; falls as its time does", |row| {
                Some(row.calls as f64)
            }),
            (
                "pgassay_statement_rows_total",
                "Rows that a statement returned or affected; falls as its time does",
                |row| Some(row.rows as f64),
            ),
            (
                "pgassay_statement_blocks_total",
                "Shared blocks that a statement touched, found or read; falls as its time does",
                |row| Some(row.shared_blocks as f64),
            ),
            ("pgassay_statement_mean_seconds", "Mean execution time of a call in the window", |row| {
                Some(row.mean_ms / MILLIS)
            }),
            ("pgassay_statement_time_ratio", "Share of the execution time of all statements in the window", |row| {
                row.time_ratio
            }),
        ];
        if let Some(evictions) = statements.evictions {
            let evictions = vec![(self.target.clone(), evictions as f64)];
            let help = "Times that entries of statements were evicted for others; over one of them rates of a statement may be too high";
            self.many("pgassay_statements_evictions_total", help, evictions)?;
        }
        // Evicted entries leave the sums: a sum that falls would be taken for a reset, and all of it for new.
        if statements.evictions == Some(0) {
            let time = vec![(self.target.clone(), statements.total_ms / MILLIS)];
            self.many("pgassay_statements_exec_seconds_total", "Execution time of all statements", time)?;
            let calls = vec![(self.target.clone(), statements.calls as f64)];
            self.many("pgassay_statements_calls_total", "Executions of all statements", calls)?;
        }
        let own = |row: &StatementLoad| [("database", row.database.clone()), ("fingerprint", row.fingerprint.clone())];
        for (name, help, of) in COLUMNS {
            let labels = |row| [&self.target[..], &own(row)].concat();
            let samples = statements.top.iter().filter_map(|row| Some((labels(row), of(row)?))).collect();
            self.many(name, help, samples)?;
        }
        let info = statements.top.iter().map(|row| {
            let (text, _) = cut_flat(&row.text, STATEMENT);
            ([&self.target[..], &own(row), &[("statement", text)]].concat(), 1.0)
        });
        let info = info.collect();
        self.many("pgassay_statement_info", "The text of a statement, literals replaced, cut", info)
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes")]
    fn tables(&mut self, tables: &[TableVitals]) -> io::Result<()> {
        type Column = (&'static str, &'static str, fn(&TableVitals) -> Option<f64>);
        const COLUMNS: [Column; 3] = [
            (
                "pgassay_table_size_bytes",
                "Size of one of the largest tables, with partitions, TOAST and indexes",
                |row| Some(row.total_bytes as f64),
            ),
            ("pgassay_table_index_bytes", "Of that its indexes", |row| Some(row.index_bytes as f64)),
            ("pgassay_table_growth_bytes", "What it grew by in the window", |row| {
                row.growth_bytes.map(|bytes| bytes as f64)
            }),
        ];
        for (name, help, of) in COLUMNS {
            let labels = |row: &TableVitals| {
                self.labels(&[("database", &row.database), ("schema", &row.schema), ("table", &row.name)])
            };
            let samples = tables.iter().filter_map(|row| Some((labels(row), of(row)?))).collect();
            self.many(name, help, samples)?;
        }
        Ok(())
    }

    fn runways(&mut self, tables: &[RunwayVitals]) -> io::Result<()> {
        type Column = (&'static str, &'static str, fn(&RunwayVitals) -> Option<f64>);
        const COLUMNS: [Column; 2] = [
            (
                "pgassay_partition_runway_seconds",
                "Time until the row of partitions ends, negative since it ended",
                |row| row.runway_days.map(|days| days * 86_400.0),
            ),
            ("pgassay_partition_covers_now", "A partition holds the moment of reading: 1", |row| {
                Some(flag(row.covers_now))
            }),
        ];
        for (name, help, of) in COLUMNS {
            let labels = |row: &RunwayVitals| {
                self.labels(&[("database", &row.database), ("schema", &row.schema), ("table", &row.name)])
            };
            let samples = tables.iter().take(TOLD).filter_map(|row| Some((labels(row), of(row)?))).collect();
            self.many(name, help, samples)?;
        }
        Ok(())
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[allow(clippy::cast_precision_loss, reason = "counts")]
fn gating(verdict: &Verdict) -> f64 {
    verdict.findings.iter().filter(|finding| verdict.gates(finding)).count() as f64
}
