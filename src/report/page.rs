//! What all texts for people share: width, colour, wrapped and indented lines.

use super::{Style, escape};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::io::{self, Write};

/// Narrower than this, a text is broken words; wider lines are hard to read.
const WIDTHS: std::ops::RangeInclusive<u16> = 60..=140;

/// Columns before a line below its title.
const INDENT: u16 = 4;

/// A space that no line ends at.
const NO_BREAK: char = '\u{a0}';

/// What follows a number and stays beside it.
const UNITS: [&str; 11] = ["B", "KiB", "MiB", "GiB", "TiB", "ms", "s", "min", "h", "days", "%"];

/// ANSI codes (ECMA-48 §8.3.117).
pub(super) const BOLD: &str = "1";
pub(super) const DIM: &str = "2";

/// A text in a colour or weight, where those may be used.
pub(super) fn paint(text: &str, code: &str, style: Style) -> String {
    if style.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

pub(super) fn bold(text: &str, style: Style) -> String {
    paint(text, BOLD, style)
}

/// Indented lines, wrapped; texts of the server are escaped here.
pub(super) fn lines(lines: &[String], style: Style, out: &mut dyn Write) -> io::Result<()> {
    wrapped(lines, INDENT, style, out)
}

/// As [`lines`], indented by so many columns.
pub(super) fn wrapped(lines: &[String], indent: u16, style: Style, out: &mut dyn Write) -> io::Result<()> {
    laid(lines, indent, style).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The lines that texts take, indented by so many columns.
pub(super) fn laid(texts: &[String], indent: u16, style: Style) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width.clamp(*WIDTHS.start(), *WIDTHS.end()));
    for text in texts {
        let text = bound(&escape(text));
        table.add_row(if indent == 0 { vec![text] } else { vec![String::new(), text] });
    }
    if let Some(margin) = table.column_mut(0) {
        margin.set_padding((0, 0));
        if indent > 0 {
            // The text's own padding is one more.
            margin.set_constraint(ColumnConstraint::Absolute(Width::Fixed(indent - 1)));
        }
    }
    table.lines().map(|line| line.trim_end().replace(NO_BREAK, " ")).collect()
}

/// The text with numbers bound to their units, and three dots to what they cut.
fn bound(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ') {
        let unit = word.trim_end_matches([',', ';', ':', '.', ')']);
        let is_bound = unit == "…" || (UNITS.contains(&unit) && out.ends_with(|last: char| last.is_ascii_digit()));
        if !out.is_empty() {
            out.push(if is_bound { NO_BREAK } else { ' ' });
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn numbers_and_units_are_bound() {
        for (text, expected) in [
            ("8.1 s in total over 9.1 s", "8.1_s in total over 9.1_s"),
            ("(1 MiB); 40 %, 5 min.", "(1_MiB); 40_%, 5_min."),
            ("order by placed_at desc …", "order by placed_at desc_…"),
            ("30 calls a s, x s", "30 calls a s, x s"),
            ("", ""),
        ] {
            assert_eq!(bound(text).replace('\u{a0}', "_"), expected);
        }
    }
}
