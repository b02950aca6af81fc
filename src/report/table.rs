//! The report for people: what a DBA reads in ten seconds, in the width of the terminal.

use super::page::{BOLD, DIM, laid, lines, paint, wrapped};
use super::words::{
    also, by_fix, comparison, counts, diff, flat, for_each, not_run, notes, object, rule_counts, server, target,
    waiver, window,
};
use super::{Style, escape};
use crate::model::finding::{Confidence, Finding, Severity};
use crate::model::verdict::Verdict;
use std::io::{self, Write};

/// Longest statement shown, in characters; the whole is in the JSON report.
const STATEMENT: usize = 150;

pub(super) fn write(verdict: &Verdict, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { style, out };
    page.header(verdict)?;
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        page.findings(verdict, severity)?;
    }
    page.waived(verdict)?;
    page.unseen(verdict)?;
    page.footer(verdict)
}

/// Where the report is written, and how it looks.
struct Page<'a> {
    style: Style,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn paint(&self, text: &str, code: &str) -> String {
        paint(text, code, self.style)
    }

    fn heading(&mut self, text: &str, code: &str) -> io::Result<()> {
        let painted = self.paint(text, code);
        writeln!(self.out, "\n{painted}")
    }

    /// Lines at the margin, wrapped. Texts of the server are escaped here.
    fn plain(&mut self, lines: &[String]) -> io::Result<()> {
        wrapped(lines, 0, self.style, self.out)
    }

    /// A title and indented lines below it, wrapped. Texts of the server are escaped here.
    fn item(&mut self, title: &str, object: &str, below: &[String]) -> io::Result<()> {
        let title = self.paint(title, BOLD);
        let object = escape(object);
        writeln!(self.out, "{}", format!("  {title}  {object}").trim_end())?;
        lines(below, self.style, self.out)
    }

    fn header(&mut self, verdict: &Verdict) -> io::Result<()> {
        let target = escape(&target(verdict));
        for line in laid(&[format!("{target}, {}", server(verdict))], 0, self.style) {
            match line.strip_prefix(&target) {
                Some(rest) => writeln!(self.out, "{}{rest}", self.paint(&target, BOLD))?,
                None => writeln!(self.out, "{line}")?,
            }
        }
        self.plain(&[window(verdict)])?;
        self.plain(&diff(verdict).into_iter().chain(notes(verdict)).collect::<Vec<_>>())?;
        let statements = verdict.statements;
        if statements.seen > 0 {
            let unparsed = if statements.unparsed > 0 {
                format!(", {} not understood", statements.unparsed)
            } else {
                String::new()
            };
            let (judged, seen) = (statements.judged, statements.seen);
            self.plain(&[format!("{judged} statements judged, of {seen} entries of pg_stat_statements{unparsed}")])?;
        }
        self.heading(&counts(verdict), BOLD)
    }

    fn findings(&mut self, verdict: &Verdict, severity: Severity) -> io::Result<()> {
        let found: Vec<&Finding> = verdict.open().filter(|finding| finding.severity == severity).collect();
        if found.is_empty() {
            return Ok(());
        }
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.heading(&severity.name().to_uppercase(), code)?;
        for run in by_fix(found.into_iter()) {
            for (number, finding) in run.iter().enumerate() {
                let new = if finding.new == Some(true) { "  (new)" } else { "" };
                let mut below = words(verdict, finding);
                let is_last = number + 1 == run.len();
                below.extend(is_last.then(|| format!("→ {}", for_each(run.len(), &finding.fix.text))));
                self.item(&finding.rule, &format!("{}{new}", object(verdict, finding)), &below)?;
            }
        }
        Ok(())
    }

    fn waived(&mut self, verdict: &Verdict) -> io::Result<()> {
        for (number, finding) in verdict.waived().enumerate() {
            if number == 0 {
                self.heading("WAIVED", DIM)?;
            }
            let Some(waived) = &finding.waived else { continue };
            let line = format!("{}: {}", finding.severity.name(), waiver(waived));
            self.item(&finding.rule, &object(verdict, finding), &[line])?;
        }
        Ok(())
    }

    /// What was not looked at, beside what was clean: gaps, and rules that did not run, by reason. What
    /// the user left out needs no telling one by one; the footer counts it.
    fn unseen(&mut self, verdict: &Verdict) -> io::Result<()> {
        let not_run = not_run(verdict);
        if not_run.is_empty() && verdict.gaps.is_empty() {
            return Ok(());
        }
        self.heading("NOT LOOKED AT", BOLD)?;
        for gap in &verdict.gaps {
            let part = if gap.partial { "in part" } else { "" };
            let place = gap.database.as_deref().filter(|_| verdict.is_of_several_databases());
            let words: Vec<&str> = place.into_iter().chain([part]).filter(|word| !word.is_empty()).collect();
            self.item(gap.facet.name(), &words.join(", "), &[gap.reason.clone(), format!("→ {}", gap.remedy)])?;
        }
        for (status, reason, rules) in not_run {
            for line in laid(&[rules.join(", ")], 2, self.style) {
                let painted = self.paint(line.trim_start(), BOLD);
                writeln!(self.out, "  {painted}")?;
            }
            lines(&[format!("{status}: {reason}")], self.style, self.out)?;
        }
        Ok(())
    }

    fn footer(&mut self, verdict: &Verdict) -> io::Result<()> {
        let below_top = verdict.statements.below_top;
        writeln!(self.out)?;
        self.plain(&[rule_counts(verdict)])?;
        if below_top > 0 {
            writeln!(self.out, "{below_top} entries of pg_stat_statements below --top were not read")?;
        }
        if !verdict.hidden.is_empty() {
            writeln!(self.out, "{} findings below --min-severity are not shown", verdict.hidden.len())?;
        }
        if let Some(comparison) = comparison(verdict) {
            self.plain(&[comparison])?;
        }
        if let Some(first) = verdict.open().next() {
            let command = format!("pgassay rules show {}", first.rule);
            let painted = self.paint(&command, BOLD);
            for line in laid(&[format!("why, thresholds, when to ignore: {command}")], 0, self.style) {
                writeln!(self.out, "{}", line.replace(&command, &painted))?;
            }
        }
        Ok(())
    }
}

fn words(verdict: &Verdict, finding: &Finding) -> Vec<String> {
    let doubt = match finding.confidence {
        Confidence::Low => " (low confidence)",
        Confidence::Medium | Confidence::High => "",
    };
    let statement = finding.object.statement.as_deref().map(shortened);
    let message = std::iter::once(format!("{}{doubt}", finding.message));
    message.chain(also(verdict, finding)).chain(statement).collect()
}

fn shortened(text: &str) -> String {
    let flat = flat(text);
    if flat.chars().count() <= STATEMENT {
        return flat;
    }
    let cut: String = flat.chars().take(STATEMENT).collect();
    let whole_words = cut.rfind(' ').map_or(cut.as_str(), |end| &cut[..end]);
    format!("{whole_words} …")
}
