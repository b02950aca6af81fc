//! A job that runs the project's own workload before and after a change, and fails on regressions.

use super::text::{fill, yaml_text};

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct CiWish<'a> {
    /// Whose job it is to be.
    pub forge: Forge,
    /// Makes the schema and loads data.
    pub setup: &'a str,
    /// Runs what the application asks.
    pub workload: &'a str,
    /// Which changes are judged, as `diff --gate` has it.
    pub gate: &'a str,
    /// Major of the scratch server.
    pub major: u16,
}

/// Where the project is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

/// The job, in the form of the forge.
#[must_use]
pub fn ci_job(wish: CiWish<'_>) -> String {
    let (template, margin, output) = match wish.forge {
        Forge::Github => (include_str!("../../templates/github.yml"), 10, "sarif=pgassay.sarif"),
        Forge::Gitlab => (include_str!("../../templates/gitlab.yml"), 6, "gitlab=pgassay-quality.json"),
    };
    let script = fill(include_str!("../../templates/gate.sh"), &[("gate", wish.gate), ("output", output)]);
    let margin = " ".repeat(margin);
    let script: Vec<String> = script.lines().map(|line| format!("{margin}{line}")).collect();
    fill(
        template,
        &[
            ("setup", &yaml_text(wish.setup)),
            ("workload", &yaml_text(wish.workload)),
            ("major", &wish.major.to_string()),
            ("script", &script.join("\n")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_job_is_yaml_and_holds_its_commands() {
        let (setup, workload) = ("make 'the schema': {all} # now", "echo \"@gate@\" && ./run");
        for (forge, variables, script) in [
            (Forge::Github, "/jobs/workload/env", "/jobs/workload/steps/3/run"),
            (Forge::Gitlab, "/pgassay/variables", "/pgassay/script/0"),
        ] {
            let text = ci_job(CiWish { forge, setup, workload, gate: "plan", major: 17 });
            let job: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let told = |place: String| job.pointer(&place).and_then(Value::as_str).unwrap_or_else(|| panic!("{place}"));
            assert_eq!(told(format!("{variables}/SETUP")), setup);
            assert_eq!(told(format!("{variables}/WORKLOAD")), workload);
            let script = told(script.to_owned());
            assert!(script.starts_with("set -eu\n") && script.contains("--gate plan "), "{script}");
            assert!(script.trim_end().ends_with("exit \"$code\""), "{script}");
            assert!(text.contains("postgres:17"));
        }
    }
}
