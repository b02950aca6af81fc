//! Types of parameters: what is known of each, and which ones must be of one type.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeName};
use std::collections::BTreeMap;

/// What is known of the type of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, and nothing can be done: the server may know.
    Opaque,
    /// Its name, short: `int4`, `timestamptz`, `text[]`.
    Known(String),
    /// The type of this parameter, which is still open.
    Free(i32),
    /// An array of such.
    Array(i32),
}

impl Kind {
    pub(super) fn known(name: &str) -> Self {
        Self::Known(name.to_owned())
    }

    /// The type of an array's elements.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::Known(name) => name.strip_suffix("[]").map_or(Self::Opaque, Self::known),
            Self::Array(number) => Self::Free(*number),
            _ => Self::Opaque,
        }
    }

    /// The type of an array of such elements.
    pub(super) fn array(&self) -> Self {
        match self {
            Self::Known(name) => Self::Known(format!("{name}[]")),
            Self::Free(number) => Self::Array(*number),
            _ => Self::Opaque,
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    /// The parameter that stands for both.
    same_as: Option<i32>,
    known: Option<String>,
    default: Option<&'static str>,
    /// The server would not find the type: a cast has to be written.
    is_weak: bool,
}

/// Parameters by number. Those found to be of one type share one slot.
#[derive(Debug, Default)]
pub(super) struct Types {
    slots: BTreeMap<i32, Slot>,
    /// A sum's first operand and its second: of one type, but for what is added to a time.
    sums: Vec<(i32, i32)>,
}

impl Types {
    fn root(&self, number: i32) -> i32 {
        let mut at = number;
        while let Some(next) = self.slots.get(&at).and_then(|slot| slot.same_as) {
            at = next;
        }
        at
    }

    fn slot(&mut self, number: i32) -> &mut Slot {
        self.slots.entry(self.root(number)).or_default()
    }

    /// What is known by now.
    pub(super) fn resolved(&self, kind: &Kind) -> Kind {
        let known = |number: &i32| self.slots.get(&self.root(*number)).and_then(|slot| slot.known.clone());
        match kind {
            Kind::Free(number) => known(number).map_or_else(|| kind.clone(), Kind::Known),
            Kind::Array(number) => known(number).map_or_else(|| kind.clone(), |name| Kind::Known(format!("{name}[]"))),
            _ => kind.clone(),
        }
    }

    /// The parameter is of this type, if nothing else was said before.
    pub(super) fn bind(&mut self, number: i32, name: &str, is_weak: bool) {
        let slot = self.slot(number);
        slot.known.get_or_insert_with(|| name.to_owned());
        slot.is_weak |= is_weak;
    }

    /// The parameter is stored in a column of this type; a number of any type can be.
    pub(super) fn assign(&mut self, number: i32, name: &str, is_weak: bool) {
        let is_number = self.slot(number).default == Some("int4");
        if !(is_number && is_numeric(name)) {
            self.bind(number, name, is_weak);
        }
    }

    /// A type for the case that nothing better turns up.
    pub(super) fn suggest(&mut self, kind: &Kind, name: &'static str) {
        if let Kind::Free(number) | Kind::Array(number) = kind {
            let slot = self.slot(*number);
            slot.default.get_or_insert(name);
            slot.is_weak = true;
        }
    }

    pub(super) fn unite(&mut self, one: i32, other: i32) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            let gone = std::mem::take(self.slot(other));
            let kept = self.slot(one);
            kept.known = kept.known.take().or(gone.known);
            kept.default = kept.default.or(gone.default);
            kept.is_weak |= gone.is_weak;
            self.slots.entry(other).or_default().same_as = Some(one);
        }
    }

    /// Two parameters are added: the second takes its type from the first.
    pub(super) fn sum(&mut self, first: i32, second: i32) {
        self.suggest(&Kind::Free(first), "int4");
        self.sums.push((first, second));
    }

    /// Settles the sums.
    pub(super) fn settle(&mut self) {
        for (first, second) in std::mem::take(&mut self.sums) {
            match self.resolved(&Kind::Free(first)) {
                Kind::Known(name) if is_temporal(&name) => self.bind(second, "interval", true),
                _ => self.unite(first, second),
            }
            self.suggest(&Kind::Free(second), "int4");
        }
    }

    /// The type of a parameter, when it is known.
    pub(super) fn of(&self, number: i32) -> Option<&str> {
        self.slots.get(&self.root(number))?.known.as_deref()
    }

    /// The cast that a parameter needs.
    pub(super) fn cast(&self, number: i32) -> Option<&str> {
        let slot = self.slots.get(&self.root(number)).filter(|slot| slot.is_weak)?;
        slot.known.as_deref().or(slot.default)
    }
}

