//! When autovacuum works on a table: the server's settings, each of which a table may overrule.

use crate::model::snapshot::{Relation, Snapshot};

/// Changed rows at which it begins: so many, and a share of the table.
struct Trigger {
    base_name: String,
    base: f64,
    factor_name: String,
    factor: f64,
}

impl Trigger {
    fn new(snapshot: &Snapshot, what: &str, factor: f64) -> Self {
        let number = |name: &str| snapshot.setting(name).and_then(|setting| setting.number());
        let base_name = format!("autovacuum_{what}_threshold");
        let factor_name = format!("autovacuum_{what}_scale_factor");
        let (base, factor) = (number(&base_name).unwrap_or(50.0), number(&factor_name).unwrap_or(factor));
        Self { base_name, base, factor_name, factor }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of rows")]
    fn at(&self, relation: &Relation) -> f64 {
        let own = |name: &str| option(relation, name).and_then(|value| value.parse::<f64>().ok());
        let factor = own(&self.factor_name).unwrap_or(self.factor);
        own(&self.base_name).unwrap_or(self.base) + factor * relation.estimated_rows.unwrap_or(0) as f64
    }
}

/// Autovacuum as the server is set.
pub(super) struct Autovacuum {
    is_on: bool,
    analyze: Trigger,
    vacuum: Trigger,
}

impl Autovacuum {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            is_on: snapshot.setting("autovacuum").is_none_or(|setting| setting.is_on()),
            analyze: Trigger::new(snapshot, "analyze", 0.1),
            vacuum: Trigger::new(snapshot, "vacuum", 0.2),
        }
    }

    /// Changed rows at which a table is analyzed.
    pub(super) fn analyzes_at(&self, relation: &Relation) -> f64 {
        self.analyze.at(relation)
    }

    /// Dead rows at which a table is vacuumed.
    pub(super) fn vacuums_at(&self, relation: &Relation) -> f64 {
        self.vacuum.at(relation)
    }

    /// It may work on this table.
    pub(super) fn works_on(&self, relation: &Relation) -> bool {
        let off = |value: &str| matches!(value.to_lowercase().as_str(), "false" | "f" | "off" | "no" | "n" | "0");
        self.is_on && !option(relation, "autovacuum_enabled").is_some_and(off)
    }
}

/// A storage option of a table.
fn option<'a>(relation: &'a Relation, name: &str) -> Option<&'a str> {
    relation.options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use chrono::DateTime;

    #[test]
    fn storage_options_win_over_settings() {
        let relation = Relation {
            estimated_rows: Some(1000),
            options: vec!["autovacuum_analyze_threshold=10".into(), "autovacuum_enabled=off".into()],
            ..Relation::default()
        };
        let autovacuum = Autovacuum::of(&Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH));
        assert!((autovacuum.analyzes_at(&relation) - 110.0).abs() < 1e-9);
        assert!(!autovacuum.works_on(&relation));
    }
}
