//! The report for pull requests and chats: short, the details folded. Names and statements of the
//! server stay texts: they make no markup, no link, no mention of people or issues.

use super::escape;
use super::words::{
    also, by_fix, comparison, counts, diff, ending, flat, for_each, gap, not_run, notes, noun, object, server, target,
    waiver, window,
};
use crate::model::finding::{Confidence, Finding};
use crate::model::verdict::Verdict;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Longest report, in bytes: GitHub refuses comments of more than 65,536 characters.
const LIMIT: usize = 60_000;

/// Most bytes of the table; findings that follow are only counted.
const TABLE: usize = 20_000;

/// Most bytes of what was waived, and of what was not looked at.
const SECTION: usize = 8_000;

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let mut text = head(verdict);
    text.push_str(&table(verdict));
    let tail = format!("{}{}", unseen(verdict), waived(verdict));
    let room = LIMIT.saturating_sub(text.len() + tail.len());
    let details: Vec<String> = by_fix(verdict.open()).iter().flat_map(|group| with_one_fix(verdict, group)).collect();
    text.push_str(&fitting(&details, room, "details of ", "finding"));
    text.push_str(&tail);
    out.write_all(text.as_bytes())
}

fn head(verdict: &Verdict) -> String {
    let mut text = format!("## pgassay: {}\n\n**{}**", counts(verdict), capitalised(&ending(verdict)));
    if let Some(comparison) = comparison(verdict) {
        let _ = write!(text, " — {comparison}");
    }
    let counts = verdict.statements;
    let judged = match counts.seen {
        0 => String::new(),
        seen => format!("; {} statements judged, of {seen} entries of pg\\_stat\\_statements", counts.judged),
    };
    let hidden = match verdict.hidden.len() {
        0 => String::new(),
        count => format!("; {count} below --min-severity not shown"),
    };
    let (target, server) = (prose(&target(verdict)), prose(&server(verdict)));
    let _ = writeln!(text, "\n\n**Server:** {target}, {server}; {}{judged}{hidden}\n", window(verdict));
    let lines: Vec<String> = diff(verdict).into_iter().chain(notes(verdict)).collect();
    for line in &lines {
        let _ = writeln!(text, "- {}", prose(line));
    }
    if !lines.is_empty() {
        text.push('\n');
    }
    text
}

fn table(verdict: &Verdict) -> String {
    let rows: Vec<String> = verdict.open().map(|finding| row(verdict, finding)).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("| severity | rule | object | impact |\n|---|---|---|---|\n{}\n", fitting(&rows, TABLE, "", "finding"))
}

fn row(verdict: &Verdict, finding: &Finding) -> String {
    let new = if finding.new == Some(true) { " (new)" } else { "" };
    let (severity, place) = (finding.severity.name(), code(&object(verdict, finding)));
    format!("| {severity}{new} | {} | {place} | {} |\n", code(&finding.rule), prose(&finding.impact.text))
}

/// As many pieces as there is room for, and how many are left out.
fn fitting(pieces: &[String], room: usize, part: &str, what: &str) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if text.len() + piece.len() > room {
            let left = pieces.len() - at;
            let _ = write!(text, "\n*{part}{left} more {}: see the JSON report*\n\n", noun(left, what));
            break;
        }
        text.push_str(piece);
    }
    text
}

/// The details of findings with one fix, which stands with the first, or above the folds of several.
fn with_one_fix(verdict: &Verdict, group: &[&Finding]) -> Vec<String> {
    let todo = group.first().map(|finding| prose(&for_each(group.len(), &finding.fix.text))).unwrap_or_default();
    let is_alone = group.len() == 1;
    let fix = format!("**Do:** {todo}\n\n");
    let detail = |(number, finding): (usize, &&Finding)| {
        let above = if is_alone || number > 0 { "" } else { &fix };
        format!("{above}{}", details(verdict, finding, if is_alone { &fix } else { "" }))
    };
    group.iter().enumerate().map(detail).collect()
}

fn details(verdict: &Verdict, finding: &Finding, fix: &str) -> String {
    let (severity, rule) = (finding.severity.name(), html(&finding.rule));
    let place = html(&object(verdict, finding));
    let doubt = if finding.confidence == Confidence::Low { " (low confidence)" } else { "" };
    let mut text = format!(
        "<details><summary>{severity}: <b>{rule}</b> <code>{place}</code></summary>\n\n**Found:** {}{doubt}\n\n",
        prose(&finding.message)
    );
    for said in also(verdict, finding) {
        let _ = writeln!(text, "**Also:** {}\n", prose(&said));
    }
    if let Some(statement) = &finding.object.statement {
        text.push_str(&fenced(statement));
    }
    text.push_str(fix);
    let facts: Vec<String> = finding
        .evidence
        .iter()
        .map(|fact| format!("{} {} {}", prose(&fact.name), code(&value(&fact.value)), prose(&fact.unit)))
        .collect();
    if !facts.is_empty() {
        let _ = writeln!(text, "**Evidence:** {}\n", facts.join("; "));
    }
    text.push_str("</details>\n\n");
    text
}

