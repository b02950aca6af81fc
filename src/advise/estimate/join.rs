//! Joins: tables that may be joined in any order, and those that may not.
//!
//! Orders are tried as `joinrels.c` does, by dynamic programming (Selinger and others, SIGMOD 1979); ways to join
//! are a hash table, a nested loop with an index on the inner side, and one over a materialised inner side.

use super::costs::Cost;
use super::path::{OrderKey, Path, Question, Wish, add, cheapest, united};
use super::scan::{Parameter, Scan};
use super::upper::Node;
use crate::advise::candidate::Id;
use crate::statement::Operand;

/// Tables whose orders are all tried; of more, that of the plan.
const ALL_ORDERS: usize = 8;

/// What is joined.
#[derive(Debug)]
pub(super) enum Leaf {
    Table(Box<Scan>),
    Part(Box<Node>),
}

/// A column or expression of a leaf, by the leaf's place.
pub(super) type End = (usize, Operand);

/// Columns that must be equal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edge {
    pub(super) left: End,
    pub(super) right: End,
    /// Share of all pairs of rows.
    pub(super) share: f64,
}

/// Another condition on several of them.
#[derive(Debug)]
pub(super) struct Residual {
    pub(super) leaves: usize,
    pub(super) share: f64,
    /// Run for each pair of rows.
    pub(super) sub_plans: Vec<Node>,
}

/// Tables and parts that are joined in any order; one alone is joined with nothing.
#[derive(Debug, Default)]
pub(super) struct Region {
    pub(super) leaves: Vec<Leaf>,
    pub(super) edges: Vec<Edge>,
    pub(super) residuals: Vec<Residual>,
    /// The order that an existing index gives, which something above relies on.
    pub(super) implied: Vec<OrderKey>,
    /// Sub-plans that are run once.
    pub(super) once: Vec<Node>,
}

impl Leaf {
    fn rows(&self, set: usize) -> f64 {
        match self {
            Self::Table(scan) => scan.rows(set),
            Self::Part(node) => node.rows(set),
        }
    }

    fn width(&self) -> f64 {
        match self {
            Self::Table(scan) => scan.width,
            Self::Part(node) => node.width(),
        }
    }

    pub(super) fn has(&self, alias: &str) -> bool {
        match self {
            Self::Table(scan) => scan.alias == alias,
            Self::Part(node) => node.has(alias),
        }
    }

    /// Distinct values of a column, among so many of its rows.
    pub(super) fn distinct(&self, operand: &Operand, rows: f64) -> f64 {
        match self {
            Self::Table(scan) => scan.distinct(operand, rows),
            Self::Part(node) => node.distinct(operand, rows),
        }
    }

    /// The table, or its partitions.
    fn parts(&self) -> Option<Vec<&Scan>> {
        match self {
            Self::Table(scan) => Some(vec![scan]),
            Self::Part(node) => node.parts(),
        }
    }

    fn paths(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        match self {
            Self::Table(scan) => scan.paths(ask, &[], 1.0, wish),
            Self::Part(node) => node.paths(ask, wish),
        }
    }
}

impl Edge {
    /// Of a set of leaves and another: the leaf and column in the first, and in the second.
    fn between(&self, outer: usize, inner: usize) -> Option<(&End, &End)> {
        let is_in = |set: usize, end: &End| set & (1 << end.0) != 0;
        if is_in(outer, &self.left) && is_in(inner, &self.right) {
            return Some((&self.left, &self.right));
        }
        (is_in(outer, &self.right) && is_in(inner, &self.left)).then_some((&self.right, &self.left))
    }
}

/// What is joined with what: sets of leaves as bits, and their rows.
struct Pair<'p> {
    outer: usize,
    inner: usize,
    rows: (f64, f64, f64),
    paths: (&'p [Path], &'p [Path]),
}

impl Region {
    pub(super) fn of(leaf: Leaf) -> Self {
        Self { leaves: vec![leaf], ..Self::default() }
    }

