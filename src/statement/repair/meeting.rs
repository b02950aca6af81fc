//! With which columns parameters are compared, and how.

use crate::model::snapshot::RelationName;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, Node};

/// What is known of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// n of `$n`.
    pub number: i32,
    /// Its type, by its short name, when the text or a column tells it.
    pub type_name: Option<String>,
    /// Columns it is compared with.
    pub meetings: Vec<Meeting>,
}

/// A parameter on one side of a comparison, a column on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Relation, as the statement names it.
    pub relation: RelationName,
    /// Column.
    pub column: String,
    /// How they are compared, the column being on the left.
    pub comparison: Comparison,
    /// What the parameter is to the other side.
    pub role: ParameterRole,
    /// Tells the statement's comparisons apart: the parameters of one side have the same number.
    pub side: usize,
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `column = $1`
    Equal,
    /// `column <> $1`
    NotEqual,
    /// `column < $1`
    Less,
    /// `column <= $1`
    LessEqual,
    /// `column > $1`
    Greater,
    /// `column >= $1`
    GreaterEqual,
    /// `column between $1 and …`
    BetweenLow,
    /// `column between … and $1`
    BetweenHigh,
    /// `column like $1`, also ILIKE and SIMILAR TO
    Like,
    /// `column in ($1, …)`, `column = any ($1)`
    In,
    /// Another operator.
    Other,
}

/// What a parameter is to the side of the comparison that it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterRole {
    /// It is the side, or one value of a list.
    Value,
    /// Something is computed from it: `$1 + $2`, `2 * $1`.
    Summand,
}

impl Comparison {
    pub(super) fn of(operator: &str) -> Self {
        match operator {
            "=" => Self::Equal,
            "<>" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterEqual,
            _ => Self::Other,
        }
    }
}

/// The comparison with its sides exchanged: a value between two columns is
/// above one and below the other.
pub(super) fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual | Comparison::BetweenHigh => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual | Comparison::BetweenLow => Comparison::LessEqual,
        Comparison::In => Comparison::Equal,
        Comparison::Like => Comparison::Other,
        same => same,
    }
}

/// The parameters one side of a comparison is made of.
pub(super) fn values(node: &Node) -> Vec<(i32, ParameterRole)> {
    let all = |nodes: &[Node]| nodes.iter().flat_map(values).collect();
    match &node.node {
        Some(NodeEnum::ParamRef(param)) => vec![(param.number, ParameterRole::Value)],
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().map(values).unwrap_or_default(),
        Some(NodeEnum::AArrayExpr(array)) => all(&array.elements),
        Some(NodeEnum::AExpr(sum)) if sum.kind == AExprKind::AexprOp as i32 => {
            let sides = [&sum.lexpr, &sum.rexpr].into_iter().flatten();
            sides.flat_map(|side| values(side)).map(|(number, _)| (number, ParameterRole::Summand)).collect()
        }
        _ => Vec::new(),
    }
}
