//! Takes every literal and comment out of a text, by the scanner alone: it works on what the parser
//! refuses, and on utility statements, whose literals `pg_stat_statements` keeps.

use pg_query::protobuf::Token;
use std::collections::BTreeSet;

/// The text with literals replaced by parameters numbered after its own, and comments left out;
/// the squashed list `IN ($1 /*, ... */)` stays as PostgreSQL 18 prints it. None when the scanner
/// refuses the text, as it does when `track_activity_query_size` cut it inside a literal.
#[must_use]
pub fn redact(text: &str) -> Option<String> {
    redact_but(text, &BTreeSet::new())
}

/// The same, but for the literals at these byte positions.
pub(super) fn redact_but(text: &str, kept: &BTreeSet<usize>) -> Option<String> {
    // Not `scan_tokens`: in 18.1 it makes a slice of a null pointer when a text holds no token.
    let tokens = pg_query::scan(text).ok()?.tokens;
    let mut next = 1 + tokens
        .iter()
        .filter(|token| token.token == Token::Param as i32)
        .map(|token| number(text, token))
        .max()
        .unwrap_or(0);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for token in &tokens {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let own = text.get(start..end)?;
        match Token::try_from(token.token) {
            _ if kept.contains(&start) => out.push_str(text.get(from..end)?),
            Ok(Token::Sconst | Token::Usconst | Token::Bconst | Token::Xconst | Token::Fconst | Token::Iconst) => {
                out.push_str(text.get(from..start)?);
                out.push_str(&format!("${next}"));
                next += 1;
            }
            Ok(Token::SqlComment | Token::CComment) if own != "/*, ... */" => {
                out.push_str(text.get(from..start)?.trim_end());
                out.push(' ');
            }
            _ => out.push_str(text.get(from..end)?),
        }
        from = end;
    }
    out.push_str(text.get(from..)?);
    Some(out.trim().to_owned())
}

/// The number of a parameter token, `$12` → 12.
fn number(text: &str, token: &pg_query::protobuf::ScanToken) -> u64 {
    let (start, end) = (usize::try_from(token.start).unwrap_or(0), usize::try_from(token.end).unwrap_or(0));
    text.get(start..end).and_then(|text| text.trim_start_matches('$').parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::redact;
    use proptest::prelude::*;

    #[test]
    fn literals_go_wherever_they_stand() {
        for (text, expected) in [
            ("select * from t where id = 42 and name = 'x'", "select * from t where id = $1 and name = $2"),
            ("select $1, 5 from t", "select $1, $2 from t"),
            ("create role a password 'geheim'", "create role a password $1"),
            ("alter user a with encrypted password $$geheim$$", "alter user a with encrypted password $1"),
            ("select 1 /* token=geheim */ -- geheim\nfrom t", "select $1\u{20}\nfrom t"),
            ("select * from t where id in ($1 /*, ... */)", "select * from t where id in ($1 /*, ... */)"),
            ("copy t from program 'curl -u u:geheim'", "copy t from program $1"),
            ("select x'ff', b'01', 1.5e3, U&'\\0041'", "select $1, $2, $3, $4"),
        ] {
            let shown = redact(text).unwrap_or_default();
            assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_text_cut_inside_a_literal_is_not_shown() {
        assert_eq!(redact("select * from t where name = 'gehe"), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_leaks_a_quoted_literal(text in ".{0,200}", secret in "[a-z]{12}") {
            let _ = redact(&text);
            let shown = redact(&format!("select '{secret}', $x${secret}$x$, e'{secret}'")).unwrap_or_default();
            prop_assert!(!shown.contains(&secret));
        }
    }
}
