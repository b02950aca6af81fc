//! Accepted findings: who accepted what, why, and until when.

use crate::model::finding::{Finding, Waived};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A finding that somebody accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The rule's id.
    pub rule: String,
    /// The object's path as reports print it, `*` and `?` as wildcards.
    pub object: String,
    /// Why it is accepted.
    pub reason: String,
    /// Last day it holds.
    #[serde(default, deserialize_with = "day")]
    pub until: Option<NaiveDate>,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// By hand, as the date's own words for a mistake do not say how one is written.
fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
    struct Day;
    impl<'de> Visitor<'de> for Day {
        type Value = Option<NaiveDate>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a date, as in 2027-01-31")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(Some).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_str(self)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    from.deserialize_option(Day)
}

impl Waiver {
    /// The waiver's day is over.
    #[must_use]
    pub fn is_expired(&self, today: NaiveDate) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// The waiver is about this finding, expired or not.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && matches_glob(&self.object, &finding.object.path())
    }

    /// What the report shows of it.
    #[must_use]
    pub fn stamp(&self) -> Waived {
        Waived { reason: self.reason.clone(), until: self.until, owner: self.owner.clone() }
    }
}

/// `*` stands for any text, `?` for one character; all else for itself.
#[must_use]
pub(crate) fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                p = at + 1;
                t = from + 1;
                star = Some((at, from + 1));
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("public.orders_idx", "public.orders_idx", true),
            ("public.*", "public.orders_idx", true),
            ("*_legacy_*", "public.orders_legacy_idx", true),
            ("public.orders_?", "public.orders_12", false),
            ("public.*x", "public.orders_idx_y", false),
            ("", "a", false),
            ("**", "", true),
        ] {
            assert_eq!(matches_glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
