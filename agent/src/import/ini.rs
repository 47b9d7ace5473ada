//! Sections of an INI file as the AWS SDKs read it.
//!
//! `#` and `;` begin a comment at the start of a line, and behind a value after a blank. Indented lines belong to the
//! setting above (`s3 =`), and are read past.

/// A section's name and its settings.
pub(super) type Section<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// The sections of a text, or the number of the line that is none of an INI file.
pub(super) fn sections(text: &str) -> Result<Vec<Section<'_>>, usize> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = content.strip_prefix('[') {
            let (name, rest) = name.split_once(']').ok_or(index + 1)?;
            if !rest.trim().is_empty() && !rest.trim_start().starts_with(['#', ';']) {
                return Err(index + 1);
            }
            sections.push((name.trim(), Vec::new()));
            continue;
        }
        let (_, settings) = sections.last_mut().ok_or(index + 1)?;
        if line.starts_with([' ', '\t']) && !settings.is_empty() {
            continue;
        }
        let (key, value) = content.split_once('=').ok_or(index + 1)?;
        settings.push((key.trim(), without_comment(value).trim()));
    }
    Ok(sections)
}

fn without_comment(value: &str) -> &str {
    let begins = |(at, mark): &(usize, char)| {
        matches!(mark, '#' | ';') && value[..*at].ends_with([' ', '\t'])
    };
    let end = value.char_indices().find(begins).map_or(value.len(), |(at, _)| at);
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_settings_and_comments_have_none() {
        let text = "# first\n[default]\nregion = eu-west-1 # where\r\n; no\ns3 =\n  max = 3\n[ profile a ] ; b\n\
            x=y=z\nurl = a#b;c\n";
        assert_eq!(
            sections(text).unwrap(),
            [
                ("default", vec![("region", "eu-west-1"), ("s3", "")]),
                ("profile a", vec![("x", "y=z"), ("url", "a#b;c")]),
            ]
        );
    }

    #[test]
    fn what_is_no_such_file_is_told_by_its_line() {
        for (text, line) in [
            ("a = b\n", 1),
            ("\n[a\n", 2),
            ("[a] b\n", 1),
            ("[a]\nb\n", 2),
            ("{\"a\": [1]}", 1),
            ("account \"x\" {", 1),
        ] {
            assert_eq!(sections(text), Err(line), "{text}");
        }
    }
}
