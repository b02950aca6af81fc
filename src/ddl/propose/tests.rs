//! Findings in, steps out.

use super::*;
use crate::model::snapshot::{Partition, Relation, RelationKind, TargetInfo};
use chrono::DateTime;

const DATABASE: &str = "shop";

fn relation(name: &str) -> Relation {
    Relation {
        database: DATABASE.to_owned(),
        schema: "public".to_owned(),
        name: name.to_owned(),
        options: vec!["autovacuum_enabled=off".to_owned()],
        ..Relation::default()
    }
}

fn index(name: &str, columns: &[&str]) -> Index {
    Index {
        database: DATABASE.to_owned(),
        schema: "public".to_owned(),
        name: name.to_owned(),
        table: "orders".to_owned(),
        definition: format!("CREATE INDEX {name} ON public.orders USING btree ({})", columns.join(", ")),
        key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        is_valid: true,
        is_ready: true,
        is_live: true,
        bytes: 1000,
        ..Index::default()
    }
}

fn key(table: &str) -> ForeignKey {
    ForeignKey {
        database: DATABASE.to_owned(),
        schema: "public".to_owned(),
        table: table.to_owned(),
        name: "key".to_owned(),
        columns: vec!["user_id".to_owned()],
        ..ForeignKey::default()
    }
}

/// A table with two twins, one covered index and one that serves a foreign key.
fn snapshot() -> Snapshot {
    Snapshot {
        target: TargetInfo { database: DATABASE.to_owned(), ..TargetInfo::default() },
        relations: vec![relation("orders")],
        indexes: vec![index("a", &["x"]), index("b", &["x"]), index("c", &["x", "y"]), index("u", &["user_id"])],
        foreign_keys: vec![key("orders")],
        ..Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH)
    }
}

fn wish(rule: &str, action: &str, kind: ObjectKind, name: &str) -> Wish {
    let mut object = Object::in_schema(kind, DATABASE, "public", name);
    object.table = Some("orders".to_owned());
    Wish {
        finding: FindingRef { rule: rule.to_owned(), object: object.path(), fingerprint: String::new() },
        action: action.to_owned(),
        object,
        message: format!("{rule} of {name}"),
        advice: "do it".to_owned(),
        caveats: vec!["it may be wrong".to_owned()],
        is_doubtful: false,
        keeper: None,
        definition: None,
    }
}

fn drop_it(name: &str) -> Wish {
    wish("unused_index", "drop_index", ObjectKind::Index, name)
}

fn drop_for(name: &str, keeper: &str) -> Wish {
    Wish { keeper: Some(format!("public.{keeper}")), ..wish("duplicate_index", "drop_index", ObjectKind::Index, name) }
}

fn rebuild(name: &str) -> Wish {
    wish("bloated_index", "reindex_index", ObjectKind::Index, name)
}

fn serve() -> Wish {
    wish("unindexed_foreign_key", "create_index", ObjectKind::ForeignKey, "key")
}

/// `kind name` of each step, and `name: reason` of what was left.
fn told(wishes: &[Wish], snapshot: &Snapshot) -> (Vec<String>, Vec<String>) {
    let plan = propose(wishes, snapshot, Tool::default());
    assert!(crate::ddl::sound(&plan).is_ok());
    let steps = plan.steps.iter().map(|step| format!("{} {}", step.change.kind(), step.change.object().name));
    let left = plan.left.iter().map(|left| left.reason.clone());
    (steps.collect(), left.collect())
}

#[test]
fn what_is_found_becomes_a_step_in_the_order_of_gains() {
    let wishes = [
        wish("never_analyzed", "analyze", ObjectKind::Table, "orders"),
        wish("autovacuum_disabled", "set_reloption", ObjectKind::Table, "orders"),
        drop_it("c"),
        rebuild("a"),
        drop_for("b", "a"),
    ];
    let (steps, left) = told(&wishes, &snapshot());
    assert_eq!(steps, ["reindex_index a", "drop_index b", "drop_index c", "set_reloption orders", "analyze orders"]);
    assert_eq!(left, [""; 0]);
    let mut turned = wishes.to_vec();
    turned.reverse();
    assert_eq!(told(&turned, &snapshot()).0, steps, "whatever the order of the findings");
}