    pub(super) fn all(&self) -> usize {
        (1 << self.leaves.len()) - 1
    }

    /// Rows of a set of leaves when they are joined.
    pub(super) fn rows(&self, leaves: usize, set: usize) -> f64 {
        let is_in = |leaf: usize| leaves & (1 << leaf) != 0;
        let all: f64 =
            (self.leaves.iter().enumerate()).filter(|(at, _)| is_in(*at)).map(|(_, leaf)| leaf.rows(set)).product();
        let edges = self.edges.iter().filter(|edge| is_in(edge.left.0) && is_in(edge.right.0));
        let residuals = self.residuals.iter().filter(|one| one.leaves & leaves == one.leaves);
        let share: f64 = edges.map(|edge| edge.share).chain(residuals.map(|one| one.share)).product();
        (all * share).max(1.0)
    }

    pub(super) fn width(&self) -> f64 {
        self.leaves.iter().map(Leaf::width).sum()
    }

    pub(super) fn paths(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        let is_implied = wish.order.is_empty() && !self.implied.is_empty();
        let own = if is_implied { Wish { order: &self.implied, is_required: true, ..wish } } else { wish };
        let mut paths = self.joined(ask, own);
        if own.is_required {
            paths = self.sorted(ask, paths, own);
        }
        // What nobody above has named is no order to them.
        paths.iter_mut().filter(|_| is_implied).for_each(|path| path.order = 0);
        for plan in &self.once {
            let once = plan.best(ask, Wish::ALL);
            for path in &mut paths {
                path.cost.startup += once.cost.total;
                path.cost.total += once.cost.total;
                path.used = united(&path.used, &once.used);
            }
        }
        paths
    }

    /// Those in the wanted order, sorted where they are not.
    fn sorted(&self, ask: &Question<'_>, paths: Vec<Path>, wish: Wish<'_>) -> Vec<Path> {
        let sort = ask.costs.sort(self.rows(self.all(), ask.set), self.width());
        let mut all = Vec::new();
        for path in paths {
            if path.order >= wish.order.len() {
                add(&mut all, path);
            } else {
                let cost = Cost { startup: path.cost.total + sort.startup, total: path.cost.total + sort.total };
                add(&mut all, Path { cost, order: wish.order.len(), used: path.used });
            }
        }
        all
    }

    fn joined(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        if let [leaf] = self.leaves.as_slice() {
            return leaf.paths(ask, wish);
        }
        let alone: Vec<Vec<Path>> = self.leaves.iter().map(|leaf| leaf.paths(ask, wish)).collect();
        if self.leaves.len() > ALL_ORDERS {
            return self.in_order(ask, alone);
        }
        let found = self.in_any_order(ask, &alone, false);
        if found.is_empty() { self.in_any_order(ask, &alone, true) } else { found }
    }

    /// Joined one after the other, as the plan does.
    fn in_order(&self, ask: &Question<'_>, alone: Vec<Vec<Path>>) -> Vec<Path> {
        let mut done = Vec::new();
        let mut first = 0_usize;
        for (at, paths) in alone.into_iter().enumerate() {
            let next = 1 << at;
            if first == 0 {
                done = paths;
            } else {
                let rows = |leaves: usize| self.rows(leaves, ask.set);
                let rows = (rows(first), rows(next), rows(first | next));
                let mut both = Vec::new();
                self.join(ask, &Pair { outer: first, inner: next, rows, paths: (&done, &paths) }, &mut both);
                let turned = (rows.1, rows.0, rows.2);
                self.join(ask, &Pair { outer: next, inner: first, rows: turned, paths: (&paths, &done) }, &mut both);
                done = both;
            }
            first |= next;
        }
        done
    }

