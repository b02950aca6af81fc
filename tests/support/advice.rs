//! Cases of `fixtures/advice/cases.sql`, and whether advice is what a case wants.

use pgassay::advise::Candidate;
use pgassay::advise::Consulted;
use pgassay::ddl::{qualified, quoted};

/// A case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Statements that are run.
    pub(crate) sql: String,
    /// It is expected today.
    pub(crate) is_wanted: bool,
    /// What its writes pay for an index counts.
    pub(crate) counts_writes: bool,
    /// What is wanted, as written.
    pub(crate) words: String,
    /// Sets of indexes, any of which will do.
    pub(crate) wants: Vec<Vec<String>>,
}

/// All cases, in order.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    text.split("\n\n").skip(1).map(case).collect()
}

fn case(block: &str) -> Case {
    let lines = |is_comment: bool| block.lines().filter(move |line| line.starts_with("-- ") == is_comment);
    let comments: Vec<&str> = lines(true).map(|line| &line[3..]).collect();
    let [name, wish] = comments.as_slice() else { panic!("a name and a wish: {block}") };
    let (kind, words) = wish.split_once(": ").unwrap_or_else(|| panic!("a wish: {block}"));
    assert!(matches!(kind, "wants" | "wants beside its writes" | "not_yet"), "{block}");
    let sets = words.split(" | ").map(|set| set.split(" + ").map(str::to_owned).collect());
    Case {
        name: (*name).to_owned(),
        sql: lines(false).collect::<Vec<_>>().join("\n"),
        is_wanted: kind != "not_yet",
        counts_writes: kind == "wants beside its writes",
        words: words.to_owned(),
        wants: if words == "none" { vec![Vec::new()] } else { sets.collect() },
    }
}

/// The chosen indexes, as cases name them and as `create index on` takes them.
pub(crate) fn advised(consulted: &Consulted) -> Vec<String> {
    consulted.found.chosen.iter().map(|id| words(consulted.pool.get(*id))).collect()
}

fn words(candidate: &Candidate) -> String {
    let using = candidate.using();
    let using = format!("using {using}");
    let using =
        using.strip_prefix("using btree ").unwrap_or(&using).replace(" NULLS", " nulls").replace(" LAST", " last");
    let using = using.replace(" FIRST", " first").replace(" DESC", " desc").replace("INCLUDE", "include");
    let rows = candidate.predicate.as_ref().map(|predicate| format!(" where {predicate}")).unwrap_or_default();
    let table = &candidate.table;
    let table = if table.schema == "public" { quoted(&table.name) } else { qualified(table) };
    format!("{table} {using}{rows}")
}

/// One of the sets is the advice, each wish being met by one index.
pub(crate) fn matches(wants: &[Vec<String>], advised: &[String]) -> bool {
    wants
        .iter()
        .any(|set| set.len() == advised.len() && set.iter().all(|wish| advised.iter().any(|index| meets(wish, index))))
}

fn meets(wish: &str, index: &str) -> bool {
    match wish.strip_suffix(" ..)") {
        Some(start) => {
            let rest = index.strip_prefix(start);
            rest.is_some_and(|rest| rest.starts_with([',', ')']))
        }
        None => wish == index,
    }
}
