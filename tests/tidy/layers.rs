//! In the agent an import never points right: core <- oauth, vault, config <- import <- shell <- main.

use std::fs;

use crate::tidy::words::{files, top};

/// What each layer may not name. `core` is a crate whose manifest sees to it, and the others cannot name main.
const LAYERS: [(&str, &[&str]); 5] = [
    ("agent/src/oauth", &["vault", "import", "shell"]),
    ("agent/src/vault", &["oauth", "config", "import", "shell"]),
    ("agent/src/config", &["oauth", "vault", "import", "shell"]),
    ("agent/src/import", &["oauth", "vault", "shell"]),
    ("agent/core/src", &["oauth", "vault", "config", "import", "shell"]),
];

/// What core may not even depend on: whatever reads a clock, draws randomness, or does I/O.
const NOT_IN_CORE: [&str; 8] =
    ["tokio", "nix", "getrandom", "rand", "reqwest", "interprocess", "notify", "tokctl-agent"];

#[test]
fn no_import_points_right() {
    let mut wrong = Vec::new();
    for (layer, forbidden) in LAYERS {
        for file in files(&top().join(layer), &["rs"]) {
            let text = fs::read_to_string(&file).unwrap();
            for name in forbidden {
                let path = format!("crate::{name}");
                if text.contains(&format!("{path}::")) || text.contains(&format!("{path};")) {
                    wrong.push(format!("{} names {path}", file.display()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn core_depends_on_nothing_that_acts() {
    let manifest = fs::read_to_string(top().join("agent/core/Cargo.toml")).unwrap();
    for name in NOT_IN_CORE {
        let named = manifest.lines().any(|line| {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            key == name
        });
        assert!(!named, "core depends on {name}");
    }
}

#[test]
fn core_reads_no_clock() {
    for file in files(&top().join("agent/core/src"), &["rs"]) {
        let text = fs::read_to_string(&file).unwrap();
        for name in ["SystemTime", "Instant::now", "std::fs", "std::net", "std::thread", "async fn"]
        {
            assert!(!text.contains(name), "{} names {name}", file.display());
        }
    }
}
