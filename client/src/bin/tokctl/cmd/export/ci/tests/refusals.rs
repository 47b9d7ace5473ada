//! Who is recognised, and what is not handed over.

use super::*;

fn detected(variables: &[(&str, &str)]) -> Option<&'static str> {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    detect(&variable).map(|vendor| vendor.name)
}

#[test]
fn a_job_is_known_by_what_its_runner_sets() {
    for (variables, vendor) in [
        (&[("GITHUB_ACTIONS", "true"), ("CI", "true")][..], Some("github")),
        (&[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")], Some("forgejo")),
        (&[("GITHUB_ACTIONS", "true"), ("FORGEJO_ACTIONS", "true")], Some("forgejo")),
        (&[("TF_BUILD", "True")], Some("azure")),
        (&[("BUILDKITE", "true")], Some("buildkite")),
        (&[("GITLAB_CI", "true")], Some("gitlab")),
        (&[("CIRCLECI", "true")], Some("circleci")),
        (&[("TEAMCITY_VERSION", "2026.1")], Some("teamcity")),
        (&[("JENKINS_URL", "https://j.example/")], Some("jenkins")),
        (&[("BITBUCKET_BUILD_NUMBER", "7")], Some("bitbucket")),
        (&[("CI", "woodpecker")], Some("woodpecker")),
        (&[("CI", "true"), ("CI_SYSTEM_NAME", "woodpecker")], Some("woodpecker")),
        (&[("DRONE", "true"), ("CI", "true")], Some("drone")),
        (&[("TRAVIS", "true")], Some("travis")),
        (&[("CI", "true")], None),
        (&[("GITHUB_ACTIONS", "false")], None),
        (&[], None),
    ] {
        assert_eq!(detected(variables), vendor, "{variables:?}");
    }
}

#[test]
fn a_runner_that_can_mask_is_told_to_before_it_is_told_anything_else() {
    for vendor in VENDORS.iter().filter(|vendor| vendor.unmasked.is_none()) {
        let steps = (vendor.steps)(&[pair("A", "a-long-value")], &setting()).unwrap();
        let text = |step: &Step| match step {
            Step::Say(text) | Step::Mask(text) | Step::Append(_, text) => text.to_string(),
            Step::Tell { arguments, .. } => arguments.join(" "),
        };
        let first = text(&steps[0]);
        let masks = ["::add-mask::", "##vso[task.setsecret]", "redactor add"];
        assert!(masks.iter().any(|mask| first.starts_with(mask)), "{}: {first}", vendor.name);
        assert!(!first.contains("setvariable") && steps.len() == 2, "{}", vendor.name);
    }
}

#[test]
fn what_must_not_be_set_is_emptied_where_it_is_set_and_nothing_is_masked_for_it() {
    let unset = || vec![Variable { name: "AWS_SESSION_TOKEN".to_owned(), value: None }];
    assert!(pairs(unset(), |_| false).is_empty());
    let emptied = pairs(unset(), |_| true);
    assert_eq!((emptied.len(), emptied[0].value.expose()), (1, ""));
    assert!(check_lengths(&emptied).is_ok());
    for vendor in VENDORS {
        let steps = (vendor.steps)(&emptied, &setting()).unwrap();
        for step in steps {
            let text = match &step {
                Step::Say(text) | Step::Mask(text) | Step::Append(_, text) => text.to_string(),
                Step::Tell { stdin, .. } => stdin.to_string(),
            };
            assert!(!text.contains("add-mask") && !text.contains("setsecret"), "{text}");
        }
    }
}

#[test]
fn what_is_too_short_to_be_masked_is_refused() {
    for (value, fits) in [("", true), ("12345", false), ("123456", true)] {
        assert_eq!(check_lengths(&[pair("A", value)]).is_ok(), fits, "{value}");
    }
}

#[test]
fn every_vendor_that_cannot_mask_says_why_and_what_is_better() {
    let tokens = ["acme", "GH=github"].map(|typed| Assignment::parse(typed).unwrap());
    let unmasked: Vec<&Vendor> =
        VENDORS.iter().filter(|vendor| vendor.unmasked.is_some()).collect();
    assert_eq!(unmasked.len(), 8);
    for vendor in unmasked {
        let failure = unmaskable(vendor, vendor.unmasked.unwrap(), &tokens);
        assert!(failure.message.contains(vendor.title));
        let hint = failure.hint.unwrap();
        assert!(hint.contains("`--allow-unmasked`"), "{hint}");
        assert!(hint.ends_with("`tokctl exec ACME_TOKEN=acme GH=github -- COMMAND`"), "{hint}");
    }
}

#[test]
fn a_vendor_without_outputs_of_steps_says_so() {
    let output = Setting { step_output: true, ..setting() };
    for vendor in VENDORS {
        let has = matches!(vendor.name, "github" | "forgejo" | "azure");
        assert_eq!(since(vendor, &output).is_ok(), has, "{}", vendor.name);
        assert!(since(vendor, &setting()).is_ok());
    }
}
