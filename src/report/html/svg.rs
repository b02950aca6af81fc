//! Charts as SVG in the page. They hold shapes and labels of ours, no colours: those are the style's.

use std::fmt::Write as _;

/// Width of a column with the room beside it.
const STEP: f64 = 10.0;

/// Height of a chart.
const HEIGHT: f64 = 60.0;

/// Room for the thickness of a line.
const MARGIN: f64 = 2.0;

/// One of the columns.
pub(super) struct Column {
    /// Its class in the style.
    pub(super) class: &'static str,
    /// 0 to 1.
    pub(super) height: f64,
    /// What it stands for.
    pub(super) label: String,
}

/// What a chart is called, and what it shows in words. The name of its place makes them its own.
pub(super) struct Caption<'a> {
    pub(super) id: &'a str,
    pub(super) title: String,
    pub(super) description: String,
}

/// A bar cut by shares from 0 to 1; what it shows stands beside it in figures.
pub(super) fn bar(parts: &[(&str, f64)]) -> String {
    let mut svg = String::from(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"track\" width=\"100\" height=\"8\"/>",
    );
    let mut from = 0.0;
    for (class, share) in parts {
        // What is there is seen, however little.
        let least: f64 = if *share > 0.0 { 0.5 } else { 0.0 };
        let width = (100.0 * clamped(*share)).max(least).min(100.0 - from);
        let _ = write!(svg, "<rect class=\"{class}\" x=\"{from:.2}\" width=\"{width:.2}\" height=\"8\"/>");
        from += width;
    }
    svg + "</svg>"
}

/// Columns side by side.
pub(super) fn columns(caption: &Caption<'_>, columns: &[Column]) -> String {
    #[allow(clippy::cast_precision_loss, reason = "some dozens")]
    let place = |at: usize| at as f64 * STEP;
    let mut svg = open(caption, "columns", place(columns.len().max(1)));
    for (at, column) in columns.iter().enumerate() {
        let height = (HEIGHT * clamped(column.height)).max(1.5);
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            column.class,
            place(at) + 1.0,
            HEIGHT - height,
            STEP - 2.0,
            text(&column.label)
        );
    }
    svg + "</svg>"
}

/// Lines over a common span, from the bottom up to `most`.
pub(super) fn lines(caption: &Caption<'_>, most: f64, lines: &[(&str, Vec<(f64, f64)>)]) -> String {
    const WIDTH: f64 = 300.0;
    let all = || lines.iter().flat_map(|(_, points)| points.iter().map(|point| point.0));
    let (first, last) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if last > first { last - first } else { 1.0 };
    let mut svg = open(caption, "lines", WIDTH);
    for (class, points) in lines {
        let mut path = String::new();
        for (x, y) in points {
            let (x, y) = (clamped((x - first) / span), clamped(if most > 0.0 { y / most } else { 0.0 }));
            let sign = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{sign}{:.1} {:.1}", WIDTH * x, HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * y);
        }
        if points.len() == 1 {
            let _ = write!(path, "h{WIDTH}");
        }
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\" vector-effect=\"non-scaling-stroke\"/>");
    }
    svg + "</svg>"
}

fn open(caption: &Caption<'_>, class: &str, width: f64) -> String {
    let id = caption.id;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width:.0} {HEIGHT:.0}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        text(&caption.title),
        text(&caption.description)
    )
}

/// 0 to 1, whatever was asked for.
fn clamped(share: f64) -> f64 {
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// A text inside markup.
pub(super) fn text(text: &str) -> String {
    crate::report::escape(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(title: &str) -> Caption<'_> {
        Caption { id: "c", title: title.to_owned(), description: "d".to_owned() }
    }

    #[test]
    fn labels_stay_labels() {
        let hostile = "</title><script>alert(1)</script>\u{202e}";
        let column = Column { class: "past", height: 0.5, label: hostile.to_owned() };
        let svg = columns(&caption(hostile), &[column]);
        assert!(!svg.contains("<script") && !svg.contains('\u{202e}'), "{svg}");
        assert_eq!(svg.matches("&lt;script&gt;").count(), 2, "{svg}");
    }

    #[test]
    fn every_number_is_drawn_inside() {
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let drawn = [
                bar(&[("a", value), ("b", 2.0)]),
                columns(&caption("t"), &[Column { class: "past", height: value, label: String::new() }]),
                lines(&caption("t"), value, &[("a", vec![(value, value), (0.0, 1.0)])]),
                lines(&caption("t"), 1.0, &[("a", Vec::new())]),
            ];
            for svg in drawn {
                assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("=\"-"), "{svg}");
            }
        }
    }

    #[test]
    fn a_bar_is_cut_by_shares() {
        let svg = bar(&[("a", 0.25), ("b", 0.9)]);
        assert!(svg.contains("x=\"0.00\" width=\"25.00\"") && svg.contains("x=\"25.00\" width=\"75.00\""), "{svg}");
        assert!(bar(&[("a", 0.000_01)]).contains("width=\"0.50\""));
    }
}