    fn in_any_order(&self, ask: &Question<'_>, alone: &[Vec<Path>], also_crossed: bool) -> Vec<Path> {
        let all = self.all();
        let rows: Vec<f64> = (0..=all).map(|leaves| self.rows(leaves, ask.set)).collect();
        let mut known: Vec<Vec<Path>> = vec![Vec::new(); all + 1];
        for (at, paths) in alone.iter().enumerate() {
            known[1 << at].clone_from(paths);
        }
        for leaves in (1..=all).filter(|leaves| leaves.count_ones() > 1) {
            let mut found = Vec::new();
            let mut outer = (leaves - 1) & leaves;
            while outer > 0 {
                let inner = leaves ^ outer;
                let is_joined = also_crossed || self.edges.iter().any(|edge| edge.between(outer, inner).is_some());
                if is_joined && !known[outer].is_empty() && !known[inner].is_empty() {
                    let rows = (rows[outer], rows[inner], rows[leaves]);
                    let paths = (known[outer].as_slice(), known[inner].as_slice());
                    self.join(ask, &Pair { outer, inner, rows, paths }, &mut found);
                }
                outer = (outer - 1) & leaves;
            }
            known[leaves] = found;
        }
        known.pop().unwrap_or_default()
    }

    /// The ways to join two sets.
    fn join(&self, ask: &Question<'_>, pair: &Pair<'_>, found: &mut Vec<Path>) {
        let edges: Vec<_> =
            self.edges.iter().filter_map(|edge| Some((edge, edge.between(pair.outer, pair.inner)?))).collect();
        let (filter, filter_used) = self.filter(ask, pair);
        let widths = |leaves: usize| -> f64 {
            let own = self.leaves.iter().enumerate().filter(|(at, _)| leaves & (1 << at) != 0);
            own.map(|(_, leaf)| leaf.width()).sum()
        };
        let distinct = |end: &End| self.leaves[end.0].distinct(&end.1, pair.rows.1);
        let join = Join {
            rows: pair.rows,
            widths: (widths(pair.outer), widths(pair.inner)),
            conditions: edges.len(),
            distinct: edges.iter().map(|(_, (_, inner))| distinct(inner)).fold(1.0, f64::max),
            filter,
        };
        let mut ways = Vec::new();
        if !edges.is_empty() {
            ways.extend(join.hashed(ask, pair.paths.0, pair.paths.1));
        }
        ways.extend(join.materialised(ask, pair.paths.0, pair.paths.1));
        if pair.inner.count_ones() == 1 {
            let inner = &self.leaves[pair.inner.trailing_zeros() as usize];
            let parameters: Vec<Parameter<'_>> =
                edges.iter().map(|(edge, (_, inner))| (&inner.1, edge.share)).collect();
            let keys = edges.iter().map(|(_, (outer, _))| self.leaves[outer.0].distinct(&outer.1, pair.rows.0));
            if let Some(parts) = inner.parts() {
                ways.extend(join.looked_up(ask, pair.paths.0, &parts, &parameters, keys.product()));
            }
        }
        for mut way in ways {
            way.used = united(&way.used, &filter_used);
            add(found, way);
        }
    }

    /// What the other conditions on both sets cost for all pairs of rows.
    fn filter(&self, ask: &Question<'_>, pair: &Pair<'_>) -> (f64, Vec<Id>) {
        let both = pair.outer | pair.inner;
        let is_new = |one: &&Residual| {
            one.leaves & both == one.leaves
                && one.leaves & pair.outer != one.leaves
                && one.leaves & pair.inner != one.leaves
        };
        let (mut cost, mut used) = (0.0, Vec::new());
        for one in self.residuals.iter().filter(is_new) {
            let rows = pair.rows.2 / one.share / ask.divisor();
            cost += rows * ask.costs.operator;
            for plan in &one.sub_plans {
                let best = plan.best(ask, Wish::ALL);
                cost += rows * best.cost.total;
                used = united(&used, &best.used);
            }
        }
        (cost, used)
    }
}

