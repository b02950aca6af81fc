//! Waiting for what will come, and for no longer than is reasonable.

use pgassay::postgres::Scratch;
use std::time::{Duration, Instant};

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a query of one boolean answers true.
pub(crate) async fn until(session: &Scratch, question: &str) {
    let since = Instant::now();
    while session.value(question).await.expect("an answer").as_deref() != Some("t") {
        assert!(since.elapsed() < PATIENCE, "still not: {question}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until something in this process, or in the file system, is so.
pub(crate) fn until_so(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
