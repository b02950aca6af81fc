//! Ways to read one table: all of it, by an index, or by bitmaps of several.

use super::bitmap::{Bitmap, combined};
use super::catalog::{Known, Table};
use super::costs::{Cost, Search};
use super::path::{OrderKey, Path, Question, Wish, add, united};
use super::restriction::{BOTH_SIDES, By, Restriction, Restrictions};
use super::upper::Node;
use crate::advise::candidate::Id;
use crate::advise::key::Key;
use crate::model::advice::Method;
use crate::statement::{Operand, is_alias_of};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table in a plan.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) alias: String,
    pub(super) table: Arc<Table>,
    pub(super) restrictions: Restrictions,
    /// Columns that are read; none: the row itself is wanted.
    pub(super) needed: Option<BTreeSet<String>>,
    /// Sub-plans that are run for each row.
    pub(super) sub_plans: Vec<Node>,
    pub(super) width: f64,
}

/// What is compared with an outer row, and the share of rows that each value lets through.
pub(super) type Parameter<'a> = (&'a Operand, f64);

/// What an index does for a scan.
pub(super) struct Match {
    pub(super) search: Search,
    /// Values of `= ANY`: with several its rows come in no order.
    values: f64,
    /// Conditions that it takes off the rows, in operators.
    operators: f64,
    pub(super) is_searched: bool,
    has_parameter: bool,
}

fn is_on(operand: &Operand, key: &Key) -> bool {
    operand.text == key.column && operand.is_expression == key.is_expression
}

impl Scan {
    /// Distinct values of a column or expression among so many of the rows, drawn at random
    /// (`estimate_num_groups`).
    pub(super) fn distinct(&self, operand: &Operand, rows: f64) -> f64 {
        let (all, values) = (self.table.rows.max(1.0), self.table.statistics(operand).distinct);
        let missed = (1.0 - rows / all).clamp(0.0, 1.0).powf(all / values);
        (values * (1.0 - missed)).clamp(1.0, rows.max(1.0))
    }

    pub(super) fn rows(&self, set: usize) -> f64 {
        (self.table.rows * self.restrictions.share(set)).max(1.0)
    }

