//! The three files that `pgassay rules new` writes.

use crate::rules::form::Area;

/// A new rule and its two fixtures, as `(file name, text)`: they load and hold, to be rewritten piece by
/// piece.
#[must_use]
pub fn stub(area: Area, id: &str) -> [(String, String); 3] {
    let rule = format!(
        "id: {id}
title: what is wrong, in a few words
area: {area}
severity: warning
kind: runtime
over: relations            # `pgassay rules fields` lists the facets and their fields
params:
  min_bytes: {{default: 10MiB, unit: bytes, why: \"say why this number\"}}
when: bytes >= min_bytes
impact: {{value: bytes, unit: bytes}}
message: \"{{{{ bytes|bytes }}}} in one table, {{{{ stats_window }}}}\"
evidence: [bytes]
why: what it costs.
fix: {{action: none, text: what to do}}
quiet_when: when a DBA may ignore it.
references: []
tags: []
",
        area = area.name()
    );
    let fixture = |name: &str, bytes: i64, expect: &str| {
        format!(
            "# {name}: say what this story tests
snapshot:
  relations:
    - {{schema: public, name: orders, bytes: {bytes}}}
expect: {expect}
"
        )
    };
    [
        (format!("{id}.yaml"), rule),
        (
            format!("fixtures/{id}/fires_basic.yaml"),
            fixture("fires", 20_971_520, "[{object: public.orders, severity: warning}]"),
        ),
        (format!("fixtures/{id}/quiet_small.yaml"), fixture("quiet", 1024, "[]")),
    ]
}
