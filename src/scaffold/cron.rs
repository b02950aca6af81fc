//! An audit each day: the script, a crontab line, and a service with its timer.

use super::text::{crontab_command, fill, shell_word, systemd_word};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct CronWish {
    /// This program, with its path.
    pub program: String,
    /// The config, where there is one.
    pub config: Option<String>,
    /// What is audited.
    pub target: String,
    /// Folder of the files that are made here.
    pub home: String,
    /// Folder of the reports.
    pub dir: String,
    /// Minutes for which reports are kept.
    pub keep_minutes: u64,
    /// Hour and minute of the day.
    pub at: (u8, u8),
    /// Severity from which on somebody is told.
    pub fail_on: &'static str,
    /// Who is told.
    pub tell: Tell,
    /// As whom the service runs.
    pub user: String,
}

/// Who is told of new findings and failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tell {
    /// Whoever reads the output: cron mails it, systemd keeps it in its journal.
    Output,
    /// This address, by mail(1).
    Mail(String),
    /// This command: it gets the report on its standard input.
    Hook(String),
}

/// A file to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
    /// It is to be run.
    pub is_program: bool,
}

/// Script, crontab, service and timer.
#[must_use]
pub fn cron_files(wish: &CronWish) -> Vec<Made> {
    let script = format!("{}/audit.sh", wish.home.trim_end_matches('/'));
    let (hour, minute) = wish.at;
    let line = crontab_command(&format!("sh {}", shell_word(&script)));
    let crontab = format!(
        "# Made by `pgassay init cron`: for `crontab -e`. Whoever reads its mail hears of new findings.\n\
         {minute} {hour} * * * {line}\n"
    );
    let (hour, minute) = (format!("{hour:02}"), format!("{minute:02}"));
    let made = |name, text, is_program| Made { name, text, is_program };
    vec![
        made("audit.sh", audit(wish), true),
        made("crontab", crontab, false),
        made(
            "pgassay.service",
            fill(
                include_str!("../../templates/pgassay.service"),
                &[("user", &wish.user), ("script", &systemd_word(&script))],
            ),
            false,
        ),
        made(
            "pgassay.timer",
            fill(include_str!("../../templates/pgassay.timer"), &[("hour", &hour), ("minute", &minute)]),
            false,
        ),
    ]
}

fn audit(wish: &CronWish) -> String {
    let target = shell_word(&wish.target);
    let config = wish.config.as_ref().map(|path| format!(" --config {}", shell_word(path))).unwrap_or_default();
    let tell = match &wish.tell {
        Tell::Output => "cat \"$name.txt\"".to_owned(),
        Tell::Mail(address) => {
            let subject = "\"pgassay on $(uname -n): exit code $code\"";
            format!("mail -s {subject} {} < \"$name.txt\"", shell_word(address))
        }
        Tell::Hook(command) => format!(
            "PGASSAY_CODE=$code PGASSAY_REPORT=\"$dir/$name.json\" sh -c {} < \"$name.txt\"",
            shell_word(command)
        ),
    };
    fill(
        include_str!("../../templates/audit.sh"),
        &[
            ("target_words", &wish.target),
            ("target", &target),
            ("pgassay", &format!("{}{config}", shell_word(&wish.program))),
            ("dir", &shell_word(&wish.dir)),
            ("fail_on", wish.fail_on),
            ("tell", &tell),
            ("keep_minutes", &wish.keep_minutes.to_string()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(tell: Tell) -> CronWish {
        CronWish {
            program: "/opt/my tools/pgassay".to_owned(),
            config: Some("/etc/pgassay/pgassay.yaml".to_owned()),
            target: "host=/run dbname=shop".to_owned(),
            home: "/etc/100%/".to_owned(),
            dir: "/var/lib/pgassay".to_owned(),
            keep_minutes: 1440,
            at: (3, 7),
            fail_on: "warning",
            tell,
            user: "ops".to_owned(),
        }
    }

    #[test]
    fn words_are_quoted_for_whom_they_are_for() {
        let files = cron_files(&wish(Tell::Hook("curl -d @- 'https://example.com/@dir@'".to_owned())));
        let text = |name: &str| &files.iter().find(|file| file.name == name).expect(name).text;
        assert!(
            text("audit.sh")
                .contains("'/opt/my tools/pgassay' --config /etc/pgassay/pgassay.yaml audit 'host=/run dbname=shop' ")
        );
        assert!(
            text("audit.sh").contains(r"sh -c 'curl -d @- '\''https://example.com/@dir@'\''' <"),
            "{}",
            text("audit.sh")
        );
        assert!(text("crontab").ends_with("7 3 * * * sh '/etc/100\\%/audit.sh'\n"), "{}", text("crontab"));
        assert!(text("pgassay.service").contains("ExecStart=/bin/sh \"/etc/100%%/audit.sh\"\n"));
        assert!(text("pgassay.timer").contains("OnCalendar=*-*-* 03:07:00\n"));
    }

    #[test]
    fn somebody_is_told_by_mail_or_by_the_output() {
        let script = |tell| cron_files(&wish(tell)).remove(0).text;
        assert!(
            script(Tell::Mail("ops@example.com".to_owned()))
                .contains("exit code $code\" ops@example.com < \"$name.txt\"")
        );
        assert!(script(Tell::Output).contains("  cat \"$name.txt\"\nfi"));
    }
}