/// Two inputs that are joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Join {
    /// Of the outer side, the inner side, and both joined.
    pub(super) rows: (f64, f64, f64),
    pub(super) widths: (f64, f64),
    /// Equalities.
    pub(super) conditions: usize,
    /// Distinct values of the inner side.
    pub(super) distinct: f64,
    /// Cost of further conditions.
    pub(super) filter: f64,
}

impl Join {
    /// By a hash table of the inner side.
    #[allow(clippy::cast_precision_loss, reason = "a few conditions")]
    pub(super) fn hashed(&self, ask: &Question<'_>, outer: &[Path], inner: &[Path]) -> Option<Path> {
        let workers = ask.divisor();
        let (outer, inner) = (cheapest(outer, 1.0, 0)?, cheapest(inner, 1.0, 0)?);
        let sides = ((self.rows.0 / workers, self.widths.0), (self.rows.1 / workers, self.widths.1));
        let conditions = self.conditions as f64;
        let hash = ask.costs.hash(sides.0, sides.1, conditions, 1.0 / self.distinct, self.rows.2 / workers);
        let startup = outer.cost.startup + inner.cost.total + hash.startup;
        let total = outer.cost.total + inner.cost.total + hash.total + self.filter;
        Some(Path { cost: Cost { startup, total }, order: 0, used: united(&outer.used, &inner.used) })
    }

    /// Each pair of rows looked at (`cost_nestloop`, `cost_material`).
    pub(super) fn materialised(&self, ask: &Question<'_>, outer: &[Path], inner: &[Path]) -> Vec<Path> {
        let Some(inner) = cheapest(inner, 1.0, 0) else { return Vec::new() };
        let rows = self.rows.0 / ask.divisor();
        let again = rows * self.rows.1 * ask.costs.operator;
        let pairs = rows * self.rows.1 * ask.costs.tuple;
        let way = |outer: &Path| Path {
            cost: Cost {
                startup: outer.cost.startup + inner.cost.startup,
                total: outer.cost.total + inner.cost.total + again + pairs + self.filter,
            },
            order: outer.order,
            used: united(&outer.used, &inner.used),
        };
        outer.iter().map(way).collect()
    }

    /// The inner table's rows of each outer row, by an index, or by one of each partition; those of values that come again remembered
    /// (`cost_nestloop`, `cost_memoize_rescan`). `keys`: distinct values of the outer side.
    pub(super) fn looked_up(
        &self,
        ask: &Question<'_>,
        outer: &[Path],
        inner: &[&Scan],
        parameters: &[Parameter<'_>],
        keys: f64,
    ) -> Vec<Path> {
        if parameters.is_empty() {
            return Vec::new();
        }
        let loops = (self.rows.0 / ask.divisor()).max(1.0);
        let by_part = |scan: &&Scan| cheapest(&scan.paths(ask, parameters, loops, Wish::ALL), 1.0, 0).cloned();
        let each: Option<Vec<Path>> = inner.iter().map(by_part).collect();
        let both = |one: Path, other: Path| Path {
            cost: Cost { startup: one.cost.startup, total: one.cost.total + other.cost.total },
            order: 0,
            used: united(&one.used, &other.used),
        };
        let Some(each) = each.and_then(|each| each.into_iter().reduce(both)) else { return Vec::new() };
        let again = (keys / self.rows.0).min(1.0);
        let remembered = each.cost.total * again + ask.costs.tuple + 2.0 * ask.costs.operator;
        let total = if ask.costs.major >= 14 { each.cost.total.min(remembered) } else { each.cost.total };
        let way = |outer: &Path| Path {
            cost: Cost {
                startup: outer.cost.startup + each.cost.startup,
                total: outer.cost.total + loops * total + ask.costs.tuple * self.rows.2 / ask.divisor() + self.filter,
            },
            order: outer.order,
            used: united(&outer.used, &each.used),
        };
        outer.iter().map(way).collect()
    }
}

/// Joins that keep their sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Outer joins.
    Outer,
    Semi,
    Anti,
    Full,
}

