//! Expressions: what type they are of, and what their parameters must be.

use super::meeting::{Comparison, Meeting, flipped};
use super::types::{Kind, arithmetic, cast_target, is_temporal, is_text, word};
use super::walk::Walk;
use pg_query::NodeEnum;
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AConst, AExpr, AExprKind, CaseExpr, Node, SqlValueFunctionOp, SubLink, SubLinkType};

impl Walk<'_> {
    /// Reads an expression and tells its type.
    pub(super) fn expression(&mut self, node: &Node) -> Kind {
        let Some(expression) = &node.node else { return Kind::Opaque };
        match expression {
            NodeEnum::ParamRef(param) => Kind::Free(param.number),
            NodeEnum::ColumnRef(_) => self.column(node).map_or(Kind::Opaque, |column| column.kind),
            NodeEnum::AConst(constant) => constant_kind(constant),
            NodeEnum::AExpr(expression) => self.operation(expression),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::TypeCast(cast) => {
                let target = cast.type_name.as_ref().and_then(cast_target);
                let (Some(argument), Some(target)) = (cast.arg.as_deref(), target) else { return Kind::Opaque };
                if let Kind::Free(number) = self.expression(argument) {
                    self.types.bind(number, &target, !is_parameter(argument));
                }
                Kind::Known(target)
            }
            NodeEnum::BoolExpr(expression) => {
                for argument in &expression.args {
                    let kind = self.expression(argument);
                    self.expect(argument, &kind, "bool");
                }
                Kind::known("bool")
            }
            NodeEnum::NullTest(test) => {
                let kind = test.arg.as_deref().map_or(Kind::Opaque, |argument| self.expression(argument));
                self.types.suggest(&kind, "text");
                Kind::known("bool")
            }
            NodeEnum::BooleanTest(test) => {
                test.arg.iter().for_each(|argument| {
                    let kind = self.expression(argument);
                    self.expect(argument, &kind, "bool");
                });
                Kind::known("bool")
            }
            NodeEnum::CaseExpr(case) => self.case(case),
            NodeEnum::CoalesceExpr(coalesce) => self.one_type(&coalesce.args.iter().collect::<Vec<_>>()),
            NodeEnum::MinMaxExpr(extreme) => self.one_type(&extreme.args.iter().collect::<Vec<_>>()),
            NodeEnum::AArrayExpr(array) => self.one_type(&array.elements.iter().collect::<Vec<_>>()).array(),
            NodeEnum::SubLink(link) => self.sublink(link),
            NodeEnum::SqlvalueFunction(function) => value_function(function.op()),
            _ => self.container(expression),
        }
    }

    /// What only holds other expressions.
    fn container(&mut self, expression: &NodeEnum) -> Kind {
        match expression {
            NodeEnum::RowExpr(row) => self.all(&row.args),
            NodeEnum::List(list) => self.all(&list.items),
            NodeEnum::GroupingSet(set) => self.all(&set.content),
            NodeEnum::SortBy(sort) => sort.node.iter().for_each(|node| drop(self.expression(node))),
            NodeEnum::AIndirection(part) => part.arg.iter().for_each(|node| drop(self.expression(node))),
            NodeEnum::NamedArgExpr(named) => {
                return named.arg.as_deref().map_or(Kind::Opaque, |node| self.expression(node));
            }
            NodeEnum::CollateClause(collate) => {
                return collate.arg.as_deref().map_or(Kind::Opaque, |node| self.expression(node));
            }
            _ => {}
        }
        Kind::Opaque
    }

    /// The expression has to be of this type; a parameter alone gets it from the server.
    pub(super) fn expect(&mut self, node: &Node, kind: &Kind, name: &str) {
        match (self.types.resolved(kind), name.strip_suffix("[]")) {
            (Kind::Free(number), _) => self.types.bind(number, name, !is_parameter(node)),
            (Kind::Array(number), Some(element)) => self.types.bind(number, element, true),
            _ => {}
        }
    }

    /// Two expressions have to be of one type.
    pub(super) fn unify(&mut self, one: &Kind, other: &Kind, is_weak: bool) {
        match (self.types.resolved(one), self.types.resolved(other)) {
            (Kind::Free(number), Kind::Known(name)) | (Kind::Known(name), Kind::Free(number)) => {
                self.types.bind(number, &name, is_weak);
            }
            (Kind::Array(number), Kind::Known(name)) | (Kind::Known(name), Kind::Array(number)) => {
                if let Some(element) = name.strip_suffix("[]") {
                    self.types.bind(number, element, true);
                }
            }
            (Kind::Free(one), Kind::Free(other)) | (Kind::Array(one), Kind::Array(other)) => {
                self.types.unite(one, other);
            }
            _ => {}
        }
    }

    /// Expressions of which each may be the result.
    pub(super) fn one_type(&mut self, nodes: &[&Node]) -> Kind {
        let kinds: Vec<Kind> = nodes.iter().map(|node| self.expression(node)).collect();
        let resolved = |walk: &Self| kinds.iter().map(|kind| walk.types.resolved(kind)).collect::<Vec<_>>();
        let known = resolved(self).into_iter().find(|kind| matches!(kind, Kind::Known(_)));
        let first = known.or_else(|| kinds.iter().find(|kind| **kind != Kind::Opaque).cloned());
        let Some(first) = first else { return Kind::Opaque };
        for (node, kind) in nodes.iter().zip(&kinds) {
            self.unify(&first, kind, !is_parameter(node));
        }
        if kinds.contains(&Kind::Opaque) && !matches!(first, Kind::Known(_)) { Kind::Opaque } else { first }
    }

    fn case(&mut self, case: &CaseExpr) -> Kind {
        let tested = case.arg.as_deref().map(|argument| (argument, self.expression(argument)));
        let mut results = Vec::new();
        for when in &case.args {
            let Some(NodeEnum::CaseWhen(when)) = &when.node else { continue };
            if let Some(condition) = when.expr.as_deref() {
                let kind = self.expression(condition);
                match &tested {
                    Some((argument, tested)) => self.compare((argument, tested), (condition, &kind), Comparison::Equal),
                    None => self.expect(condition, &kind, "bool"),
                }
            }
            results.extend(when.result.as_deref());
        }
        results.extend(case.defresult.as_deref());
        self.one_type(&results)
    }

    fn sublink(&mut self, link: &SubLink) -> Kind {
        let rows = link.subselect.as_deref().map(|query| self.statement(query)).unwrap_or_default();
        let first = rows.columns.first().map_or(Kind::Opaque, |column| column.kind.clone());
        match link.sub_link_type() {
            SubLinkType::ExprSublink => first,
            SubLinkType::ArraySublink => first.array(),
            SubLinkType::AnySublink | SubLinkType::AllSublink => {
                let tested: Vec<&Node> = match link.testexpr.as_deref() {
                    Some(Node { node: Some(NodeEnum::RowExpr(row)) }) => row.args.iter().collect(),
                    one => one.into_iter().collect(),
                };
                for (node, column) in tested.into_iter().zip(&rows.columns) {
                    let kind = self.expression(node);
                    self.unify(&kind, &column.kind, true);
                }
                Kind::known("bool")
            }
            SubLinkType::ExistsSublink => Kind::known("bool"),
            _ => Kind::Opaque,
        }
    }

    fn operation(&mut self, expression: &AExpr) -> Kind {
        let (Some(right), left) = (expression.rexpr.as_deref(), expression.lexpr.as_deref()) else {
            return Kind::Opaque;
        };
        let operator = expression.name.last().and_then(word).unwrap_or_default();
        let Some(left) = left else {
            let kind = self.expression(right);
            self.types.suggest(&kind, "int4");
            return kind;
        };
        match expression.kind() {
            AExprKind::AexprOp => return self.binary(operator, left, right),
            AExprKind::AexprNullif => {
                let kinds = [self.expression(left), self.expression(right)];
                self.compare((left, &kinds[0]), (right, &kinds[1]), Comparison::Other);
                return kinds[0].clone();
            }
            AExprKind::AexprOpAny | AExprKind::AexprOpAll => self.any(operator, left, right),
            AExprKind::AexprIn => self.pairs(left, right, |_| Comparison::In),
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                let bounds = [Comparison::BetweenLow, Comparison::BetweenHigh];
                self.pairs(left, right, |at| bounds[at.min(1)]);
            }
            AExprKind::AexprLike | AExprKind::AexprIlike | AExprKind::AexprSimilar => {
                let kinds = [self.expression(left), self.expression(right)];
                self.meet(left, right, Comparison::Like);
                for (node, kind) in [(left, &kinds[0]), (right, &kinds[1])] {
                    self.expect(node, kind, "text");
                }
            }
            _ => {
                let kinds = [self.expression(left), self.expression(right)];
                self.compare((left, &kinds[0]), (right, &kinds[1]), Comparison::Other);
            }
        }
        Kind::known("bool")
    }

    /// One expression compared with each of a list.
    fn pairs(&mut self, left: &Node, right: &Node, comparison: impl Fn(usize) -> Comparison) {
        let Some(NodeEnum::List(list)) = &right.node else { return };
        let kind = self.expression(left);
        for (at, item) in list.items.iter().enumerate() {
            let other = self.expression(item);
            self.compare((left, &kind), (item, &other), comparison(at));
        }
    }

    fn any(&mut self, operator: &str, left: &Node, right: &Node) {
        let kinds = [self.expression(left), self.expression(right)];
        let comparison = if operator == "=" { Comparison::In } else { Comparison::of(operator) };
        self.meet(left, right, comparison);
        match (self.types.resolved(&kinds[0]), &kinds[1]) {
            (Kind::Known(name), Kind::Free(number)) if is_parameter(right) => {
                self.types.bind(*number, &format!("{name}[]"), false);
            }
            (kind, array) => self.unify(&kind, &array.element(), true),
        }
    }

    fn binary(&mut self, operator: &str, left: &Node, right: &Node) -> Kind {
        let kinds = [self.expression(left), self.expression(right)];
        let sides = [(left, &kinds[0]), (right, &kinds[1])];
        let resolved = [self.types.resolved(&kinds[0]), self.types.resolved(&kinds[1])];
        match operator {
            "+" | "-" | "*" | "/" | "%" | "^" | "&" | "|" | "#" | "<<" | ">>" => self.arithmetic(operator, sides),
            "||" => match resolved {
                [Kind::Known(name), _] | [_, Kind::Known(name)] if !is_text(&name) => Kind::Known(name),
                _ => {
                    sides
                        .into_iter()
                        .filter(|side| !is_parameter(side.0))
                        .for_each(|(node, kind)| self.expect(node, kind, "text"));
                    Kind::known("text")
                }
            },
            "->>" | "#>>" => Kind::known("text"),
            "->" | "#>" | "#-" => kinds[0].clone(),
            "=" | "<>" | "<" | "<=" | ">" | ">=" => {
                self.compare(sides[0], sides[1], Comparison::of(operator));
                Kind::known("bool")
            }
            "~" | "~*" | "!~" | "!~*" | "@>" | "<@" | "&&" | "?" | "?|" | "?&" | "@@" | "@?" => {
                self.meet(left, right, Comparison::Other);
                if matches!(operator, "@>" | "<@" | "&&") {
                    self.unify(&kinds[0], &kinds[1], sides.iter().all(|(node, _)| !is_parameter(node)));
                }
                Kind::known("bool")
            }
            _ => Kind::Opaque,
        }
    }

    /// Sums and products. The server takes a parameter beside a time for another time.
    fn arithmetic(&mut self, operator: &str, sides: [(&Node, &Kind); 2]) -> Kind {
        let [one, other] = sides.map(|(_, kind)| self.types.resolved(kind));
        match (&one, &other) {
            (Kind::Free(first), Kind::Free(second)) => {
                if matches!(operator, "+" | "-") {
                    self.types.sum(*first, *second);
                } else {
                    self.types.suggest(&one, "int4");
                    self.types.unite(*first, *second);
                }
                one.clone()
            }
            (Kind::Known(known), Kind::Free(number)) => self.beside(operator, known, *number, sides[1].0),
            (Kind::Free(number), Kind::Known(known)) if operator == "-" && is_temporal(known) => {
                self.types.bind(*number, known, true);
                arithmetic(operator, known, known)
            }
            (Kind::Free(number), Kind::Known(known)) => self.beside(operator, known, *number, sides[0].0),
            (Kind::Known(one), Kind::Known(other)) => arithmetic(operator, one, other),
            _ => {
                let made = sides.into_iter().filter(|(node, _)| !is_parameter(node));
                made.for_each(|(_, kind)| self.types.suggest(kind, "int4"));
                Kind::Opaque
            }
        }
    }

    fn beside(&mut self, operator: &str, known: &str, number: i32, node: &Node) -> Kind {
        match (known, operator) {
            ("date", _) => self.types.bind(number, "int4", true),
            ("interval", "*" | "/") => self.types.bind(number, "float8", true),
            (known, _) if is_temporal(known) => self.types.bind(number, "interval", true),
            (known, _) if is_text(known) => self.types.bind(number, "int4", true),
            ("jsonb", _) => {}
            _ => self.types.bind(number, known, !is_parameter(node)),
        }
        Kind::known(known)
    }

    /// Two sides of a comparison.
    fn compare(&mut self, one: (&Node, &Kind), other: (&Node, &Kind), comparison: Comparison) {
        if let (Some(NodeEnum::RowExpr(row)), Some(NodeEnum::RowExpr(values))) = (&one.0.node, &other.0.node) {
            for (left, right) in row.args.iter().zip(&values.args) {
                let kinds = [self.expression(left), self.expression(right)];
                self.compare((left, &kinds[0]), (right, &kinds[1]), comparison);
            }
            return;
        }
        self.meet(one.0, other.0, comparison);
        let kinds = [self.types.resolved(one.1), self.types.resolved(other.1)];
        let is_plain = match kinds {
            [Kind::Free(_), _] => is_parameter(one.0),
            [_, Kind::Free(_)] => is_parameter(other.0),
            _ => false,
        };
        self.unify(one.1, other.1, !is_plain);
    }

    /// Keeps which parameters a column meets.
    fn meet(&mut self, one: &Node, other: &Node, comparison: Comparison) {
        for (column, value, comparison) in [(one, other, comparison), (other, one, flipped(comparison))] {
            let Some((relation, name)) = self.origin(column) else { continue };
            let side = self.meetings.len();
            for (number, role) in super::meeting::values(value) {
                let met = Meeting { relation: relation.clone(), column: name.clone(), comparison, role, side };
                self.meetings.push((number, met));
            }
        }
    }
}

/// A parameter and nothing round it.
pub(super) fn is_parameter(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::ParamRef(_)))
}

fn constant_kind(constant: &AConst) -> Kind {
    match &constant.val {
        Some(Val::Ival(_)) => Kind::known("int4"),
        Some(Val::Fval(_)) => Kind::known("numeric"),
        Some(Val::Boolval(_)) => Kind::known("bool"),
        _ => Kind::Opaque,
    }
}

fn value_function(operation: SqlValueFunctionOp) -> Kind {
    use SqlValueFunctionOp as Op;
    match operation {
        Op::SvfopCurrentDate => Kind::known("date"),
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => Kind::known("timestamptz"),
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => Kind::known("timestamp"),
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => Kind::known("timetz"),
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => Kind::known("time"),
        _ => Kind::known("name"),
    }
}
