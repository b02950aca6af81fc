//! Each version's tables, as `fixtures/pgbouncer/` has them.

use super::*;
use proptest::prelude::*;

const VERSIONS: [(&str, &str); 7] = [
    ("1.8", include_str!("../../../fixtures/pgbouncer/1.8.txt")),
    ("1.12", include_str!("../../../fixtures/pgbouncer/1.12.txt")),
    ("1.16", include_str!("../../../fixtures/pgbouncer/1.16.txt")),
    ("1.18", include_str!("../../../fixtures/pgbouncer/1.18.txt")),
    ("1.23", include_str!("../../../fixtures/pgbouncer/1.23.txt")),
    ("1.24", include_str!("../../../fixtures/pgbouncer/1.24.txt")),
    ("1.25", include_str!("../../../fixtures/pgbouncer/1.25.txt")),
];

/// A table of a recording: what stands below `== NAME`; `!` opens a notice, `#` a comment.
fn shown(recording: &str, name: &str) -> Shown {
    let below = recording.lines().skip_while(|line| *line != format!("== {name}")).skip(1);
    let lines: Vec<&str> =
        below.take_while(|line| !line.starts_with("== ")).filter(|line| !line.starts_with('#')).collect();
    let (notices, table): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with('!'));
    let cells = |line: &&str| line.split('|').map(|cell| (!cell.is_empty()).then(|| cell.to_owned())).collect();
    Shown {
        columns: table.first().into_iter().flat_map(|line| line.split('|')).map(str::to_owned).collect(),
        rows: table.iter().skip(1).map(cells).collect(),
        notices: notices.into_iter().map(str::to_owned).collect(),
    }
}

/// A whole recording, looked at once.
fn read(recording: &str) -> Pooler {
    let table = |name: &str| shown(recording, name);
    let mut pooler = Pooler {
        version: version(&table("VERSION")),
        state: state(&table("STATE")),
        settings: settings(&table("CONFIG")),
        users: users(&table("USERS")),
        clients: sockets(&table("CLIENTS")),
        servers: sockets(&table("SERVERS")),
        ..Pooler::default()
    };
    databases(&table("DATABASES"), &mut pooler);
    let pools = pools(&table("POOLS"), &mut pooler);
    let totals = totals(&table("STATS"), &mut pooler);
    pooler.looks.push(crate::model::snapshot::PoolLook { pools, totals, ..Default::default() });
    pooler
}

#[test]
fn every_version_tells_the_same_by_its_own_columns() {
    let recorded = read(VERSIONS[3].1);
    for (number, recording) in VERSIONS {
        let pooler = read(recording);
        assert!(
            pooler.version.as_ref().is_some_and(|version| version.starts_with(number)),
            "{number}: {:?}",
            pooler.version
        );
        assert_eq!(pooler.looks, recorded.looks, "{number}");
        assert_eq!(pooler.settings, recorded.settings, "{number}");
        assert_eq!((&pooler.clients, &pooler.servers), (&recorded.clients, &recorded.servers), "{number}");
        assert_eq!((pooler.unknown_columns, pooler.missing_columns), (vec![], vec![]), "{number}");
        let [database] = pooler.databases.as_slice() else { panic!("{number}: {:?}", pooler.databases) };
        assert_eq!((database.pool_size, database.reserve_pool_size), (Some(2), Some(0)), "{number}");
        let since_24 = matches!(number, "1.24" | "1.25");
        assert_eq!(database.max_client_connections, since_24.then_some(50), "{number}");
        let own = pooler.users.iter().map(|user| (user.pool_size, user.max_connections)).collect::<Vec<_>>();
        let expected = match number {
            "1.23" | "1.24" | "1.25" => vec![(Some(7), Some(9))],
            _ => vec![],
        };
        assert_eq!(own, expected, "{number}");
        let told = matches!(number, "1.23" | "1.24" | "1.25");
        assert_eq!(pooler.state.as_deref(), told.then_some("active"), "{number}");
    }
}

#[test]
fn what_was_recorded_is_what_was_there() {
    let pooler = read(VERSIONS[3].1);
    let [pool] = pooler.looks[0].pools.as_slice() else { panic!("{:?}", pooler.looks) };
    assert_eq!((pool.database.as_str(), pool.user.as_str()), ("shop", "app"));
    assert_eq!((pool.clients_active, pool.clients_waiting, pool.servers_active, pool.servers), (2, 1, 2, 2));
    assert!(pool.max_wait_ms > 0.0 && pool.pool_mode.as_deref() == Some("transaction"));
    assert_eq!(pooler.settings.default_pool_size, Some(2));
    assert_eq!(pooler.settings.max_client_conn, Some(100));
    assert_eq!(pooler.databases[0].host.as_deref(), Some("/run/pg"));
    let of = |state: &str, count| SocketCount {
        database: "shop".to_owned(),
        user: "app".to_owned(),
        state: state.to_owned(),
        count,
    };
    assert_eq!(pooler.clients, [of("active", 2), of("waiting", 1)]);
    assert_eq!(pooler.servers, [of("active", 2)]);
}

#[test]
fn columns_nobody_knows_and_columns_that_lack_are_told() {
    let table = shown(VERSIONS[3].1, "POOLS");
    let mut other = table.clone();
    other.columns[0] = "dbname".to_owned();
    other.columns.push("cl_dreaming".to_owned());
    let mut pooler = Pooler::default();
    pools(&other, &mut pooler);
    pools(&other, &mut pooler);
    assert_eq!(pooler.unknown_columns, ["pools.cl_dreaming", "pools.dbname"]);
    assert_eq!(pooler.missing_columns, ["pools.database"]);
    let mut shuffled = table.clone();
    shuffled.columns.reverse();
    shuffled.rows.iter_mut().for_each(|row| row.reverse());
    assert_eq!(pools(&shuffled, &mut Pooler::default()), pools(&table, &mut Pooler::default()));
}

#[test]
fn a_pause_of_all_is_a_state() {
    let mut table = shown(VERSIONS[5].1, "STATE");
    table.rows[0][1] = Some("no".to_owned());
    table.rows[1][1] = Some("yes".to_owned());
    assert_eq!(state(&table).as_deref(), Some("paused"));
}

proptest! {
    #[test]
    fn no_console_makes_it_panic(text in mutants(VERSIONS.map(|(_, recording)| recording.to_owned()).to_vec())) {
        let _ = read(&text);
    }
}