/// A join that keeps its sides.
#[derive(Debug)]
pub(super) struct Sided {
    pub(super) keeping: Keeping,
    pub(super) outer: Node,
    pub(super) inner: Node,
    /// Outer leaf's and inner leaf's columns, and the share of the inner rows that a value lets through.
    pub(super) edges: Vec<(Operand, Operand, f64)>,
    pub(super) rows: f64,
    pub(super) width: f64,
    pub(super) sub_plans: Vec<Node>,
    pub(super) once: Vec<Node>,
}

impl Sided {
    pub(super) fn rows(&self, set: usize) -> f64 {
        (self.rows * self.outer.rows(set) / self.outer.rows(0)).max(1.0)
    }

    pub(super) fn paths(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        let outer = self.outer.paths(ask, wish);
        let inner = self.inner.paths(ask, Wish::ALL);
        let rows = (self.outer.rows(ask.set), self.inner.rows(ask.set), self.rows(ask.set));
        let (mut filter, mut used) = (0.0, Vec::new());
        for plan in &self.sub_plans {
            let best = plan.best(ask, Wish::ALL);
            filter += rows.2 * best.cost.total;
            used = united(&used, &best.used);
        }
        for plan in &self.once {
            let best = plan.best(ask, Wish::ALL);
            filter += best.cost.total;
            used = united(&used, &best.used);
        }
        let distinct = self.edges.iter().map(|(_, column, _)| self.inner.distinct(column, rows.1)).fold(1.0, f64::max);
        let join = Join {
            rows,
            widths: (self.outer.width(), self.inner.width()),
            conditions: self.edges.len(),
            distinct,
            filter,
        };
        let mut found = Vec::new();
        let mut ways = Vec::new();
        if !self.edges.is_empty() {
            ways.extend(join.hashed(ask, &outer, &inner));
        }
        if self.keeping != Keeping::Full {
            ways.extend(join.materialised(ask, &outer, &inner));
            ways.extend(self.looked_up(ask, &join, &outer));
        }
        if self.keeping == Keeping::Semi {
            ways.extend(self.unique(ask, &join, &inner));
        }
        for mut way in ways {
            way.used = united(&way.used, &used);
            add(&mut found, way);
        }
        found
    }

    fn looked_up(&self, ask: &Question<'_>, join: &Join, outer: &[Path]) -> Vec<Path> {
        let Some(parts) = self.inner.parts() else { return Vec::new() };
        let parameters: Vec<Parameter<'_>> = self.edges.iter().map(|(_, column, share)| (column, *share)).collect();
        let keys = self.edges.iter().map(|(column, ..)| self.outer.distinct(column, join.rows.0)).product();
        join.looked_up(ask, outer, &parts, &parameters, keys)
    }

    /// The inner side's distinct values first, each looked up in the outer table (`create_unique_path`).
    fn unique(&self, ask: &Question<'_>, join: &Join, inner: &[Path]) -> Vec<Path> {
        let (Some(scan), Some(best)) = (self.outer.only_table(), cheapest(inner, 1.0, 0)) else { return Vec::new() };
        let values = join.distinct.min(join.rows.1);
        let grouped = best.cost.total + join.rows.1 * ask.costs.operator + values * ask.costs.tuple;
        let path = Path { cost: Cost { startup: grouped, total: grouped }, order: 0, used: best.used.clone() };
        let turned = Join { rows: (values, join.rows.0, join.rows.2), ..*join };
        let share = |operand: &Operand| 1.0 / scan.table.statistics(operand).distinct;
        let parameters: Vec<Parameter<'_>> = self.edges.iter().map(|(column, ..)| (column, share(column))).collect();
        turned.looked_up(ask, &[path], &[scan], &parameters, values)
    }
}
