//! A site in, refusals out.

use super::*;
use crate::ddl::statements;
use crate::model::catalog::{SeenIndex, SeenRelation};
use crate::model::partition::{Likeness, PartitionForm, Subpartition, Subpartitioning};
use crate::model::plan::{Estimate, IndexForm, PLAN_VERSION, PlanTarget};
use crate::model::snapshot::Tool;
use chrono::DateTime;

fn form() -> IndexForm {
    IndexForm {
        name: Name::new("public", "t_x_idx"),
        table: Name::new("public", "t"),
        using: "btree (x)".to_owned(),
        ..IndexForm::default()
    }
}

fn plan(change: Change) -> Plan {
    let step = Step {
        id: 1,
        statements: statements(&change),
        change,
        undo: Vec::new(),
        depends_on: Vec::new(),
        why: String::new(),
        caveats: Vec::new(),
        findings: Vec::new(),
        estimate: Estimate { bytes: 100, peak_bytes: 150, ..Estimate::default() },
    };
    Plan {
        plan_version: PLAN_VERSION,
        tool: Tool::default(),
        captured_at: DateTime::UNIX_EPOCH,
        target: PlanTarget {
            database: "shop".to_owned(),
            system_identifier: Some("7".to_owned()),
            ..PlanTarget::default()
        },
        steps: vec![step],
        left: Vec::new(),
    }
}

fn relation(name: &str) -> SeenRelation {
    SeenRelation {
        schema: "public".to_owned(),
        name: name.to_owned(),
        kind: "r".to_owned(),
        is_owner: true,
        owner: "owner".to_owned(),
        may_create: true,
        ..SeenRelation::default()
    }
}

fn site() -> Site {
    let server = SeenServer {
        version_num: 180_000,
        database: "shop".to_owned(),
        role: "me".to_owned(),
        is_standby: false,
        standbys: 0,
        now: DateTime::UNIX_EPOCH,
    };
    Site {
        server,
        system_identifier: Some("7".to_owned()),
        is_read_only: false,
        is_pooled: false,
        catalog: Catalog { relations: vec![relation("t")], ..Catalog::default() },
        holders: Vec::new(),
        behind: Vec::new(),
        leftovers: Vec::new(),
    }
}

fn limits() -> Limits {
    Limits {
        max_wait: Duration::from_secs(1),
        max_replica_lag: Duration::from_secs(30),
        max_slot_wal_bytes: 1 << 30,
        free_disk_bytes: None,
    }
}

fn found(change: Change, site: &Site, limits: &Limits) -> Preflight {
    let plan = plan(change);
    preflight(&plan, &plan.steps.iter().collect::<Vec<_>>(), site, limits, None)
}

