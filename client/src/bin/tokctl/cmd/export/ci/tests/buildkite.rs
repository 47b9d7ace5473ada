//! buildkite-agent: ParseSecrets of `redactor add`, and `env set`, which reads its stdin by lines.

use super::*;

fn read(steps: Vec<Step>) -> Runner {
    let mut runner = Runner::default();
    for step in steps {
        let Step::Tell { program, arguments, stdin } = step else { panic!("nothing else is told") };
        assert_eq!(program, "buildkite-agent");
        let lines: Vec<&str> = stdin.split_terminator('\n').collect();
        assert!(
            lines.iter().all(|line| line.len() < 64 * 1024),
            "the line is too long for a scanner"
        );
        let object =
            |text: &str| -> BTreeMap<String, String> { serde_json::from_str(text).unwrap() };
        match arguments {
            ["redactor", "add", "--format", "json"] => {
                let secrets = object(&stdin).into_values();
                runner.masks.extend(secrets.inspect(|secret| assert!(!secret.is_empty())));
            }
            ["env", "set", "--input-format=json", "--output-format=quiet", "-"] => {
                for line in lines {
                    for (name, value) in object(line) {
                        runner.set_masked(&name, &value);
                    }
                }
            }
            _ => panic!("no such arguments: {arguments:?}"),
        }
    }
    runner
}

#[test]
fn buildkite_reads_back_every_value_and_redacts_it_before() {
    every_value_is_read_back(&super::super::buildkite::VENDOR, &setting(), read, has_control);
}

#[test]
fn a_line_that_the_agent_could_not_read_is_refused() {
    let steps = |bytes: usize| {
        (super::super::buildkite::VENDOR.steps)(&[pair("A", &"x".repeat(bytes))], &setting())
    };
    assert!(steps(64 * 1024 - 20).is_ok());
    assert!(steps(64 * 1024).is_err());
}
