//! Walks through a statement's clauses, and tells what its queries return.

use super::expression::is_parameter;
use super::meeting::Meeting;
use super::scope::{Column, ColumnType, Item, Origin, Rows, Scopes, Source};
use super::types::{Kind, Types, word};
use crate::model::snapshot::RelationName;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, DeleteStmt, InsertStmt, JoinExpr, MergeStmt, Node, RangeVar, ResTarget, ReturningClause,
    SelectStmt, SetOperation, UpdateStmt, WindowDef, WithClause,
};
use std::collections::BTreeMap;

/// What is written for a parameter or literal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edit {
    /// The name of a field that every kind of time has.
    Field,
    /// This parameter.
    Parameter(i32),
}

/// What is written at byte positions of the text.
pub(super) type Edits = BTreeMap<usize, Edit>;

pub(super) struct Walk<'a> {
    pub(super) column_type: &'a ColumnType<'a>,
    pub(super) types: Types,
    pub(super) scopes: Scopes,
    pub(super) edits: Edits,
    pub(super) meetings: Vec<(i32, Meeting)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(column_type: &'a ColumnType<'a>) -> Self {
        let (types, scopes) = (Types::default(), Scopes::default());
        Self { column_type, types, scopes, edits: Edits::new(), meetings: Vec::new() }
    }

    pub(super) fn statement(&mut self, node: &Node) -> Rows {
        let known = self.scopes.with.len();
        self.scopes.froms.push(Vec::new());
        let rows = match &node.node {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            Some(NodeEnum::InsertStmt(insert)) => self.insert(insert),
            Some(NodeEnum::UpdateStmt(update)) => self.update(update),
            Some(NodeEnum::DeleteStmt(delete)) => self.delete(delete),
            Some(NodeEnum::MergeStmt(merge)) => self.merge(merge),
            _ => Rows::default(),
        };
        self.scopes.froms.pop();
        self.scopes.with.truncate(known);
        rows
    }

    /// A query within the scope that was opened for it.
    fn select(&mut self, select: &SelectStmt) -> Rows {
        self.with(select.with_clause.as_ref());
        if select.op != SetOperation::SetopNone as i32 {
            return self.set_operation(select);
        }
        select.from_clause.iter().for_each(|from| self.from(from));
        let rows = if select.values_lists.is_empty() {
            self.targets(&select.target_list)
        } else {
            self.values(&select.values_lists)
        };
        self.condition(select.where_clause.as_deref());
        self.condition(select.having_clause.as_deref());
        self.all(&select.group_clause);
        self.all(&select.distinct_clause);
        for window in &select.window_clause {
            if let Some(NodeEnum::WindowDef(window)) = &window.node {
                self.window(window);
            }
        }
        self.tail(select);
        super::same::unify_groups(select, &mut self.edits);
        rows
    }

    fn tail(&mut self, select: &SelectStmt) {
        self.all(&select.sort_clause);
        for count in [&select.limit_offset, &select.limit_count].into_iter().flatten() {
            let kind = self.expression(count);
            self.expect(count, &kind, "int8");
        }
    }

    fn set_operation(&mut self, select: &SelectStmt) -> Rows {
        let mut arms = [&select.larg, &select.rarg].into_iter().flatten().map(|arm| self.arm(arm)).collect::<Vec<_>>();
        self.tail(select);
        let other = arms.pop().unwrap_or_default();
        let rows = arms.pop().unwrap_or_default();
        self.match_columns(&rows, &other);
        rows
    }

    /// An arm of a set operation has a scope of its own.
    fn arm(&mut self, select: &SelectStmt) -> Rows {
        let known = self.scopes.with.len();
        self.scopes.froms.push(Vec::new());
        let rows = self.select(select);
        self.scopes.froms.pop();
        self.scopes.with.truncate(known);
        rows
    }

    fn match_columns(&mut self, rows: &Rows, other: &Rows) {
        for (one, other) in rows.columns.iter().zip(&other.columns) {
            self.unify(&one.kind, &other.kind, true);
        }
    }

    fn with(&mut self, clause: Option<&WithClause>) {
        for cte in clause.into_iter().flat_map(|clause| &clause.ctes) {
            if let Some(NodeEnum::CommonTableExpr(cte)) = &cte.node {
                let rows = self.common_table(cte, clause.is_some_and(|clause| clause.recursive));
                self.scopes.with.push((cte.ctename.clone(), rows));
            }
        }
    }

    /// A recursive query is known by its first arm when the second is read.
    fn common_table(&mut self, cte: &CommonTableExpr, is_recursive: bool) -> Rows {
        let Some(query) = cte.ctequery.as_deref() else { return Rows::default() };
        match &query.node {
            Some(NodeEnum::SelectStmt(select)) if is_recursive && select.larg.is_some() => {
                let known = self.scopes.with.len();
                self.scopes.froms.push(Vec::new());
                self.with(select.with_clause.as_ref());
                let rows = select.larg.as_deref().map(|arm| self.arm(arm)).unwrap_or_default();
                let rows = renamed(rows, &cte.aliascolnames);
                self.scopes.with.push((cte.ctename.clone(), rows.clone()));
                let other = select.rarg.as_deref().map(|arm| self.arm(arm)).unwrap_or_default();
                self.match_columns(&rows, &other);
                self.tail(select);
                self.scopes.froms.pop();
                self.scopes.with.truncate(known);
                rows
            }
            _ => renamed(self.statement(query), &cte.aliascolnames),
        }
    }

    fn from(&mut self, node: &Node) {
        match &node.node {
            Some(NodeEnum::RangeVar(range)) => self.relation(range),
            Some(NodeEnum::RangeSubselect(sub)) => {
                let rows = sub.subquery.as_deref().map(|query| self.statement(query)).unwrap_or_default();
                let names = sub.alias.as_ref().map_or(&[][..], |alias| alias.colnames.as_slice());
                let alias = sub.alias.as_ref().map(|alias| alias.aliasname.clone()).unwrap_or_default();
                self.scopes.add(Item { alias, source: Source::Rows(renamed(rows, names)) });
            }
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeFunction(function)) => {
                let kinds: Vec<Kind> = function.functions.iter().map(|call| self.function_in_from(call)).collect();
                let Some(alias) = &function.alias else { return };
                let kind = kinds.first().cloned().unwrap_or(Kind::Opaque);
                let rows = Rows { columns: vec![column(&alias.aliasname, kind)], stars: Vec::new() };
                let source = Source::Rows(renamed(rows, &alias.colnames));
                self.scopes.add(Item { alias: alias.aliasname.clone(), source });
            }
            Some(NodeEnum::RangeTableSample(sample)) => {
                sample.relation.iter().for_each(|relation| self.from(relation));
                for argument in sample.args.iter().chain(sample.repeatable.as_deref()) {
                    let kind = self.expression(argument);
                    self.expect(argument, &kind, "float4");
                }
            }
            _ => {}
        }
    }

    /// FROM holds a function call in a list, beside its column definitions.
    fn function_in_from(&mut self, node: &Node) -> Kind {
        match &node.node {
            Some(NodeEnum::List(list)) => list.items.first().map_or(Kind::Opaque, |call| self.expression(call)),
            _ => self.expression(node),
        }
    }

    fn join(&mut self, join: &JoinExpr) {
        [&join.larg, &join.rarg].into_iter().flatten().for_each(|side| self.from(side));
        self.condition(join.quals.as_deref());
    }

    fn relation(&mut self, range: &RangeVar) {
        let alias = range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone();
        let common =
            Some(&range.relname).filter(|_| range.schemaname.is_empty()).and_then(|name| self.scopes.with(name));
        let source = match common {
            Some(rows) => {
                let names = range.alias.as_ref().map_or(&[][..], |alias| alias.colnames.as_slice());
                Source::Rows(renamed(rows.clone(), names))
            }
            None => Source::Relation(name(range)),
        };
        self.scopes.add(Item { alias, source });
    }

    fn targets(&mut self, targets: &[Node]) -> Rows {
        let mut rows = Rows::default();
        for target in targets {
            let Some(NodeEnum::ResTarget(target)) = &target.node else { continue };
            let Some(value) = target.val.as_deref() else { continue };
            if let Some(qualifier) = star(value) {
                rows.stars.extend(self.scopes.stars(qualifier));
                continue;
            }
            let kind = self.expression(value);
            let name = Some(&target.name).filter(|name| !name.is_empty()).cloned();
            let name = name.unwrap_or_else(|| implicit_name(value));
            rows.columns.push(Column { name, kind, origin: self.origin(value) });
        }
        rows
    }

    fn values(&mut self, lists: &[Node]) -> Rows {
        let mut columns: Vec<Column> = Vec::new();
        for list in lists {
            let Some(NodeEnum::List(list)) = &list.node else { continue };
            for (at, value) in list.items.iter().enumerate() {
                let kind = self.expression(value);
                match columns.get(at).map(|column| column.kind.clone()) {
                    Some(first) => self.unify(&first, &kind, true),
                    None => columns.push(column(&format!("column{}", at + 1), kind)),
                }
            }
        }
        Rows { columns, stars: Vec::new() }
    }

    fn insert(&mut self, insert: &InsertStmt) -> Rows {
        self.with(insert.with_clause.as_ref());
        let Some(range) = &insert.relation else { return Rows::default() };
        let rows = insert.select_stmt.as_deref().map(|query| self.statement(query)).unwrap_or_default();
        let is_plain = insert.select_stmt.as_deref().is_some_and(is_plain_values);
        for (target, value) in insert.cols.iter().zip(&rows.columns) {
            let Some(NodeEnum::ResTarget(target)) = &target.node else { continue };
            if let Some(Kind::Known(known)) = self.target_kind(range, target)
                && let Kind::Free(number) = self.types.resolved(&value.kind)
            {
                self.types.assign(number, &known, !is_plain);
            }
        }
        self.relation(range);
        if let Some(conflict) = &insert.on_conflict_clause {
            self.scopes.add(Item { alias: "excluded".to_owned(), source: Source::Relation(name(range)) });
            self.assignments(range, &conflict.target_list);
            self.condition(conflict.where_clause.as_deref());
        }
        self.returning(insert.returning_clause.as_ref())
    }

    fn update(&mut self, update: &UpdateStmt) -> Rows {
        self.with(update.with_clause.as_ref());
        let Some(range) = &update.relation else { return Rows::default() };
        self.relation(range);
        update.from_clause.iter().for_each(|from| self.from(from));
        self.assignments(range, &update.target_list);
        self.condition(update.where_clause.as_deref());
        self.returning(update.returning_clause.as_ref())
    }

    fn delete(&mut self, delete: &DeleteStmt) -> Rows {
        self.with(delete.with_clause.as_ref());
        let Some(range) = &delete.relation else { return Rows::default() };
        self.relation(range);
        delete.using_clause.iter().for_each(|from| self.from(from));
        self.condition(delete.where_clause.as_deref());
        self.returning(delete.returning_clause.as_ref())
    }

    fn merge(&mut self, merge: &MergeStmt) -> Rows {
        self.with(merge.with_clause.as_ref());
        let Some(range) = &merge.relation else { return Rows::default() };
        self.relation(range);
        merge.source_relation.iter().for_each(|source| self.from(source));
        self.condition(merge.join_condition.as_deref());
        for when in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(when)) = &when.node else { continue };
            self.condition(when.condition.as_deref());
            self.assignments(range, &when.target_list);
            for (target, value) in when.target_list.iter().zip(&when.values) {
                self.assign(range, target, value);
            }
        }
        self.returning(merge.returning_clause.as_ref())
    }

    fn returning(&mut self, clause: Option<&ReturningClause>) -> Rows {
        clause.map(|clause| self.targets(&clause.exprs)).unwrap_or_default()
    }

    fn assignments(&mut self, range: &RangeVar, targets: &[Node]) {
        for target in targets {
            let Some(NodeEnum::ResTarget(assignment)) = &target.node else { continue };
            match assignment.val.as_deref() {
                Some(Node { node: Some(NodeEnum::MultiAssignRef(multiple)) }) => {
                    let source = multiple.source.as_deref().and_then(|source| source.node.as_ref());
                    let at = usize::try_from(multiple.colno - 1).unwrap_or(0);
                    match source {
                        Some(NodeEnum::RowExpr(row)) => {
                            row.args.get(at).into_iter().for_each(|value| self.assign(range, target, value))
                        }
                        _ if at == 0 => multiple.source.iter().for_each(|source| drop(self.expression(source))),
                        _ => {}
                    }
                }
                Some(value) => self.assign(range, target, value),
                None => {}
            }
        }
    }

    fn assign(&mut self, range: &RangeVar, target: &Node, value: &Node) {
        let kind = self.expression(value);
        if let Some(NodeEnum::ResTarget(target)) = &target.node {
            let Some(Kind::Known(known)) = self.target_kind(range, target) else { return };
            match self.types.resolved(&kind) {
                Kind::Free(number) => self.types.assign(number, &known, !is_parameter(value)),
                kind => self.expect(value, &kind, &known),
            }
        }
    }

    /// The type of a column that is written; none for one of its elements or fields.
    fn target_kind(&self, range: &RangeVar, target: &ResTarget) -> Option<Kind> {
        let known = (self.column_type)(&name(range), &target.name).filter(|_| target.indirection.is_empty())?;
        Some(Kind::Known(super::types::short(&known)))
    }

    pub(super) fn window(&mut self, window: &WindowDef) {
        self.all(&window.partition_clause);
        self.all(&window.order_clause);
        for offset in [&window.start_offset, &window.end_offset].into_iter().flatten() {
            self.expression(offset);
        }
    }

    fn condition(&mut self, node: Option<&Node>) {
        if let Some(node) = node {
            let kind = self.expression(node);
            self.expect(node, &kind, "bool");
        }
    }

    pub(super) fn all(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| drop(self.expression(node)));
    }

    /// The column of a relation that an expression is.
    pub(super) fn origin(&self, node: &Node) -> Option<Origin> {
        self.column(node)?.origin
    }

    pub(super) fn column(&self, node: &Node) -> Option<Column> {
        let Some(NodeEnum::ColumnRef(reference)) = &node.node else { return None };
        let fields: Vec<&str> = reference.fields.iter().filter_map(word).collect();
        let (name, qualifier) = fields.split_last()?;
        self.scopes.column(qualifier.last().copied(), name, self.column_type)
    }
}

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind, origin: None }
}