fn unseen(verdict: &Verdict) -> String {
    let gaps =
        verdict.gaps.iter().map(|missed| format!("- {} → {}\n", prose(&gap(verdict, missed)), prose(&missed.remedy)));
    let rules = not_run(verdict).into_iter().map(|(status, reason, rules)| {
        let names: Vec<String> = rules.into_iter().map(code).collect();
        format!("- {} {status}: {}\n", names.join(", "), prose(reason))
    });
    folded("Not looked at", &gaps.chain(rules).collect::<Vec<_>>())
}

fn waived(verdict: &Verdict) -> String {
    let line = |finding: &Finding| {
        let waiver = finding.waived.as_ref().map(waiver).unwrap_or_default();
        let (rule, place) = (code(&finding.rule), code(&object(verdict, finding)));
        format!("- {} {rule} {place}: {}\n", finding.severity.name(), prose(&waiver))
    };
    folded("Waived", &verdict.waived().map(line).collect::<Vec<_>>())
}

pub(super) fn folded(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let body = fitting(lines, SECTION, "", "line");
    format!("<details><summary>{title}: {}</summary>\n\n{body}\n</details>\n\n", lines.len())
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Lines as a block of code, whose fence is longer than any run of backticks inside.
pub(super) fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let lines: Vec<String> = text.trim().lines().map(escape).collect();
    format!("{fence}sql\n{}\n{fence}\n\n", lines.join("\n"))
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A text as code. Between backticks where they cannot be left nor cut a table's cell, else as HTML.
pub(super) fn code(text: &str) -> String {
    let text = escape(text);
    let is_plain = !text.is_empty() && text.trim() == text && !text.contains(['`', '|', '\\']);
    if is_plain { format!("`{text}`") } else { format!("<code>{}</code>", prose(&text)) }
}

/// A text inside HTML.
fn html(text: &str) -> String {
    let flat = flat(&escape(text));
    flat.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text that means nothing but its letters, where it does not begin a line: marks as entities, which
/// start no markup; an empty comment after what would mention somebody, point to an issue, or be a link.
pub(super) fn prose(text: &str) -> String {
    let text = flat(&escape(text));
    let chars: Vec<char> = text.chars().collect();
    let is_word = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in chars.iter().copied().enumerate() {
        match c {
            '_' if is_word(at.checked_sub(1)) && is_word(Some(at + 1)) => out.push(c),
            '`' | '*' | '_' | '[' | ']' | '<' | '&' | '|' | '\\' | '~' | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '@' => out.push_str("@<!-- -->"),
            '#' => out.push_str("&#35;<!-- -->"),
            ':' if chars.get(at + 1) == Some(&'/') => out.push_str(":<!-- -->"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str(".<!-- -->"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_make_no_markup() {
        for (text, expected) in [
            ("order_items of shop.orders (12.2 MiB)", "order_items of shop.orders (12.2 MiB)"),
            ("_a_ *b*", "&#95;a&#95; &#42;b&#42;"),
            ("<img src=x>", "&#60;img src=x>"),
            ("a|b", "a&#124;b"),
            ("[a](http://b)", "&#91;a&#93;(http:<!-- -->//b)"),
            ("@team, see #12", "@<!-- -->team, see &#35;<!-- -->12"),
            ("www.evil.com", "www.<!-- -->evil.com"),
            ("a\nb", "a b"),
            ("$1$", "&#36;1&#36;"),
        ] {
            assert_eq!(prose(text), expected);
        }
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("public.orders"), "`public.orders`");
        assert_eq!(code("a`b"), "<code>a&#96;b</code>");
        assert_eq!(code("a\\|b"), "<code>a&#92;&#124;b</code>");
        assert_eq!(code(""), "<code></code>");
        assert_eq!(fenced("select 1\n```\n</details>"), "````sql\nselect 1\n```\n</details>\n````\n\n");
        assert_eq!(fenced("a\u{1b}[2J"), "```sql\na\\u{1b}[2J\n```\n\n");
    }
}
