//! Azure's agent: Command.TryParse, CommandStringConvertor and TaskSetVariableCommand of azure-pipelines-agent.

use super::*;

fn unescaped(text: &str, percents: bool) -> String {
    let text =
        text.replace("%3B", ";").replace("%0D", "\r").replace("%0A", "\n").replace("%5D", "]");
    if percents { text.replace("%AZP25", "%") } else { text }
}

/// Area and event, properties, data.
fn command(line: &str, percents: bool) -> Option<(&str, BTreeMap<String, String>, String)> {
    let rest = &line[line.find("##vso[")? + "##vso[".len()..];
    let (info, data) = rest.split_once(']')?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let pairs = properties.split(';').filter_map(|property| property.split_once('='));
    let properties =
        pairs.map(|(name, value)| (name.to_lowercase(), unescaped(value, percents))).collect();
    Some((name, properties, unescaped(data, percents)))
}

fn read(steps: Vec<Step>, percents: bool, is_output: bool) -> Runner {
    let (said, written) = said_and_written(steps, "");
    assert_eq!(written, "");
    let mut runner = Runner::default();
    for line in said.split_terminator(['\r', '\n']) {
        let Some((name, properties, data)) = command(line, percents) else {
            runner.log.push(line.to_owned());
            continue;
        };
        let is_true = |name: &str| properties.get(name).is_some_and(|value| value == "true");
        match name {
            "task.setsecret" => {
                assert!(!data.is_empty());
                runner.masks.push(data);
            }
            "task.setvariable" => {
                assert_eq!((is_true("issecret"), is_true("isoutput")), (true, is_output));
                assert!(!data.contains('\n'), "a secret of several lines is an error");
                runner.set_masked(&properties["variable"], &data);
            }
            _ => panic!("no such command: {line:?}"),
        }
    }
    runner
}

#[test]
fn azure_reads_back_every_value_and_masks_it_before() {
    let vendor = &super::super::azure::VENDOR;
    for step_output in [false, true] {
        let setting = Setting { step_output, ..setting() };
        every_value_is_read_back(
            vendor,
            &setting,
            |steps| read(steps, true, step_output),
            has_control,
        );
    }
}

#[test]
fn azure_without_percents_reads_back_every_value_that_is_not_refused() {
    let vendor = &super::super::azure::VENDOR;
    let setting = Setting { decodes_percents: false, ..setting() };
    let may_refuse = |value: &str| {
        has_control(value)
            || ["%3B", "%0D", "%0A", "%5D"].iter().any(|escape| value.contains(escape))
    };
    every_value_is_read_back(vendor, &setting, |steps| read(steps, false, false), may_refuse);
}

#[test]
fn whether_percents_are_taken_back_is_what_the_job_says() {
    for (value, decodes) in [(None, true), (Some("true"), true), (Some("False"), false)] {
        let variable = |name: &str| {
            assert_eq!(name, "DECODE_PERCENTS");
            value.map(OsString::from)
        };
        assert_eq!(super::super::azure::decodes_percents(&variable), decodes, "{value:?}");
    }
}
