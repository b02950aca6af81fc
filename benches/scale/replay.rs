//! The SQL that an audit sends, taken from the server's log, as a script for psql: one session, the
//! same transactions and settings, one statement after the other.

use std::collections::BTreeMap;

/// One message of the log.
struct Entry {
    process: u32,
    level: String,
    text: String,
}

/// Reads entries that begin with `<pid>|LEVEL:  `; further lines begin with a tab.
fn entries(log: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some(last) = entries.last_mut() {
                last.text.push('\n');
                last.text.push_str(more);
            }
            continue;
        }
        let Some((process, rest)) = line.split_once('|') else { continue };
        let (Ok(process), Some((level, text))) = (process.parse(), rest.split_once(":  ")) else { continue };
        entries.push(Entry { process, level: level.to_owned(), text: text.to_owned() });
    }
    entries
}

/// The script. Sessions follow each other, in the order in which they began.
pub(crate) fn script(log: &str) -> String {
    let mut order: Vec<u32> = Vec::new();
    let mut sessions: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for entry in entries(log) {
        let statements = sessions.entry(entry.process).or_default();
        if !order.contains(&entry.process) {
            order.push(entry.process);
        }
        if entry.level == "LOG" {
            let sql = entry.text.strip_prefix("statement: ").or_else(|| entry.text.strip_prefix("execute <unnamed>: "));
            statements.extend(sql.map(str::to_owned));
        } else if let (Some(values), Some(last)) = (parameters(&entry.text), statements.last_mut()) {
            *last = with(last, values);
        }
    }
    let all = order.iter().filter_map(|process| sessions.get(process)).flatten();
    all.map(|sql| format!("{sql}\n;\n")).collect()
}

/// `Parameters: $1 = '…', $2 = '…'`
fn parameters(detail: &str) -> Option<&str> {
    detail.strip_prefix("Parameters: ").or_else(|| detail.strip_prefix("parameters: "))
}

/// Puts the values in, the last first: `$1` is part of `$12`.
fn with(sql: &str, values: &str) -> String {
    let parts: Vec<&str> = values.split(", $").collect();
    parts.iter().rev().fold(sql.to_owned(), |sql, part| match part.split_once(" = ") {
        Some((number, value)) => sql.replace(&format!("${}", number.trim_start_matches('$')), value),
        None => sql,
    })
}
