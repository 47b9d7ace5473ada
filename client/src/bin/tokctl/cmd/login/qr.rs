//! An address as a picture for the camera of another device, in half blocks: two rows to a line.

use std::io::{self, IsTerminal};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::output::Output;

/// A picture that is larger than this is read from no screen.
const URL_BYTES_MAX: usize = 400;

/// The lines of the picture; `None` where it cannot be shown: no terminal, one that is too small for it, or one
/// without these characters.
pub(super) fn lines(url: &str, output: &Output) -> Option<Vec<String>> {
    let columns =
        terminal_size::terminal_size_of(io::stderr()).map_or(80, |(columns, _)| columns.0);
    let can_show = io::stderr().is_terminal() && is_utf8(&|name| std::env::var(name).ok());
    picture(url, columns.into(), output.is_coloured()).filter(|_| can_show)
}

/// Dark on light whatever the terminal's colours are; without colour, as on a dark terminal.
fn picture(url: &str, columns: usize, is_coloured: bool) -> Option<Vec<String>> {
    if url.len() > URL_BYTES_MAX {
        return None;
    }
    let code = QrCode::with_error_correction_level(url, EcLevel::L).ok()?;
    let drawn =
        code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let fits = drawn.lines().all(|line| line.chars().count() < columns);
    let paint = |line: &str| match is_coloured {
        true => format!("\x1b[97;40m{line}\x1b[0m"),
        false => line.to_owned(),
    };
    fits.then(|| drawn.lines().map(paint).collect())
}

/// By the locale, as POSIX has it: the first of these that is set decides.
fn is_utf8(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_square_and_has_its_margin() {
        let lines = picture("https://as.example/device?user_code=WDJB-MJHT", 80, false).unwrap();
        let width = lines[0].chars().count();
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines.iter().all(|line| line.chars().count() == width));
        // Four modules of nothing around it, which are drawn as blocks; of the last line a half is none.
        let (last, whole) = lines.split_last().unwrap();
        assert!(whole[..2].iter().all(|line| line.chars().all(|it| it == '█')));
        assert!(whole.iter().all(|line| line.starts_with("████") && line.ends_with("████")));
        assert!(last.chars().all(|it| it == '▀'));
    }

    #[test]
    fn what_does_not_fit_is_not_shown() {
        let url = "https://as.example/device?user_code=WDJB-MJHT";
        let width = picture(url, 1000, false).unwrap()[0].chars().count();
        for (columns, shown) in [(width, false), (width + 1, true), (0, false)] {
            assert_eq!(picture(url, columns, false).is_some(), shown, "{columns}");
        }
        assert!(picture(&"x".repeat(URL_BYTES_MAX + 1), 1000, false).is_none());
    }

    #[test]
    fn colours_are_put_back_on_every_line() {
        for line in picture("https://as.example/", 80, true).unwrap() {
            assert!(line.starts_with("\u{1b}[97;40m") && line.ends_with("\u{1b}[0m"), "{line}");
        }
    }

    #[test]
    fn the_locale_says_whether_there_are_such_characters() {
        for (variables, fits) in [
            (&[][..], false),
            (&[("LANG", "C")][..], false),
            (&[("LANG", "C.UTF-8")][..], true),
            (&[("LANG", "de_DE.utf8")][..], true),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")][..], false),
            (&[("LANG", "C"), ("LC_CTYPE", "en_GB.UTF-8"), ("LC_ALL", "")][..], true),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(set, _)| *set == name).map(|(_, it)| (*it).to_owned())
            };
            assert_eq!(is_utf8(&variable), fits, "{variables:?}");
        }
    }
}