    /// Ways to read it, once or for each of so many outer rows.
    pub(super) fn paths(
        &self,
        ask: &Question<'_>,
        parameters: &[Parameter<'_>],
        loops: f64,
        wish: Wish<'_>,
    ) -> Vec<Path> {
        let mut paths = Vec::new();
        let (per_row, used) = self.per_row(ask);
        let is_alone = parameters.is_empty();
        // What is repeated for outer rows is shared by sharing those.
        let workers = if is_alone { ask.divisor() } else { 1.0 };
        let mut bitmaps = Vec::new();
        if is_alone {
            let cost = ask.costs.seq_scan(ask.heap(&self.table), per_row, workers);
            add(&mut paths, Path { cost, order: 0, used: used.clone() });
            bitmaps.extend(self.alternatives(ask));
        }
        for index in ask.indexes(&self.table).filter(|index| self.holds_all(index)) {
            let matched = self.matched(index, parameters, loops, ask.set);
            if !is_alone && !matched.has_parameter {
                continue;
            }
            let path = self.by_index(ask, index, &matched, (per_row, workers), wish);
            path.into_iter().for_each(|path| add(&mut paths, Path { used: united(&used, &path.used), ..path }));
            if matched.is_searched || index.predicate.is_some() {
                bitmaps.push(Bitmap::of(ask, self, index, matched.search));
            }
        }
        for bitmap in combined(bitmaps, ask.costs.operator) {
            let path = bitmap.path(ask, &self.table, per_row / workers, loops, workers);
            add(&mut paths, Path { used: united(&used, &path.used), ..path });
        }
        paths
    }

    /// Rows in the order of the index.
    fn by_index(
        &self,
        ask: &Question<'_>,
        index: &Known,
        matched: &Match,
        (per_row, workers): (f64, f64),
        wish: Wish<'_>,
    ) -> Option<Path> {
        let is_ordered = index.method == Method::Btree && matched.values <= 1.0;
        let order = if is_ordered { self.order(index, wish.order) } else { 0 };
        let is_only = index.method == Method::Btree && self.is_covered(index);
        let is_useful = matched.is_searched || index.predicate.is_some() || order > 0 || is_only;
        if !is_useful || !matches!(index.method, Method::Btree | Method::Gist) {
            return None;
        }
        let heap = ask.heap(&self.table);
        let scan = ask.costs.tree_scan(index.tree, matched.search);
        let fetch = ask.costs.fetch(heap, index.tree, matched.search, index.correlation, is_only);
        let rows = (matched.search.found * heap.rows).round_ties_even().max(1.0);
        let rest = (per_row - matched.operators * ask.costs.operator).max(0.0);
        let total = scan.total + fetch + rows * (ask.costs.tuple + rest) / workers;
        let used: Vec<Id> = index.id.into_iter().collect();
        Some(Path { cost: Cost { startup: scan.startup, total }, order, used })
    }

    /// Cost of all conditions for a row, and what sub-plans use.
    fn per_row(&self, ask: &Question<'_>) -> (f64, Vec<Id>) {
        let operators: f64 = self.restrictions.own.iter().map(|one| one.operators).sum();
        let mut cost = operators * ask.costs.operator;
        let mut used = Vec::new();
        for plan in &self.sub_plans {
            let best = plan.best(ask, Wish::ALL);
            cost += best.cost.total;
            used = united(&used, &best.used);
        }
        (cost, used)
    }

    /// All rows that are read have entries in it (`predicate_implied_by`: by the same words).
    fn holds_all(&self, index: &Known) -> bool {
        let says = |predicate: &str| self.restrictions.own.iter().any(|one| one.constant.as_deref() == Some(predicate));
        index.predicate.as_deref().is_none_or(says)
    }

    fn is_covered(&self, index: &Known) -> bool {
        let is_key = |column: &str| index.keys.iter().any(|key| !key.is_expression && key.column == column);
        let has = |column: &String| index.include.contains(column) || is_key(column);
        self.needed.as_ref().is_some_and(|needed| needed.iter().all(has))
    }

    /// The conditions that an index answers: those on its leading keys say what is read, all on its keys what
    /// comes out (`btcostestimate`, "boundary quals").
    pub(super) fn matched(&self, index: &Known, parameters: &[Parameter<'_>], loops: f64, set: usize) -> Match {
        let within = self.share_of(index, set);
        let search = Search { read: 1.0, found: within, descents: 1.0, conditions: 0.0, loops };
        let mut all = Match { search, values: 1.0, operators: 0.0, is_searched: false, has_parameter: false };
        let (mut is_leading, mut points, mut skipped) = (true, 0, 1.0);
        let is_tree = index.method == Method::Btree;
        let own =
            || self.restrictions.own.iter().filter(|one| one.constant.is_none() || one.constant != index.predicate);
        for key in &index.keys {
            let answers: Vec<(&Restriction, f64)> =
                own().filter_map(|one| Some((one, answered(index, key, one)?))).collect();
            let compared: Vec<&Parameter<'_>> =
                parameters.iter().filter(|(operand, _)| is_tree && is_on(operand, key)).collect();
            let is_asked = !answers.is_empty() || !compared.is_empty();
            if is_asked && is_leading && skipped > 1.0 {
                // More descents than the index has pages skip nothing.
                is_leading = all.search.descents * skipped <= index.tree.pages;
                all.search.descents *= if is_leading { skipped } else { 1.0 };
                skipped = 1.0;
            }
            let (mut has_point, mut range) = (!compared.is_empty(), None);
            for (one, values) in answers {
                has_point |= values > 0.0;
                range = range.or((values == 0.0).then_some(one.shares[set]));
                if is_leading {
                    all.search.read *= one.shares[set];
                    all.search.descents *= values.max(1.0);
                    all.values *= values.max(1.0);
                }
                all.search.found *= one.shares[set];
                all.search.conditions += one.operators.clamp(1.0, 2.0);
                all.operators += one.operators;
            }
            for (_, share) in compared {
                all.has_parameter = true;
                all.search.found *= share;
                all.search.conditions += 1.0;
                all.search.read *= if is_leading { *share } else { 1.0 };
            }
            points += usize::from(has_point && is_leading);
            all.is_searched |= is_asked;
            if !has_point {
                let values = self.skippable(index, key, range);
                is_leading &= values.is_some();
                skipped *= values.unwrap_or(1.0);
            }
        }
        if index.skips {
            all.search.descents = all.search.descents.min((index.tree.pages / 3.0).ceil()).max(1.0);
        }
        if index.is_unique && points == index.keys.len() {
            all.search.read = all.search.read.min(all.search.descents / index.tree.entries.max(1.0));
        }
        all
    }

    /// Descents that a key costs which nothing is set equal to, one for each value of it, or of a stretch of them; none
    /// where the keys behind it do not say what is read (`btcostestimate` of PostgreSQL 18, "skip arrays").
    fn skippable(&self, index: &Known, key: &Key, range: Option<f64>) -> Option<f64> {
        let known = self.table.key(key);
        match range {
            _ if !index.skips || known.is_guess => None,
            Some(share) => (share >= BOTH_SIDES).then(|| (known.distinct * share).round().max(1.0)),
            None => Some(known.distinct + 1.0),
        }
    }

    /// Share of the rows that a partial index has entries for.
    fn share_of(&self, index: &Known, set: usize) -> f64 {
        let Some(predicate) = &index.predicate else { return 1.0 };
        let same = self.restrictions.own.iter().find(|one| one.constant.as_ref() == Some(predicate));
        same.map_or(1.0, |one| one.shares[set])
    }

    /// How many keys of the wanted order the index gives, read forwards or backwards. Keys with one value do not
    /// disturb it.
    fn order(&self, index: &Known, wanted: &[OrderKey]) -> usize {
        let is_constant = |key: &Key| {
            let fixes =
                |one: &Restriction| matches!(&one.by, By::Point(own, values) if is_on(own, key) && *values <= 1.0);
            self.restrictions.own.iter().any(fixes)
        };
        let (mut given, mut is_backward) = (0, None);
        for key in index.keys.iter() {
            let is_next = |next: &&OrderKey| self.goes_by(&next.alias) && next.key.is_on(key);
            match wanted.get(given).filter(is_next).map(|next| &next.key) {
                Some(next) => {
                    let same = (next.is_descending, next.nulls_first) == (key.is_descending, key.nulls_first);
                    let turned = (next.is_descending, next.nulls_first) == (!key.is_descending, !key.nulls_first);
                    if !(if is_backward.unwrap_or(turned) { turned } else { same }) {
                        break;
                    }
                    is_backward = Some(turned);
                    given += 1;
                }
                None if is_constant(key) => {}
                None => break,
            }
        }
        given
    }

    /// Its alias, or as a partition that of its table.
    fn goes_by(&self, alias: &str) -> bool {
        is_alias_of(&self.alias, alias)
    }

    /// Bitmaps for conditions that OR joins, where each part has an index (`generate_bitmap_or_paths`).
    fn alternatives<'i>(&'i self, ask: &'i Question<'_>) -> Vec<Bitmap<'i>> {
        let any = self.restrictions.own.iter().filter_map(|one| match &one.by {
            By::Any(arms) => Some(arms),
            _ => None,
        });
        any.filter_map(|arms| {
            let parts: Option<Vec<Bitmap<'_>>> = arms.iter().map(|arm| self.arm(ask, arm)).collect();
            Some(Bitmap::any(parts?, ask.costs.operator))
        })
        .collect()
    }

