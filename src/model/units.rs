//! Sizes, durations and counts as people write and read them.

/// A quantity that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuantity(pub String);

impl std::fmt::Display for BadQuantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadQuantity {}

const BYTES: [(&str, f64); 9] = [
    ("bytes", 1.0),
    ("B", 1.0),
    ("kB", 1024.0),
    ("KiB", 1024.0),
    ("MB", 1_048_576.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("GB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Suffixes of a duration, in milliseconds.
const DURATIONS: [(&str, f64); 7] = [
    ("us", 0.001),
    ("ms", 1.0),
    ("s", 1_000.0),
    ("min", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
    ("w", 604_800_000.0),
];

/// Reads a quantity in the unit a parameter declares: `100MiB` for `bytes`; `15s` or `2h` for `ms`,
/// `seconds` and `days`; a bare number is taken to be in the unit itself.
/// As in PostgreSQL's settings, `MB` means 1024 × 1024 bytes.
pub fn parse_quantity(text: &str, unit: &str) -> Result<f64, BadQuantity> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E').unwrap_or(text.len());
    let (digits, suffix) = (text[..split].trim(), text[split..].trim());
    let number: f64 = digits
        .replace('_', "")
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| BadQuantity(format!("{text:?} is not a number")))?;
    if suffix.is_empty() {
        return Ok(number);
    }
    let (suffixes, per_unit): (&[(&str, f64)], f64) = match unit {
        "bytes" => (&BYTES, 1.0),
        "ms" => (&DURATIONS, 1.0),
        "seconds" => (&DURATIONS, 1_000.0),
        "days" => (&DURATIONS, 86_400_000.0),
        _ => return Err(BadQuantity(format!("{text:?} should be a plain number of {unit}"))),
    };
    suffixes.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| number * factor / per_unit).ok_or_else(|| {
        let known: Vec<_> = suffixes.iter().map(|(name, _)| *name).collect();
        let what = if unit == "bytes" { "size" } else { "time" };
        BadQuantity(format!("{suffix:?} is not a unit of {what}; known: {}", known.join(", ")))
    })
}

/// Bytes for people, in powers of 1024: `512 B`, `1.5 GiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    let mut scaled = value;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled.abs() < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{scaled:.0} B") } else { format!("{} {unit}", short(scaled)) }
}

/// Milliseconds for people: `0.42 ms`, `3.1 s`, `2.5 h`.
#[must_use]
pub fn millis(value: f64) -> String {
    let steps = [
        (1_000.0, 1.0, "ms"),
        (60_000.0, 1_000.0, "s"),
        (3_600_000.0, 60_000.0, "min"),
        (172_800_000.0, 3_600_000.0, "h"),
    ];
    for (below, factor, unit) in steps {
        if value.abs() < below {
            return format!("{} {unit}", short(value / factor));
        }
    }
    format!("{} days", short(value / 86_400_000.0))
}

/// A whole number with thousands apart: `12,345,678`.
#[must_use]
pub fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0.0 && digits != "0" {
        out.push('-');
    }
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with about three significant digits: `0.042`, `3.1`, `512`.
#[must_use]
pub fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 100.0 {
        count(value)
    } else if magnitude >= 1.0 || magnitude == 0.0 {
        trimmed(format!("{value:.1}"))
    } else if magnitude >= 0.001 {
        trimmed(format!("{value:.3}"))
    } else {
        "<0.001".to_owned()
    }
}

/// A number with three significant digits however small it is, so that small ones can be told apart: `0.0421`, `3.14`.
#[must_use]
pub fn significant(value: f64) -> String {
    if value == 0.0 || value.abs() >= 100.0 || !value.is_finite() {
        return short(value);
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of any number that is not 0 between 0 and 326"
    )]
    let decimals = (2.0 - value.abs().log10().floor()).max(0.0) as usize;
    trimmed(format!("{value:.decimals$}"))
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, unit, expected) in [
            ("100MiB", "bytes", 104_857_600.0),
            ("8 kB", "bytes", 8192.0),
            ("15s", "ms", 15_000.0),
            ("2h", "seconds", 7200.0),
            ("35d", "days", 35.0),
            ("36h", "days", 1.5),
            ("1_000", "calls", 1000.0),
            ("1e6", "tuples", 1_000_000.0),
        ] {
            assert_eq!(parse_quantity(text, unit), Ok(expected), "{text} {unit}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, unit, reason) in [
            ("100Mib", "bytes", "is not a unit of size"),
            ("5x", "days", "is not a unit of time"),
            ("ten", "ms", "is not a number"),
            ("5s", "calls", "plain number of calls"),
            ("inf", "ms", "is not a number"),
            ("", "ms", "is not a number"),
        ] {
            let error = parse_quantity(text, unit).unwrap_err().to_string();
            assert!(error.contains(reason), "{text} {unit}: {error}");
        }
    }

    #[test]
    fn writes_what_people_read() {
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(1_048_576.0), "1 MiB");
        assert_eq!(bytes(1_610_612_736.0), "1.5 GiB");
        assert_eq!(bytes(1_048_575.0), "1 MiB");
        assert_eq!(millis(0.42), "0.42 ms");
        assert_eq!(millis(3_100.0), "3.1 s");
        assert_eq!(millis(9_000_000.0), "2.5 h");
        assert_eq!(count(12_345_678.0), "12,345,678");
        assert_eq!(count(-1000.4), "-1,000");
        assert_eq!(short(0.000_01), "<0.001");
        for (value, expected) in [(0.196_4, "0.196"), (0.001_234_5, "0.00123"), (60.0, "60"), (9.996, "10"), (0.0, "0")]
        {
            assert_eq!(significant(value), expected);
        }
    }
}
