//! Programs that check what we wrote for them.

use std::io::ErrorKind;
use std::process::Command;

/// A checker has nothing to say; where it is not installed nothing is checked.
pub(crate) fn taken_by(checker: &str, args: &[&str]) {
    match Command::new(checker).args(args).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{checker}: {}", String::from_utf8_lossy(&said));
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{checker}"),
    }
}