/// What is wrong with a site, and what is said of it.
type Case = (fn(&mut Site, &mut Limits), &'static str);

const CASES: &[Case] = &[
    (|site, _| site.server.is_standby = true, "the server is a standby: name the primary"),
    (|site, _| site.is_pooled = true, "a transaction pooler stands between: name the server's own address and port"),
    (
        |site, _| site.is_read_only = true,
        "default_transaction_read_only is on for me: SET it off for this role, or use another",
    ),
    (|site, _| site.server.database = "other".to_owned(), "connected to database other, the plan is for shop"),
    (
        |site, _| site.system_identifier = Some("8".to_owned()),
        "this is another cluster than the plan was made on (system_identifier)",
    ),
    (
        |site, _| site.server.version_num = 140_003,
        "PostgreSQL 14.3 builds corrupt indexes CONCURRENTLY: update to 14.4 or later",
    ),
    (
        |site, _| site.server.version_num = 140_000,
        "PostgreSQL 14.0 builds corrupt indexes CONCURRENTLY: update to 14.4 or later",
    ),
    (
        |site, _| site.catalog.relations[0].is_owner = false,
        "step 1: public.t belongs to owner, and me may not act as that role",
    ),
    (|site, _| site.catalog.relations[0].may_create = false, "step 1: me may not create in schema public"),
    (|site, _| site.catalog.relations.clear(), "step 1: table public.t is gone"),
    (|site, _| site.catalog.relations.push(relation("t_x_idx")), "step 1: the name public.t_x_idx is taken by a table"),
    (
        |site, _| {
            site.catalog.relations[0].builder_pid = Some(7);
            site.catalog.relations[0].builder_application = Some("psql".to_owned());
        },
        "step 1: pid 7 (psql) is building an index on public.t: let it finish",
    ),
    (|_, limits| limits.free_disk_bytes = Some(149), "needs about 150 B on disk, --free-disk says 149 B"),
    (
        |site, _| {
            let behind = Behind {
                what: "standby a".to_owned(),
                lag_seconds: Some(31.0),
                retained_bytes: None,
                is_hidden: false,
            };
            site.behind.push(behind);
        },
        "standby a is 31 s behind, --max-replica-lag is 30 s",
    ),
    (
        |site, _| {
            let behind = Behind {
                what: "slot b".to_owned(),
                lag_seconds: None,
                retained_bytes: Some(2 << 30),
                is_hidden: false,
            };
            site.behind.push(behind);
        },
        "slot b keeps 2 GiB of WAL, --max-slot-wal is 1 GiB",
    ),
];

#[test]
fn each_reason_is_one_line() {
    assert_eq!(found(Change::CreateIndex(form()), &site(), &limits()), Preflight::default());
    for (spoil, said) in CASES {
        let (mut site, mut limits) = (site(), limits());
        spoil(&mut site, &mut limits);
        assert_eq!(found(Change::CreateIndex(form()), &site, &limits).refusals, [*said]);
    }
}

#[test]
fn what_does_not_matter_is_no_reason() {
    let analyze = || Change::Analyze { table: Name::new("public", "t") };
    let old = Site { server: SeenServer { version_num: 140_003, ..site().server }, ..site() };
    assert_eq!(found(analyze(), &old, &limits()).refusals, [""; 0], "14.3 analyzes well");
    for version_num in [130_000, 140_004, 150_000] {
        let site = Site { server: SeenServer { version_num, ..site().server }, ..site() };
        assert_eq!(found(Change::CreateIndex(form()), &site, &limits()).refusals, [""; 0]);
    }
    let unknown = Site { system_identifier: None, ..site() };
    assert_eq!(found(Change::CreateIndex(form()), &unknown, &limits()).refusals, [""; 0]);
    let exact = Limits { free_disk_bytes: Some(150), ..limits() };
    assert_eq!(found(Change::CreateIndex(form()), &site(), &exact).refusals, [""; 0]);

    // What is done needs no rights.
    let mut done = site();
    done.catalog.relations[0].is_owner = false;
    done.catalog.indexes.push(SeenIndex {
        schema: "public".to_owned(),
        name: "t_x_idx".to_owned(),
        table: "t".to_owned(),
        definition: "CREATE INDEX t_x_idx ON public.t USING btree (x)".to_owned(),
        is_valid: true,
        is_ready: true,
        is_live: true,
        ..SeenIndex::default()
    });
    assert_eq!(found(Change::CreateIndex(form()), &done, &limits()).refusals, [""; 0]);
}

#[test]
fn a_partition_is_given_only_to_a_role_that_we_may_act_as() {
    let named = |name: &str| Name::new("public", name);
    let owned = |owner: &str| Likeness { owner: owner.to_owned(), ..Likeness::default() };
    let part = Subpartition { name: named("t_2_eu"), likeness: owned("keeper"), ..Subpartition::default() };
    let below = Subpartitioning { key: "LIST (region)".to_owned(), partitions: vec![part] };
    let month = PartitionForm { name: named("t_2"), table: named("t"), likeness: owned("owner"), ..Default::default() };
    let month = PartitionForm { below: Some(below), ..month };
    let mut site = site();
    let change = || Change::CreatePartition(month.clone());
    let keeper = SeenRelation { owner: "keeper".to_owned(), ..relation("t_1_eu") };
    site.catalog.relations.push(keeper);
    assert_eq!(found(change(), &site, &limits()).refusals, [""; 0]);
    site.catalog.relations[1].is_owner = false;
    let told = "step 1: public.t_2 or a partition below it is to belong to keeper, and me may not act as that role";
    assert_eq!(found(change(), &site, &limits()).refusals, [told]);
}

#[test]
fn long_names_are_not_cut() {
    let long = IndexForm { name: Name::new("public", &"é".repeat(32)), ..form() };
    let refusals = found(Change::CreateIndex(long), &site(), &limits()).refusals;
    assert!(refusals[0].ends_with("is longer than 63 bytes and would be cut"), "{refusals:?}");
}

#[test]
fn our_own_build_is_no_strangers() {
    let mut site = site();
    site.catalog.relations[0].builder_pid = Some(7);
    site.catalog.relations[0].builder_application = Some("pgassay/apply/r1".to_owned());
    let plan = plan(Change::CreateIndex(form()));
    let steps: Vec<&Step> = plan.steps.iter().collect();
    assert_eq!(preflight(&plan, &steps, &site, &limits(), Some("pgassay/apply/r1")).refusals, [""; 0]);
    assert_eq!(preflight(&plan, &steps, &site, &limits(), Some("pgassay/apply/r2")).refusals.len(), 1);
}

#[test]
fn what_will_make_it_slow_is_told() {
    let mut site = site();
    site.holders.push(Holder { pid: Some(7), state: Some("idle in transaction".to_owned()), ..Holder::default() });
    let left =
        |name: &str| Leftover { schema: "public".to_owned(), name: name.to_owned(), state: "invalid".to_owned() };
    site.leftovers = vec![left("t_x_idx"), left("strange")];
    site.server.standbys = 1;
    let unseen = Behind { what: "standby a".to_owned(), lag_seconds: None, retained_bytes: None, is_hidden: true };
    site.behind.push(unseen);
    let warnings = found(Change::CreateIndex(form()), &site, &limits()).warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[2].starts_with("how far standby a is behind is not shown to me"), "{warnings:?}");
    assert!(warnings[0].contains("SELECT pg_terminate_backend(7)"), "{warnings:?}");
    assert!(warnings[1].starts_with("public.strange is invalid"), "{warnings:?}");
    // Nothing of this is done CONCURRENTLY: it waits for no transaction of others.
    let analyze = Change::Analyze { table: Name::new("public", "t") };
    let warnings = found(analyze, &site, &limits()).warnings;
    assert!(!warnings.iter().any(|warning| warning.contains("CONCURRENTLY")), "{warnings:?}");
}
