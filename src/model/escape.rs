//! Texts of the server where they are read: what would move the cursor or turn the line is shown, not done.

/// Control characters and characters that reorder text, as `\u{…}`; newlines and tabs become spaces.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' => out.push(' '),
            c if c.is_control() || is_format(c) || is_noncharacter(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Bidirectional controls, zero-width characters and the byte order mark (Unicode TR36 §2.4, TR39).
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{061c}')
}

/// Code points that end in FFFE or FFFF: no text, and XML 1.0 forbids the first two.
fn is_noncharacter(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(escape("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("x\u{202e}y\u{0}"), "x\\u{202e}y\\u{0}");
        assert_eq!(escape("x\u{ffff}y"), "x\\u{ffff}y");
        assert_eq!(escape("größe\nü"), "größe ü");
    }
}
