//! Advice for pull requests and chats.

use super::advice::{account, caveats, curve, head, outcome, removal, replaces, saves, share, spread, takes, visits};
use super::markdown::{code, fenced, folded, prose};
use crate::model::advice::{Advice, Proposal, Served};
use crate::model::units;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Statements of one proposal that are shown; JSON has all.
const SHOWN: usize = 10;

/// Writes the advice as Markdown.
pub fn write_advice_markdown(advice: &Advice, out: &mut dyn Write) -> io::Result<()> {
    let mut text = format!("## pgassay: {}\n\n{}\n\n", prose(&head(advice)), prose(&outcome(advice)));
    if !advice.proposals.is_empty() {
        text.push_str("| | index | on | saves | of the workload |\n|---|---|---|---|---|\n");
        text.extend(advice.proposals.iter().map(row));
        text.push('\n');
    }
    text.extend(advice.proposals.iter().map(details));
    let items = |lines: Vec<String>| lines.into_iter().map(|line| format!("- {}\n", prose(&line))).collect::<Vec<_>>();
    text.push_str(&folded("Curve", &items(curve(advice))));
    text.push_str(&folded("Could go", &items(advice.removals.iter().map(removal).collect())));
    let doubts = caveats(advice).into_iter().map(|(text, whose)| format!("{text}{whose}"));
    text.push_str(&folded("Not if", &items(doubts.collect())));
    text.push_str(&folded("Account", &items(account(&advice.account))));
    out.write_all(text.as_bytes())
}

fn row(proposal: &Proposal) -> String {
    let (name, table) = (code(&proposal.name.to_string()), code(&proposal.table.to_string()));
    let saved = units::millis(proposal.saved_ms_per_hour);
    format!("| {} | {name} | {table} | {saved} an hour | {} |\n", proposal.id, share(proposal.saved_share))
}

fn details(proposal: &Proposal) -> String {
    let mut text = format!("**{}.** {}; {}\n\n", proposal.id, prose(&saves(proposal)), prose(&takes(proposal)));
    text.push_str(&fenced(&format!("{};", proposal.definition)));
    text.extend(replaces(proposal).map(|told| format!("- {}\n", prose(&told))));
    text.extend(proposal.serves.iter().take(SHOWN).map(served));
    if proposal.serves.len() > SHOWN {
        let _ = writeln!(text, "- … and {} more statements", proposal.serves.len() - SHOWN);
    }
    text.push('\n');
    text
}

fn served(served: &Served) -> String {
    let (before, after) = (units::count(served.cost_before), units::count(served.cost_after));
    let values = spread(served).map(|told| format!(" ({told})")).unwrap_or_default();
    let visited = visits(served).map(|told| format!("; {told}")).unwrap_or_default();
    format!(
        "- cost {before} → {after}{values}{visited}: {}\n",
        code(&served.text.split_whitespace().collect::<Vec<_>>().join(" "))
    )
}