    /// The cheapest bitmap for one part.
    fn arm<'i>(&'i self, ask: &'i Question<'_>, arm: &[Restriction]) -> Option<Bitmap<'i>> {
        // What else restricts the rows helps each part as well.
        let others = self.restrictions.own.iter().filter(|one| !matches!(one.by, By::Any(_) | By::Other));
        let part = Scan {
            alias: self.alias.clone(),
            table: self.table.clone(),
            restrictions: Restrictions { own: arm.iter().chain(others).cloned().collect(), laterals: Vec::new() },
            needed: None,
            sub_plans: Vec::new(),
            width: self.width,
        };
        let serves = |index: &&Known| {
            let has = |key: &Key| arm.iter().any(|one| answered(index, key, one).is_some());
            index.keys.first().is_some_and(has) || index.keys.iter().any(has)
        };
        let fitting = ask.indexes(&self.table).filter(|index| self.holds_all(index)).filter(serves);
        let bitmaps = fitting.map(|index| Bitmap::of(ask, &part, index, part.matched(index, &[], 1.0, ask.set).search));
        bitmaps.min_by(|a, b| a.cost.total_cmp(&b.cost))
    }
}

/// The key is the one that is wanted, or compares the same column by bytes, as finding texts by how they begin takes.
fn serves(key: &Key, wanted: &Key) -> bool {
    let is_by_bytes = key.class.as_deref().is_some_and(|class| class.ends_with("_pattern_ops"));
    let is_same = wanted.column == key.column && wanted.is_expression == key.is_expression;
    wanted.is_on(key) || (is_by_bytes && is_same)
}

/// How many values of a key a condition wants; 0: a stretch of them; none where the index does not answer it.
fn answered(index: &Known, key: &Key, one: &Restriction) -> Option<f64> {
    match (&one.by, index.method) {
        (By::Point(operand, values), Method::Btree) if is_on(operand, key) => Some(*values),
        (By::Null(operand), Method::Btree) if is_on(operand, key) => Some(1.0),
        // Other orders than that of the type, such as by bytes, answer `=` alone.
        (By::Range(operand), Method::Btree) if is_on(operand, key) && key.class.is_none() => Some(0.0),
        (By::Point(operand, _) | By::Null(operand) | By::Range(operand), Method::Brin) if is_on(operand, key) => {
            Some(0.0)
        }
        (By::Special(ways), own) if ways.iter().any(|(method, way)| *method == own && serves(key, way)) => Some(0.0),
        _ => None,
    }
}
