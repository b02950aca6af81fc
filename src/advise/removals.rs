//! Indexes that could go: found by the rules, or made redundant by a proposal. Judged together, as the
//! plan of drops would be with the proposals there.

use crate::ddl::{Wish, propose};
use crate::model::advice::{AdvisedKey, Proposal, Removal};
use crate::model::finding::fingerprint;
use crate::model::object::{Object, ObjectKind};
use crate::model::plan::{Change, FindingRef, Step};
use crate::model::snapshot::{Index, Snapshot, Tool};
use crate::statement::{index_parts, index_text};

/// What calls for a removal when no rule does.
const MADE_REDUNDANT: &str = "made_redundant";

/// What could go. Constraint-backed indexes, replica identities, the last that serves a foreign key, and those
/// that another removal counts on stay.
pub(super) fn removals(proposals: &[Proposal], wishes: &[Wish], snapshot: &Snapshot) -> Vec<Removal> {
    let mut then = snapshot.clone();
    then.indexes.extend(proposals.iter().map(|proposal| built(proposal, &snapshot.target.database)));
    let drops = wishes.iter().filter(|wish| wish.action == "drop_index").cloned();
    // Those of the proposals come last: their keeper counts.
    let wishes: Vec<Wish> = drops.chain(made_redundant(proposals, snapshot)).collect();
    let plan = propose(&wishes, &then, Tool::default());
    plan.steps.iter().filter_map(|step| removal(step, proposals)).collect()
}

/// The proposal as an index that is there.
fn built(proposal: &Proposal, database: &str) -> Index {
    Index {
        database: database.to_owned(),
        schema: proposal.name.schema.clone(),
        name: proposal.name.name.clone(),
        table: proposal.table.name.clone(),
        method: proposal.method.name().to_owned(),
        key_columns: proposal.keys.iter().map(column).collect(),
        included_columns: proposal.include.clone(),
        predicate: proposal.predicate.clone(),
        is_valid: true,
        is_ready: true,
        is_live: true,
        ..Index::default()
    }
}

/// An expression is an empty text, as in the catalog.
fn column(key: &AdvisedKey) -> String {
    if key.is_expression { String::new() } else { key.column.clone() }
}

/// Plain indexes of which a proposal is a wider one: more keys behind theirs, by the same text, operator classes and
/// collations included, or more columns carried along; of the same rows.
fn made_redundant(proposals: &[Proposal], snapshot: &Snapshot) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for index in snapshot.indexes.iter().filter(|index| index.is_valid && !index.is_unique) {
        let (Some(text), Some(parts)) = (index_text(&index.definition), index_parts(&index.definition)) else {
            continue;
        };
        let own = keys(&text.using, !index.included_columns.is_empty());
        let is_wider = |proposal: &&Proposal| {
            let is_of_table = (&proposal.table.schema, &proposal.table.name) == (&index.schema, &index.table);
            let rest = keys(&proposal.using, !proposal.include.is_empty()).strip_prefix(own);
            let begins = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "));
            let has = |column: &String| {
                let is_key = |key: &AdvisedKey| !key.is_expression && key.column == *column;
                proposal.include.contains(column) || proposal.keys.iter().any(is_key)
            };
            is_of_table && begins && index.included_columns.iter().all(has) && proposal.predicate == parts.predicate
        };
        wishes.extend(proposals.iter().find(is_wider).map(|proposal| wish(index, proposal)));
    }
    wishes
}

/// Access method and keys, `btree (a, b`.
fn keys(using: &str, carries: bool) -> &str {
    let using = if carries { using.rsplit_once(" INCLUDE (").map_or(using, |(keys, _)| keys) } else { using };
    using.strip_suffix(')').unwrap_or(using)
}

fn wish(index: &Index, keeper: &Proposal) -> Wish {
    let object = Object::in_schema(ObjectKind::Index, &index.database, &index.schema, &index.name);
    Wish {
        finding: FindingRef {
            rule: MADE_REDUNDANT.to_owned(),
            object: object.path(),
            fingerprint: fingerprint(&format!("{MADE_REDUNDANT}:{}", object.path())),
        },
        action: "drop_index".to_owned(),
        object: object.of_table(&index.table),
        message: String::new(),
        advice: String::new(),
        caveats: Vec::new(),
        is_doubtful: false,
        keeper: Some(keeper.name.to_string()),
        definition: None,
    }
}

fn removal(step: &Step, proposals: &[Proposal]) -> Option<Removal> {
    let Change::DropIndex(form) = &step.change else { return None };
    let is_keeper = |proposal: &&Proposal| form.keeper.as_ref() == Some(&proposal.name);
    Some(Removal {
        name: form.name.clone(),
        table: form.table.clone(),
        reasons: step.findings.iter().map(|finding| finding.rule.clone()).collect(),
        keeper: form.keeper.clone(),
        after_proposal: proposals.iter().find(is_keeper).map(|proposal| proposal.id),
        bytes: -step.estimate.bytes,
        definition: step.statements.first()?.sql.clone(),
    })
}
