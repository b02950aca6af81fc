//! Prometheus' text exposition format, version 0.0.4. Names follow its conventions: base units (seconds, bytes, ratios from
//! 0 to 1), `_total` for what is counted on and on.

use super::escape;
use std::io::{self, Write};

/// Labels of a sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A sample: labels and value.
pub(super) type Sample = (Labels, f64);

/// A metric with its samples; nothing where there are none. What is called `…_total` is a counter, all else a gauge.
pub(super) fn metric(out: &mut dyn Write, name: &str, help: &str, samples: Vec<Sample>) -> io::Result<()> {
    if samples.is_empty() {
        return Ok(());
    }
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for (labels, value) in samples {
        let pairs: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", quoted(text))).collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        writeln!(out, "{name}{labels} {value}")?;
    }
    Ok(())
}

/// A label's value: backslash, quote and line feed are escaped; what would move a cursor or turn a line is shown as code
/// points.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| escape(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    lines.join("\\n")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn labels_hold_any_name() {
        assert_eq!(quoted("a\"b\\c\nd\u{1b}"), "a\\\"b\\\\c\\nd\\\\u{1b}");
    }
}
