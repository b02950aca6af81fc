//! A key of an index: a column or an expression, its operator class and its order.

use crate::ddl::quoted;
use crate::model::advice::AdvisedKey;
use crate::statement::is_call;

/// A key of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Name of a column, or an expression as the server prints it.
    pub column: String,
    /// It is an expression.
    pub is_expression: bool,
    /// Operator class; none: the default of its type.
    pub class: Option<String>,
    /// DESC.
    pub is_descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

impl Key {
    /// A column in ascending order.
    #[must_use]
    pub fn ascending(column: &str) -> Self {
        Self { column: column.to_owned(), ..Self::default() }
    }

    /// An expression in ascending order.
    #[must_use]
    pub fn expression(text: &str) -> Self {
        Self { column: text.to_owned(), is_expression: true, ..Self::default() }
    }

    /// The same in an order by the bits of `pg_index.indoption`.
    #[must_use]
    pub fn in_order(self, option: i16) -> Self {
        Self { is_descending: option & 1 != 0, nulls_first: option & 2 != 0, ..self }
    }

    /// Both are the same column or expression with the same comparison, in whatever order.
    #[must_use]
    pub fn is_on(&self, other: &Self) -> bool {
        self.column == other.column && self.is_expression == other.is_expression && self.class == other.class
    }

    /// Words for the index's name: the column's, or those of the expression.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        if !self.is_expression {
            return vec![self.column.clone()];
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let words = self.column.split(|c: char| !is_part(c)).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }

    /// As `CREATE INDEX` takes it and `pg_get_indexdef()` prints it.
    #[must_use]
    pub fn sql(&self) -> String {
        let what = match self.is_expression {
            false => quoted(&self.column),
            true if is_call(&self.column) => self.column.clone(),
            true => format!("({})", self.column),
        };
        let class = self.class.as_ref().map(|class| format!(" {class}")).unwrap_or_default();
        let order = match (self.is_descending, self.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        format!("{what}{class}{order}")
    }
}

impl From<&AdvisedKey> for Key {
    fn from(key: &AdvisedKey) -> Self {
        Self {
            column: key.column.clone(),
            is_expression: key.is_expression,
            class: key.operator_class.clone(),
            is_descending: key.is_descending,
            nulls_first: key.nulls_first,
        }
    }
}

impl From<&Key> for AdvisedKey {
    fn from(key: &Key) -> Self {
        Self {
            column: key.column.clone(),
            is_expression: key.is_expression,
            operator_class: key.class.clone(),
            is_descending: key.is_descending,
            nulls_first: key.nulls_first,
        }
    }
}