/// Short names of types, as the parser writes them, for what `format_type()` prints.
const SHORT: [(&str, &str); 12] = [
    ("integer", "int4"),
    ("int", "int4"),
    ("bigint", "int8"),
    ("smallint", "int2"),
    ("double precision", "float8"),
    ("real", "float4"),
    ("boolean", "bool"),
    ("character varying", "varchar"),
    ("character", "bpchar"),
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("bit varying", "varbit"),
];

/// A type without its modifier: `timestamp(3) with time zone` → `timestamptz`, `integer[]` → `int4[]`.
pub(super) fn short(name: &str) -> String {
    let (element, array) = name.strip_suffix("[]").map_or((name, ""), |element| (element, "[]"));
    let plain = match (element.find('('), element.find(')')) {
        (Some(from), Some(to)) if !element.contains('"') => format!("{}{}", &element[..from], &element[to + 1..]),
        _ => element.to_owned(),
    };
    let plain = match plain.as_str() {
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        // Without its length it would be one bit.
        "bit" => "varbit",
        plain => SHORT.iter().find(|(long, _)| *long == plain).map_or(plain, |(_, short)| short),
    };
    format!("{plain}{array}")
}

/// The type a cast names.
pub(super) fn cast_target(name: &TypeName) -> Option<String> {
    let words: Vec<&str> = name.names.iter().filter_map(word).collect();
    let array = if name.array_bounds.is_empty() { "" } else { "[]" };
    match words.as_slice() {
        ["pg_catalog", only] | [only] => Some(format!("{}{array}", short(only))),
        _ => None,
    }
}

/// The text of a name's part.
pub(super) fn word(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(word) => Some(&word.sval),
        _ => None,
    }
}

pub(super) fn is_temporal(name: &str) -> bool {
    matches!(name, "date" | "timestamp" | "timestamptz" | "time" | "timetz")
}

const NUMBERS: [&str; 6] = ["int2", "int4", "int8", "numeric", "float4", "float8"];

fn is_numeric(name: &str) -> bool {
    NUMBERS.contains(&name)
}

pub(super) fn is_text(name: &str) -> bool {
    matches!(name, "text" | "varchar" | "bpchar" | "name" | "citext" | "public.citext")
}

/// The type of `one <operator> other`.
pub(super) fn arithmetic(operator: &str, one: &str, other: &str) -> Kind {
    let rank = |name: &str| NUMBERS.iter().position(|number| *number == name);
    match (operator, one, other) {
        ("-", "date", "date") => Kind::known("int4"),
        ("-", one, other) if is_temporal(one) && is_temporal(other) => Kind::known("interval"),
        (_, "date", "interval") | (_, "interval", "date") => Kind::known("timestamp"),
        (_, one, _) if is_temporal(one) => Kind::known(one),
        (_, _, other) if is_temporal(other) => Kind::known(other),
        (_, "interval", _) | (_, _, "interval") => Kind::known("interval"),
        _ => match (rank(one), rank(other)) {
            (Some(one), Some(other)) => Kind::known(NUMBERS[one.max(other)]),
            _ => Kind::Opaque,
        },
    }
}
