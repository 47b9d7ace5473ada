//! Azure Pipelines: logging commands on stdout, which the agent takes for itself.

use super::step::{Step, text};
use super::{Lookup, Pair, Refusal, Setting, Vendor, is_true, one_line};

pub(super) const VENDOR: Vendor = Vendor {
    name: "azure",
    title: "Azure Pipelines",
    is_here: |variable| is_true(variable, "TF_BUILD"),
    unmasked: None,
    since: "the steps of this job after this one that map it, as in `env: { NAME: $(NAME) }`: secret variables are in \
            no environment by themselves",
    since_output: Some(
        "the steps of this job after this one as `$(STEP.NAME)`, and for jobs after it by `dependencies`",
    ),
    steps,
};

/// Whether the agent takes `%AZP25` for `%`, which it does unless the job says otherwise.
pub(super) fn decodes_percents(variable: &Lookup<'_>) -> bool {
    variable("DECODE_PERCENTS").is_none_or(|value| !value.eq_ignore_ascii_case("false"))
}

/// What the agent takes for something else, whether or not it was escaped.
const ESCAPES: &[&str] = &["%3B", "%0D", "%0A", "%5D"];

fn steps(pairs: &[Pair], setting: &Setting) -> Result<Vec<Step>, Refusal> {
    let (mut masks, mut variables) = (text(pairs), text(pairs));
    let output = if setting.step_output { ";isoutput=true" } else { "" };
    for pair in pairs {
        // Secrets of several lines are refused by the agent too.
        let value = one_line(pair)?;
        let name = &pair.name;
        if !setting.decodes_percents && ESCAPES.iter().any(|escape| value.contains(escape)) {
            let message = format!("the value of {name} cannot be told to the agent");
            return Err(Refusal::new(message).hint("take `DECODE_PERCENTS: false` out of the job"));
        }
        if !value.is_empty() {
            masks.push_str("##vso[task.setsecret]");
            escape(value, setting.decodes_percents, &mut masks);
            masks.push('\n');
        }
        variables.extend(["##vso[task.setvariable variable=", name, ";issecret=true", output, "]"]);
        escape(value, setting.decodes_percents, &mut variables);
        variables.push('\n');
    }
    Ok(vec![Step::Say(masks), Step::Say(variables)])
}

fn escape(value: &str, percents: bool, to: &mut String) {
    for character in value.chars() {
        match character {
            '%' if percents => to.push_str("%AZP25"),
            ';' => to.push_str("%3B"),
            ']' => to.push_str("%5D"),
            other => to.push(other),
        }
    }
}
