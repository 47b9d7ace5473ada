//! The script of tests/naive: a file that all share, and each process refreshes for itself.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{CLIENT, Course, Race, Size};

/// `None` where there is no Python to run it.
#[track_caller]
pub fn naive(size: Size) -> Option<Race> {
    Command::new("python3").arg("--version").output().ok().filter(|run| run.status.success())?;
    let course = Course::new(CLIENT, size);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = directory.path().join("token.json");
    let first = json!({
        "access_token": "none yet",
        "refresh_token": course.minted.refresh_token,
        "expires_at": 0,
    });
    std::fs::write(&state, first.to_string()).expect("the shared file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("naive/refresh.py");
    let client = course.idp.client(CLIENT);
    let race = course.run("each for itself (script)", size, "none yet", || {
        let output = Command::new("python3")
            .arg(&script)
            .arg(&state)
            .args([course.idp.token_endpoint(), &client.id, &client.secret])
            .arg(size.processes.to_string())
            .output()
            .expect("python3 runs");
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("the script failed ({error}): {said}"))
    });
    Some(race)
}
