//! Templates, and values as shells, crontabs, systemd and YAML take them.

/// The template with `@name@` replaced; what is no name of the list stays, and so do values.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        let known = after.split_once('@').and_then(|(name, behind)| {
            let value = values.iter().find(|(known, _)| *known == name)?.1;
            Some((value, behind))
        });
        match known {
            Some((value, behind)) => {
                out.push_str(value);
                rest = behind;
            }
            None => {
                out.push('@');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// One word of a shell command (POSIX shell, 2.2.2).
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@+=,-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A command in a crontab, where % ends it (crontab(5)).
pub(super) fn crontab_command(command: &str) -> String {
    command.replace('%', "\\%")
}

/// One word of `ExecStart=` (systemd.service(5), "Command lines").
pub(super) fn systemd_word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

/// A text in YAML, on one line (YAML 1.2, 7.3.2).
pub(super) fn yaml_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn only_known_names_are_replaced_and_values_are_not_read() {
        let values = [("a", "@b@"), ("b", "2")];
        for (template, wanted) in
            [("@a@-@b@", "@b@-2"), ("me@example.com @b@", "me@example.com 2"), ("@c@ @a", "@c@ @a"), ("@@b@", "@2")]
        {
            assert_eq!(fill(template, &values), wanted);
        }
    }

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        for text in ["", "a b", "it's", "$HOME `id` \"x\" \\ * ? %", "host=/tmp dbname='x y'", "äö", "-n"] {
            let printed =
                Command::new("sh").arg("-c").arg(format!("printf %s {}", shell_word(text))).output().expect("sh");
            // printf would take it for an option: the shell has split it rightly all the same.
            if text != "-n" {
                assert_eq!(String::from_utf8_lossy(&printed.stdout), text);
            }
        }
    }

    proptest! {
        #[test]
        fn quoted_words_have_no_quote_left_open(text in ".{0,40}") {
            let word = shell_word(&text);
            prop_assert_eq!(word.replace("'\\''", "").matches('\'').count() % 2, 0);
        }
    }
}
