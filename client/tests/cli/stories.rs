//! Every `.trycmd` file is a story: what the agent expects and says, and what is typed and shown.

use std::path::Path;

use crate::person::WHERE_A_BROWSER_IS;
use crate::script::Script;

#[test]
fn every_story_goes_as_it_is_told() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut stories: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trycmd"))
        .collect();
    stories.sort();
    assert!(!stories.is_empty());
    let complaints: Vec<_> = stories.iter().flat_map(|story| tell(story)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Plays one story and gives what did not go as it is told.
fn tell(story: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(story).unwrap();
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("agent.sock");
    let agent = block(&text).map(|block| Script::listen(&socket, block));
    let has_agent = agent.is_some();
    let shown = std::panic::catch_unwind(|| {
        let cases = trycmd::TestCases::new();
        cases.insert_var("[HOME]", home.path().to_str().unwrap().to_owned()).unwrap();
        // What is set here cannot be set in a story, so a story without an agent sets it itself.
        if has_agent {
            cases.env("TOKCTL_HOME", home.path().to_str().unwrap());
            cases.env("TOKCTL_SOCK", socket.to_str().unwrap());
            // Where GitHub's runner runs the tests, a token comes with a mask.
            if !text.contains("GITHUB_ACTIONS=") {
                cases.env("GITHUB_ACTIONS", "");
            }
            for name in WHERE_A_BROWSER_IS {
                cases.env(name, "");
            }
        }
        cases.case(story).run();
    });
    let mut complaints = agent.map(Script::finish).unwrap_or_default();
    if shown.is_err() {
        complaints.push("what is shown differs, see above".to_owned());
    }
    for complaint in &mut complaints {
        complaint.insert_str(0, &format!("{}: ", story.display()));
    }
    complaints
}

/// The lines of the block that tells what the agent does.
fn block(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("```agent\n")?;
    rest.split_once("```").map(|(block, _)| block)
}
