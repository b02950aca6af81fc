//! Every command of the README that begins with `pgassay` works as it stands there.

use crate::support::{Outcome, Yard, newest, root};
use pgassay::demo::{SUPERUSER, Shop};
use std::path::Path;
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let commands = commands(&readme);
    assert!(commands.len() >= 5, "{commands:?}");
    assert!(!commands.iter().any(|command| command.contains('…')), "not to be typed: {commands:?}");

    let yard = Yard::open();
    let shop = yard.shop(&newest(), &Shop::setup()).await;
    let folder = yard.path().join("checkout");
    std::fs::create_dir(&folder).expect("a folder");
    std::os::unix::fs::symlink(root().join("fixtures"), folder.join("fixtures")).expect("linked");
    for command in commands {
        let owner = shop.cluster.dsn(SUPERUSER, "shop");
        run(command, &folder, &yard, &shop.dsn(), &owner);
    }
}

/// Lines in fences of `sh`.
fn commands(readme: &str) -> Vec<&str> {
    let fences = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    fences.flat_map(str::lines).map(str::trim).filter(|line| line.starts_with("pgassay ")).collect()
}

fn run(command: &str, folder: &Path, yard: &Yard, dsn: &str, owner: &str) {
    let programs = Path::new(env!("CARGO_BIN_EXE_pgassay")).parent().expect("a folder");
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("HOME", yard.home())
        .env("TMPDIR", yard.path())
        .env("PGASSAY_PG_BIN", newest().folder)
        .env("DATABASE_URL", dsn)
        .env("OWNER_URL", owner)
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    let outcome = Outcome::of(&output);
    assert!(matches!(outcome.code, Some(0 | 1)), "{command}: {:?}\n{}", outcome.code, outcome.stderr);
}
