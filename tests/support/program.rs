//! The program as a user runs it: in an environment that holds nothing but what the test says.

use super::report::Report;
use super::yard::Yard;
use assert_cmd::Command;
use std::process::Output;
use std::time::Duration;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// One run to be.
#[derive(Debug)]
pub(crate) struct Pgassay {
    command: Command,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Pgassay {
    pub(super) fn new(yard: &Yard, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgassay"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", yard.home()).env("USER", "nobody");
        command.current_dir(yard.path()).args(args).timeout(PATIENCE);
        Self { command }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Runs it.
    pub(crate) fn run(mut self) -> Outcome {
        Outcome::of(&self.command.output().expect("the program starts"))
    }
}

impl Outcome {
    /// How a process ended. A panic is never an answer.
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let outcome = Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert!(!outcome.stderr.contains("a fault in pgassay"), "{}", outcome.stderr);
        outcome
    }

    /// The report, when it is JSON.
    pub(crate) fn report(&self) -> Report {
        let json = serde_json::from_str(&self.stdout);
        Report(json.unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr)))
    }

    /// It ended with this code.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// It could not run, and the error says each of these.
    pub(crate) fn expect_unable(self, words: &[&str]) {
        let outcome = self.expect(2);
        assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
        for word in words {
            assert!(outcome.stderr.contains(word), "`{word}` should be in: {}", outcome.stderr);
        }
    }
}
