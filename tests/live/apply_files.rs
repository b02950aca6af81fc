//! Plans and journals that are not what they should be: one clear error, and nothing is done.

use crate::support::{ALONE, Site, end, newest, notes};
use serde_json::{Value, json};
use std::path::Path;

/// What is done to the plan, and what is said of it.
type Damage = (&'static str, fn(&mut Value));

const DAMAGED: &[Damage] = &[
    ("plan version 2", |plan| plan["plan_version"] = json!(2)),
    ("its SQL is not what its change says", |plan| {
        plan["steps"][0]["statements"][0]["sql"] = json!("DROP TABLE shop.orders")
    }),
    ("its SQL is not what its change says", |plan| plan["steps"][0]["statements"][0]["class"] = json!("blocking")),
    ("its SQL is not what its change says", |plan| plan["steps"][0]["undo"] = json!([])),
    ("its SQL is not what its change says", |plan| plan["steps"][0]["change"]["using"] = json!("btree (id)")),
    ("unknown field `now`", |plan| plan["now"] = json!(true)),
    ("unknown field `kill`", |plan| plan["steps"][0]["kill"] = json!(true)),
    ("unknown variant `drop_table`", |plan| plan["steps"][0]["change"]["kind"] = json!("drop_table")),
    ("missing field `target`", |plan| {
        plan.as_object_mut().expect("an object").remove("target");
    }),
    ("depends on step 7, which does not come before it", |plan| plan["steps"][0]["depends_on"] = json!([7])),
    ("depends on step 1, which does not come before it", |plan| plan["steps"][0]["depends_on"] = json!([1])),
    ("another step has the same id", |plan| {
        let step = plan["steps"][0].clone();
        plan["steps"].as_array_mut().expect("steps").push(step);
    }),
    ("not a plan of pgassay", |plan| *plan = json!([1, 2])),
    ("not a plan of pgassay", |plan| *plan = json!("DROP TABLE shop.orders")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_plans_are_not_carried_out() {
    let site = Site::open(&newest()).await;
    site.plan(vec![notes()]).await;
    let path = site.yard.path().join("plan.json");
    let whole = std::fs::read_to_string(&path).expect("a plan");
    for (said, damage) in DAMAGED {
        let mut plan: Value = serde_json::from_str(&whole).expect("JSON");
        damage(&mut plan);
        std::fs::write(&path, plan.to_string()).expect("written");
        site.apply(&[]).expect_unable(&["plan.json", said]);
    }
    let cut = &whole[..whole.len() / 2];
    for text in ["", "\n", "{", "\u{0}\u{1}", "select 1;", cut, &format!("{whole}{whole}")] {
        std::fs::write(&path, text).expect("written");
        site.apply(&[]).expect_unable(&["plan.json", "not a plan of pgassay"]);
    }
    std::fs::write(&path, [0xff, 0xfe]).expect("written");
    site.apply(&[]).expect_unable(&["plan.json"]);
    std::fs::remove_file(&path).expect("removed");
    site.apply(&[]).expect_unable(&["plan.json", "No such file"]);
    std::fs::create_dir(&path).expect("a folder");
    site.apply(&[]).expect_unable(&["plan.json", "directory"]);
    assert_eq!((site.indexes("%note%").await.as_str(), site.journals()), ("", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_are_chosen_by_their_numbers() {
    let site = Site::open(&newest()).await;
    let mut plan = site.planned(vec![notes(), notes()]).await;
    plan.steps[1].depends_on = vec![1];
    site.keep(&plan);
    site.apply(&["--step", "3"]).expect_unable(&["--step 3: the plan has steps 1 to 2"]);
    site.apply(&["--step", "2"]).expect_unable(&["--step 2: it depends on step 1"]);
    site.apply(&["--step", "0"]).expect_unable(&["--step 0"]);
    site.apply(&["--max-wait", "soon"]).expect_unable(&["max-wait"]);
    site.apply(&["--free-disk", "much"]).expect_unable(&["free-disk"]);
    site.apply(&["--maintenance-work-mem", "-1"]).expect_unable(&[]);
    assert_eq!(site.journals(), 0);
    site.apply(&["--step", "1,2", "--maintenance-work-mem", "64MiB", "--parallel-workers", "0"]).expect(0);
}

/// The one journal.
fn journal(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "jsonl")).expect("a journal")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_journals_are_named() {
    let site = Site::open(&newest()).await;
    let holder = site.session("begin isolation level repeatable read; select count(*) from shop.users").await;
    site.plan(vec![notes()]).await;
    site.apply(&["--max-wait", "1s"]).expect(5);
    let path = journal(&site.state());
    let whole = std::fs::read(&path).expect("a journal");
    let file = path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
    let run = file.trim_end_matches(".jsonl");
    let line = whole.iter().position(|byte| *byte == b'\n').expect("a line");
    let without_begin = whole[line + 1..].to_vec();
    let garbage = [&whole[..line + 1], b"{\"event\": \"noise\"}\n", &whole[line + 1..]].concat();
    for (bytes, said) in [
        (without_begin, "does not begin with the begin of a run"),
        (garbage, "line 2"),
        (b"\xff\xfe\n".to_vec(), "line 1"),
    ] {
        std::fs::write(&path, bytes).expect("written");
        for command in ["resume", "undo"] {
            site.run(&[command]).expect_unable(&[&file, said]);
            site.run(&[command, "--run", run]).expect_unable(&[&file, said]);
        }
        site.yard.pgassay(&["apply", "status", "--state", "state"]).run().expect_unable(&[&file, said]);
    }
    for begun in [0, line / 2, line] {
        // A crash of this machine before anything was begun.
        std::fs::write(&path, &whole[..begun]).expect("written");
        assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to resume"));
    }
    // A crash of this machine cut the last line, within a character.
    let cut = [whole.as_slice(), "{\"event\":\"resumed\",\"at\":\"é".as_bytes()].concat();
    std::fs::write(&path, &cut[..cut.len() - 1]).expect("written");
    std::fs::write(site.state().join("notes.txt"), "mine").expect("written");
    holder.execute("rollback").await.expect("released");
    site.run(&["resume"]).expect(0);
    assert_eq!(site.indexes("%note%").await, "orders_note_idx t t");

    // What is wrong with one is no matter of another.
    std::fs::write(site.state().join("other.jsonl"), "noise\n").expect("written");
    site.run(&["undo"]).expect_unable(&["other.jsonl"]);
    site.run(&["undo", "--run", run]).expect(0);
    assert_eq!(site.indexes("%note%").await, "");
    site.run(&["undo", "--run", "none"]).expect_unable(&["no run none"]);
    site.until(ALONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_can_be_written_nothing_is_done() {
    let site = Site::open(&newest()).await;
    site.plan(vec![notes()]).await;
    site.yard.write("state", "a file where the folder should be");
    site.apply(&[]).expect_unable(&["state"]);
    assert_eq!(site.indexes("%note%").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_reads_is_told_by_the_exit_code() {
    let site = Site::open(&newest()).await;
    site.plan(vec![notes()]).await;
    let unread = |words: &[&str]| {
        let mut child = site.start(words);
        drop(child.stdout.take());
        end(child)
    };
    let holder = site.session("begin; lock table shop.orders in share update exclusive mode").await;
    let stopped = unread(&["plan.json", "--max-wait", "1s"]).expect(5);
    assert!(stopped.stderr.contains("stopped: `pgassay apply resume` goes on"), "{}", stopped.stderr);
    drop(holder);
    unread(&["resume"]).expect(0);
    assert_ne!(site.indexes("%note%").await, "");
}