#[test]
fn an_index_that_another_one_relies_on_stays() {
    let (steps, left) = told(&[drop_for("b", "a"), drop_it("a")], &snapshot());
    assert_eq!(
        (steps, left),
        (vec!["drop_index b".to_owned()], vec!["another index goes because this one does its work".to_owned()])
    );
    let plan = propose(&[drop_it("b"), drop_for("b", "a")], &snapshot(), Tool::default());
    let [Step { change: Change::DropIndex(form), why, findings, caveats, .. }] = plan.steps.as_slice() else {
        panic!("one step: {plan:#?}")
    };
    assert_eq!(form.keeper, Some(Name::new("public", "a")), "whichever finding knows it");
    assert_eq!((findings.len(), caveats.len()), (2, 1));
    assert!(why.contains("duplicate_index of b; unused_index: unused_index of b"), "{why}");
    let (steps, left) = told(&[drop_for("b", "gone")], &snapshot());
    assert_eq!(
        (steps.len(), left),
        (0, vec!["public.gone, which should do its work, is not there any more".to_owned()])
    );
}

#[test]
fn the_last_index_of_a_foreign_key_stays() {
    let spared = "it is the last index that serves a foreign key";
    assert_eq!(told(&[drop_it("u")], &snapshot()), (vec![], vec![spared.to_owned()]));
    let mut two = snapshot();
    two.indexes.push(index("v", &["user_id", "x"]));
    assert_eq!(told(&[drop_it("u")], &two).0, ["drop_index u"], "another one serves it");
    let (steps, left) = told(&[drop_it("u"), drop_it("v")], &two);
    assert_eq!((steps.len(), left), (1, vec![spared.to_owned()]), "one of two goes");
    two.indexes[4].is_valid = false;
    assert_eq!(told(&[drop_it("u")], &two).0, [""; 0], "an invalid one serves nothing");
}

