//! Where a name without a schema is looked for.

/// Schemas in the order that PostgreSQL looks into them (documentation, "The Schema Search Path").
#[derive(Debug)]
pub(super) struct SearchPath(Vec<String>);

impl SearchPath {
    /// Of a setting as it is written, `shop, "Odd, one"`. `pg_catalog` is first unless it stands elsewhere.
    pub(super) fn of(setting: &str) -> Self {
        let mut schemas: Vec<String> = split(setting).filter_map(name).collect();
        if !schemas.iter().any(|schema| schema == "pg_catalog") {
            schemas.insert(0, "pg_catalog".to_owned());
        }
        Self(schemas)
    }

    /// How early a schema is looked into; none: not at all.
    pub(super) fn place(&self, schema: &str) -> Option<usize> {
        self.0.iter().position(|own| own == schema)
    }
}

/// At commas outside of quotes.
fn split(setting: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    setting.split(move |next: char| {
        is_quoted ^= next == '"';
        next == ',' && !is_quoted
    })
}

fn name(part: &str) -> Option<String> {
    let part = part.trim();
    let quoted = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
    let name = quoted.map_or_else(|| part.to_lowercase(), |inner| inner.replace("\"\"", "\""));
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_in_order() {
        for (setting, expected) in [
            ("", &["pg_catalog"][..]),
            ("Shop, public", &["pg_catalog", "shop", "public"]),
            ("shop,pg_catalog", &["shop", "pg_catalog"]),
            ("\"Odd, one\", \"a\"\"b\" , \"\"", &["pg_catalog", "Odd, one", "a\"b"]),
        ] {
            assert_eq!(SearchPath::of(setting).0, expected, "{setting}");
        }
    }
}
