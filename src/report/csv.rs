//! The report for spreadsheets: RFC 4180, one finding a row, waived ones and those that another one tells, too.

use super::escape;
use crate::model::finding::Finding;
use crate::model::verdict::Verdict;
use std::io::{self, Write};

const HEADER: &str = "severity,rule,area,object_kind,database,object,message,fix,impact_value,impact_unit,confidence,\
                      fingerprint,waived,new,told_by";

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{HEADER}\r\n")?;
    for finding in &verdict.findings {
        write!(out, "{}\r\n", row(finding).join(","))?;
    }
    Ok(())
}

fn row(finding: &Finding) -> [String; 15] {
    let object = &finding.object;
    [
        cell(finding.severity.name()),
        cell(&finding.rule),
        cell(&finding.area),
        cell(object.kind.name()),
        cell(object.database.as_deref().unwrap_or_default()),
        cell(&object.path()),
        cell(&finding.message),
        cell(&finding.fix.text),
        finding.impact.value.to_string(),
        cell(&finding.impact.unit),
        cell(finding.confidence.name()),
        cell(&finding.fingerprint()),
        cell(finding.waived.as_ref().map(|waived| waived.reason.as_str()).unwrap_or_default()),
        finding.new.map(|new| new.to_string()).unwrap_or_default(),
        cell(finding.told_by.as_ref().map(|teller| teller.rule.as_str()).unwrap_or_default()),
    ]
}

/// A text as a cell. Spreadsheets compute what begins like a formula, wherever the file came from
/// (CWE-1236): an apostrophe makes it a text.
pub(super) fn cell(text: &str) -> String {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || text.starts_with(['\t', '\r', '\n']);
    let safe = escape(text);
    let text = if is_formula { format!("'{safe}") } else { safe };
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn nothing_is_computed_and_nothing_breaks_a_row() {
        for (text, expected) in [
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a\r\nb", "a  b"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "' =1"),
            ("  =1", "'  =1"),
            ("\tx", "' x"),
            ("＝1", "'＝1"),
            ("=HYPERLINK(\"http://x\",1)", "\"'=HYPERLINK(\"\"http://x\"\",1)\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