pub(super) fn name(range: &RangeVar) -> RelationName {
    let schema = Some(range.schemaname.clone()).filter(|schema| !schema.is_empty());
    RelationName { schema, name: range.relname.clone() }
}

/// Columns under the names that an alias gives them.
fn renamed(mut rows: Rows, names: &[Node]) -> Rows {
    for (column, name) in rows.columns.iter_mut().zip(names.iter().filter_map(word)) {
        name.clone_into(&mut column.name);
    }
    rows
}

/// `*` and `alias.*`, with its qualifier.
fn star(node: &Node) -> Option<Option<&str>> {
    let Some(NodeEnum::ColumnRef(reference)) = &node.node else { return None };
    let (last, before) = reference.fields.split_last()?;
    matches!(last.node, Some(NodeEnum::AStar(_))).then(|| before.last().and_then(word))
}

/// The name of a column that the query does not name.
fn implicit_name(node: &Node) -> String {
    let last = |names: &[Node]| names.last().and_then(word).unwrap_or_default().to_owned();
    match &node.node {
        Some(NodeEnum::ColumnRef(reference)) => last(&reference.fields),
        Some(NodeEnum::FuncCall(call)) => last(&call.funcname),
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().map(implicit_name).unwrap_or_default(),
        Some(NodeEnum::CaseExpr(_)) => "case".to_owned(),
        Some(NodeEnum::CoalesceExpr(_)) => "coalesce".to_owned(),
        _ => String::new(),
    }
}

/// VALUES that an INSERT takes as they are.
fn is_plain_values(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::SelectStmt(select)) if !select.values_lists.is_empty())
}
