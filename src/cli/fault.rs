//! A panic is a fault of ours: it is told in one line, has an exit code of its own, and of many targets costs one.

use super::exit;
use crate::report::escape;
use futures_util::FutureExt;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

/// Who may tell us, and what helps.
const ASKS: &str = concat!(
    "a fault in pgassay ",
    env!("CARGO_PKG_VERSION"),
    ", please report it with what `pgassay --version` says at ",
    env!("CARGO_PKG_REPOSITORY"),
    "/issues"
);

/// Runs the program. Whatever panics in it, on any thread, is told when it does.
pub(super) fn guard(program: impl FnOnce() -> u8) -> u8 {
    set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
        tell!("pgassay: {}{place}", told(panic.payload()));
    }));
    catch_unwind(AssertUnwindSafe(program)).unwrap_or(exit::FAULT)
}

/// What `work` comes to; where it panics, what to say of it.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| told(&*panic))
}

/// As [`caught`], of what is waited for.
pub(super) async fn caught_in<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| told(&*panic))
}

/// One line. Assertions have several.
fn told(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let said: Vec<&str> = said.unwrap_or("no words").split_whitespace().collect();
    format!("{ASKS}: {}", escape(&said.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::task::Poll;

    #[test]
    #[ignore = "the hook is the process's own: the test below runs this in another one"]
    fn a_program_that_panics() {
        let code = guard(|| {
            let thread = std::thread::spawn(|| panic!("on a thread\nof its own"));
            assert!(thread.join().is_err());
            assert_eq!([1, 2].len(), "three".len(), "two lines\nand more");
            exit::OK
        });
        assert_eq!(code, exit::FAULT);
    }

    #[test]
    fn each_panic_is_one_line_that_asks_for_a_report() {
        let own = std::env::current_exe().expect("this test");
        let name = concat!(module_path!(), "::a_program_that_panics").split_once("::").expect("a crate").1;
        let output = Command::new(own)
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", "full")
            .output()
            .expect("run");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
        let told: Vec<&str> = err.lines().collect();
        let version = env!("CARGO_PKG_VERSION");
        let [first, second] = told[..] else { panic!("{err}") };
        for (line, said) in
            [(first, ": on a thread of its own (src/"), (second, ": two lines and more left: 2 right: 5 (src/")]
        {
            let line = line.replace("assertion `left == right` failed: ", "");
            assert!(line.starts_with(&format!("pgassay: a fault in pgassay {version}, please report it ")), "{line}");
            assert!(line.contains(said), "{line}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_error_of_what_was_tried() {
        for (told, end) in [
            (caught(|| -> u8 { panic!("of {}", "a piece") }), ": of a piece"),
            (caught_in(std::future::poll_fn(|_| -> Poll<u8> { panic!("waited for") })).await, ": waited for"),
            (caught(|| -> u8 { std::panic::panic_any(7) }), ": no words"),
        ] {
            let told = told.expect_err("it panics");
            assert!(told.starts_with(ASKS) && told.ends_with(end), "{told}");
        }
        assert_eq!((caught(|| 1), caught_in(async { 2 }).await), (Ok(1), Ok(2)));
    }
}
