//! Workflow commands of GitHub Actions: annotations of the run. GitHub shows ten errors, ten warnings
//! and ten notices of a step, so the worst come first.

use super::escape;
use super::words::{counts, ending, gap, lines, noun, object, rule_file};
use crate::model::finding::{Finding, Severity};
use crate::model::verdict::{Outcome, RuleStatus, Verdict};
use std::io::{self, Write};

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let level = if verdict.outcome() == Outcome::Passed { "notice" } else { "error" };
    let skipped = match verdict.rules_that("skipped") {
        0 => String::new(),
        count => format!("; {count} {} skipped", noun(count, "rule")),
    };
    let headline = format!("{}; {}{skipped}", ending(verdict), counts(verdict));
    command(out, level, None, &format!("pgassay {}", verdict.target.name), &[headline])?;
    for rule in &verdict.rules {
        if let RuleStatus::Failed(error) = &rule.status {
            let file = rule_file(&rule.text.area, &rule.id);
            command(out, "error", Some(&file), &format!("{} failed", rule.id), std::slice::from_ref(error))?;
        }
    }
    for missed in &verdict.gaps {
        let level = if missed.is_failure { "error" } else { "notice" };
        command(out, level, None, "not looked at", &[gap(verdict, missed), format!("→ {}", missed.remedy)])?;
    }
    verdict.open().try_for_each(|finding| annotation(verdict, finding, out))
}

fn annotation(verdict: &Verdict, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let level = match finding.severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let new = if finding.new == Some(true) { " (new)" } else { "" };
    let title = format!("{} {}{new}", finding.rule, object(verdict, finding));
    command(out, level, Some(&rule_file(&finding.area, &finding.rule)), &title, &lines(verdict, finding))
}

fn command(out: &mut dyn Write, level: &str, file: Option<&str>, title: &str, lines: &[String]) -> io::Result<()> {
    let place = file.map(|file| format!("file={},line=1,", property(file))).unwrap_or_default();
    let text: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    writeln!(out, "::{level} {place}title={}::{}", property(&escape(title)), data(&text.join("\n")))
}

/// As `@actions/core` escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As `@actions/core` escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn escapes_as_documented() {
        for (text, as_data, as_property) in [
            ("plain", "plain", "plain"),
            ("100%", "100%25", "100%25"),
            ("%0A", "%250A", "%250A"),
            ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
            ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
            ("x::error::y", "x::error::y", "x%3A%3Aerror%3A%3Ay"),
        ] {
            assert_eq!((data(text), property(text)), (as_data.to_owned(), as_property.to_owned()), "{text:?}");
        }
    }
}
