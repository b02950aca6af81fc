//! Connection strings as libpq reads them: URLs and `key=value` texts become one map of keywords.

use super::error::TargetError;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// Connection parameters by libpq's keywords.
pub type Params = BTreeMap<String, String>;

/// Keywords that are understood.
const KNOWN: &[&str] = &[
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_count",
    "keepalives_interval",
    "tcp_user_timeout",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// Keywords of libpq that change security and are not implemented: refused rather than ignored.
const REFUSED: &[&str] = &[
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "oauth_issuer",
    "replication",
    "require_auth",
    "requirepeer",
    "scram_client_key",
    "scram_server_key",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
    "sslsni",
];

fn known(keyword: &str) -> Result<(), TargetError> {
    if KNOWN.contains(&keyword) {
        return Ok(());
    }
    if REFUSED.contains(&keyword) {
        return Err(TargetError(format!("connection parameter `{keyword}` is not supported; leave it out")));
    }
    // A slip such as a password with a space in it lands here: never repeat what may be a secret.
    let is_word = keyword.chars().all(|c| c.is_ascii_lowercase() || c == '_') && keyword.len() < 30;
    let shown = if is_word { format!(" `{keyword}`") } else { String::new() };
    Err(TargetError(format!("unknown connection parameter{shown}; known: {}", KNOWN.join(", "))))
}

/// The text is a URL.
#[must_use]
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Reads a URL or a `key=value` text.
pub fn parse(text: &str) -> Result<Params, TargetError> {
    let params = if is_url(text) { parse_url(text)? } else { parse_pairs(text)? };
    params.keys().try_for_each(|keyword| known(keyword))?;
    Ok(params)
}

fn decode(text: &str) -> Result<String, TargetError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| TargetError("the URL's percent-encoding is not UTF-8".to_owned()))
}

fn parse_url(text: &str) -> Result<Params, TargetError> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = split_port(host)?;
        names.push(decode(name)?);
        ports.push(port.to_owned());
    }
    let mut params = Params::new();
    let mut put = |keyword: &str, value: String| {
        if !value.is_empty() {
            params.insert(keyword.to_owned(), value);
        }
    };
    put("user", decode(user)?);
    put("password", decode(password)?);
    put("dbname", decode(dbname)?);
    put("host", if names.iter().all(String::is_empty) { String::new() } else { names.join(",") });
    put("port", if ports.iter().all(String::is_empty) { String::new() } else { ports.join(",") });
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair
            .split_once('=')
            .ok_or_else(|| TargetError("the URL's query should be keyword=value, joined by &".to_owned()))?;
        let (keyword, value) = (decode(keyword)?, decode(value)?);
        match (keyword.as_str(), value.as_str()) {
            ("ssl", "true") => put("sslmode", "require".to_owned()),
            _ => put(&keyword, value),
        }
    }
    Ok(params)
}

/// `name:port`, `[::1]:port`, or either part alone.
fn split_port(host: &str) -> Result<(&str, &str), TargetError> {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, rest) = rest
            .split_once(']')
            .ok_or_else(|| TargetError("the URL has `[` without `]` round an IPv6 address".to_owned()))?;
        return Ok((name, rest.strip_prefix(':').unwrap_or("")));
    }
    Ok(host.split_once(':').unwrap_or((host, "")))
}

/// `host=db1 password='it''s'` with backslash escapes, as libpq reads it.
fn parse_pairs(text: &str) -> Result<Params, TargetError> {
    let mut params = Params::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or_else(|| {
            TargetError("a target is a URL (postgres://…), key=value pairs, or a name from the config".to_owned())
        })?;
        let (value, after) = read_value(after.trim_start())?;
        params.insert(keyword.trim().to_owned(), value);
        rest = after.trim_start();
    }
    Ok(params)
}

fn read_value(text: &str) -> Result<(String, &str), TargetError> {
    let (is_quoted, body) = text.strip_prefix('\'').map_or((false, text), |body| (true, body));
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &body[at + 1..])),
            c if c.is_whitespace() && !is_quoted => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if is_quoted { Err(TargetError("a quoted value does not end".to_owned())) } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutants;
    use proptest::prelude::*;

    const TARGETS: [&str; 3] = [
        "postgres://u:p%40ss@db1:5433,[::1]:5432,%2Frun%2Fpg/shop?sslmode=verify-full&application_name=a%20b",
        "host=db1,/run/pg port=5432,5433 dbname='a b' user=u\\\\ password='it\\'s' sslmode=prefer",
        "postgresql:///db?host=/run/pg&keepalives=1&connect_timeout=10",
    ];

    fn read(text: &str) -> Vec<String> {
        parse(text).expect("params").into_iter().map(|(keyword, value)| format!("{keyword}={value}")).collect()
    }

    #[test]
    fn urls() {
        assert_eq!(
            read("postgres://u:p%40ss@db1:5433/shop?sslmode=verify-full"),
            ["dbname=shop", "host=db1", "password=p@ss", "port=5433", "sslmode=verify-full", "user=u"]
        );
        assert_eq!(read("postgresql://h1:1,h2:2/db"), ["dbname=db", "host=h1,h2", "port=1,2"]);
        assert_eq!(read("postgresql:///db?host=/run/pg"), ["dbname=db", "host=/run/pg"]);
        assert_eq!(read("postgresql://%2Frun%2Fpg/db"), ["dbname=db", "host=/run/pg"]);
        assert_eq!(read("postgres://[::1]:5432/db"), ["dbname=db", "host=::1", "port=5432"]);
        assert_eq!(read("postgres://"), Vec::<String>::new());
    }

    #[test]
    fn pairs() {
        assert_eq!(read("host = db1  password='it\\'s a \\\\' user=u"), ["host=db1", "password=it's a \\", "user=u"]);
        assert_eq!(read(""), Vec::<String>::new());
    }

    #[test]
    fn refusals_never_repeat_a_secret() {
        for text in
            ["host=a S3cret-word=b", "password=two S3cret words", "postgres://u:S3cret@h/d?S3cret", "password='S3cret"]
        {
            let error = parse(text).expect_err("refused").to_string();
            assert!(!error.contains("S3cret"), "{error}");
        }
        assert!(parse("sslcrl=x").expect_err("refused").to_string().contains("not supported"));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = parse(&text);
            let _ = parse(&format!("postgres://{text}"));
        }

        #[test]
        fn no_target_makes_it_panic(text in mutants(TARGETS.map(str::to_owned).to_vec())) {
            let _ = parse(&text);
        }

        #[test]
        fn quoting_round_trips(value in "[ -~]{1,40}") {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            prop_assert_eq!(parse(&format!("password='{quoted}'")).expect("params").remove("password"), Some(value));
        }
    }
}