/// An index that is not like others, what is wished of it, and why that is left.
type Special = (fn(&mut Index), fn(&str) -> Wish, &'static str);

const SPECIAL: &[Special] = &[
    (|index| index.constraint_name = Some("a_key".to_owned()), drop_it, "it backs the constraint a_key"),
    (|index| index.is_replica_identity = true, drop_it, "it is the table's replica identity"),
    (|index| index.is_foreign_key_target = true, drop_it, "foreign keys refer to the key it enforces"),
    (|index| index.is_partition = true, drop_it, "it is part of an index of the partitioned table"),
    (|index| index.is_extension_member = true, drop_it, "it belongs to an extension"),
    (
        |index| index.is_partitioned = true,
        drop_it,
        "DROP INDEX of a partitioned index locks the table and all its partitions against everything: \
         run it by hand in a quiet moment",
    ),
    (
        |index| index.definition = "<locked: a>".to_owned(),
        drop_it,
        "its definition could not be read, as its table was locked: plan again",
    ),
    (|index| index.is_exclusion = true, rebuild, "REINDEX CONCURRENTLY does not do indexes of exclusion constraints"),
    (
        |index| (index.is_unique, index.is_valid) = (true, false),
        rebuild,
        "it is unique and a build of it failed, most likely of duplicates: look for those first",
    ),
    (|index| index.name = "other".to_owned(), drop_it, "it is not there any more"),
    (|index| index.database = "other".to_owned(), drop_it, "it is not there any more"),
];

#[test]
fn what_may_not_be_done_is_left_with_a_reason() {
    for (make, wished, reason) in SPECIAL {
        let mut snapshot = snapshot();
        make(&mut snapshot.indexes[0]);
        assert_eq!(told(&[wished("a")], &snapshot), (vec![], vec![(*reason).to_owned()]));
    }
    let doubtful = Wish { is_doubtful: true, ..drop_it("a") };
    let mut elsewhere = drop_it("a");
    elsewhere.object.database = Some("other".to_owned());
    for (wish, reason) in [
        (doubtful, "the finding is of low confidence: look before you change anything"),
        (elsewhere, "it is in another database than shop: plan that one"),
        (
            wish("dead_rows", "vacuum", ObjectKind::Table, "orders"),
            "VACUUM runs as long as it takes and needs nobody's plan: run it by hand",
        ),
        (
            wish("x", "set_setting", ObjectKind::Setting, "y"),
            "settings of the server are changed by whoever keeps its configuration",
        ),
        (
            wish("missing_index", "create_index", ObjectKind::Index, "orders_x_idx"),
            "`pgassay advise` plans it, with the others that the workload lacks",
        ),
        (wish("x", "none", ObjectKind::Table, "orders"), "a person must decide what to change"),
        (
            wish("low_hot_updates", "set_reloption", ObjectKind::Table, "orders"),
            "which value is right depends on the updates: a person must choose",
        ),
        (wish("never_analyzed", "analyze", ObjectKind::Table, "gone"), "it is not there any more"),
    ] {
        assert_eq!(told(&[wish], &snapshot()), (vec![], vec![reason.to_owned()]));
    }
}

#[test]
fn what_a_foreign_key_and_the_workload_lack_is_made_once() {
    let mut snapshot = snapshot();
    snapshot.indexes.clear();
    let lacked = |keys: &str| Wish {
        definition: Some(format!("CREATE INDEX CONCURRENTLY i ON public.orders USING btree ({keys});")),
        ..wish("missing_index", "create_index", ObjectKind::Index, "i")
    };
    for wishes in [[serve(), lacked("user_id")], [lacked("user_id"), serve()]] {
        assert_eq!(told(&wishes, &snapshot), (vec!["create_index orders_user_id_idx".to_owned()], vec![]));
        let plan = propose(&wishes, &snapshot, Tool::default());
        let mended: Vec<&str> = plan.steps[0].findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(mended, ["missing_index", "unindexed_foreign_key"]);
    }
    let (steps, left) = told(&[serve(), lacked("user_id, placed_at")], &snapshot);
    assert_eq!((steps.len(), left.len()), (1, 1), "another index is advise's");
}

#[test]
fn leftovers_are_dropped_and_the_invalid_rebuilt() {
    for (name, is_live, step) in [
        ("a", true, "reindex_index a"),
        ("a_ccnew", true, "drop_index a_ccnew"),
        ("a_ccold1", true, "drop_index a_ccold1"),
        ("a", false, "drop_index a"),
    ] {
        let mut snapshot = snapshot();
        snapshot.indexes[0] = Index { is_valid: false, is_live, ..index(name, &["x"]) };
        assert_eq!(told(&[rebuild(name)], &snapshot).0, [step]);
    }
    assert_eq!(told(&[rebuild("a"), drop_it("a")], &snapshot()).0, ["drop_index a"], "what goes is not rebuilt");
}

#[test]
fn a_namesake_in_another_database_is_not_taken_for_it() {
    let mut snapshot = snapshot();
    for at in 0..4 {
        let mut other = snapshot.indexes[at].clone();
        other.database = "other".to_owned();
        other.definition = other.definition.replace("(x", "(z");
        snapshot.indexes.push(other);
    }
    let plan = propose(&[drop_it("a")], &snapshot, Tool::default());
    assert_eq!(plan.steps[0].change.index().map(|form| form.using.as_str()), Some("btree (x)"));
}

fn partition(name: &str, is_leaf: bool) -> Partition {
    Partition {
        database: DATABASE.to_owned(),
        parent_schema: "public".to_owned(),
        parent_name: "orders".to_owned(),
        schema: Some("public".to_owned()),
        name: Some(name.to_owned()),
        is_leaf,
        ..Partition::default()
    }
}

#[test]
fn a_foreign_key_gets_an_index_of_its_columns() {
    let mut plain = snapshot();
    plain.indexes.clear();
    let plan = propose(&[serve()], &plain, Tool::default());
    assert_eq!(
        plan.steps[0].statements[0].sql,
        "CREATE INDEX CONCURRENTLY orders_user_id_idx ON public.orders USING btree (user_id)"
    );
    assert_eq!(plan.steps[0].undo[0].sql, "DROP INDEX CONCURRENTLY public.orders_user_id_idx");

    plain.relations[0].kind = RelationKind::PartitionedTable;
    plain.relations.extend([relation("orders_1"), relation("orders_2")]);
    plain.partitions = vec![partition("orders_1", true), partition("orders_2", true)];
    let plan = propose(&[serve()], &plain, Tool::default());
    let sql: Vec<&str> = plan.steps[0].statements.iter().map(|statement| statement.sql.as_str()).collect();
    assert_eq!(
        sql,
        [
            "CREATE INDEX orders_user_id_idx ON ONLY public.orders USING btree (user_id)",
            "CREATE INDEX CONCURRENTLY orders_2_user_id_idx ON public.orders_2 USING btree (user_id)",
            "ALTER INDEX public.orders_user_id_idx ATTACH PARTITION public.orders_2_user_id_idx",
            "CREATE INDEX CONCURRENTLY orders_1_user_id_idx ON public.orders_1 USING btree (user_id)",
            "ALTER INDEX public.orders_user_id_idx ATTACH PARTITION public.orders_1_user_id_idx",
        ]
    );
    plain.partitions.push(partition("orders_foreign", true));
    assert!(told(&[serve()], &plain).1[0].contains("orders_foreign is a foreign table"));
    plain.partitions[2] = partition("orders_deep", false);
    assert!(told(&[serve()], &plain).1[0].contains("its partitions are partitioned again"));
}
