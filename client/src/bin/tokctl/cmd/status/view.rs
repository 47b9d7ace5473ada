//! The table of `status`, for a terminal and for a pipe.

use std::time::Duration;

use tokctl_client::proto::time::Spoken;

use super::row::{Member, Row};
use crate::output::safe;
use crate::table::{Cell, Line, Page, layout, width_before_last};

const HEADINGS: &[&str] = &["PROFILE", "STATE", "LEFT", "NEXT", "USED", "NOTE"];

/// Characters of a bar.
const BAR_WIDTH: i128 = 8;

/// What a bar is drawn with: what is left of the lifetime, and what is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    left: char,
    gone: char,
}

impl Bar {
    const BLOCKS: Self = Self { left: '█', gone: '░' };
    const ASCII: Self = Self { left: '#', gone: '-' };

    /// Blocks where the locale has them.
    pub(super) fn of_locale() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::of(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).as_deref())
    }

    fn of(locale: Option<&str>) -> Self {
        let charset = locale.and_then(|locale| locale.split_once('.')).map(|(_, charset)| charset);
        let charset = charset.map(|charset| charset.split('@').next().unwrap_or_default());
        let is_utf8 = |charset: &str| ["utf-8", "utf8"].contains(&&*charset.to_ascii_lowercase());
        if charset.is_some_and(is_utf8) { Self::BLOCKS } else { Self::ASCII }
    }

    /// Rounded up, so that an empty bar is a token that has expired.
    fn draw(self, issued_at: i64, expires_at: i64, now: i64) -> String {
        let between = |from: i64, to: i64| i128::from(to) - i128::from(from);
        let life = between(issued_at, expires_at).max(1);
        let left = between(now, expires_at).clamp(0, life);
        let filled = (left * BAR_WIDTH + life - 1) / life;
        (0..BAR_WIDTH).map(|at| if at < filled { self.left } else { self.gone }).collect()
    }
}

/// The lines of the table. On a page that is too narrow there are no bars.
pub(super) fn table(rows: &[Row], now: i64, bar: Option<Bar>, page: Page) -> Vec<String> {
    let mut lines = lines(rows, now, bar);
    if bar.is_some() && page.width.is_some_and(|width| width_before_last(HEADINGS, &lines) > width)
    {
        lines = self::lines(rows, now, None);
    }
    layout(HEADINGS, &lines, page)
}

fn lines(rows: &[Row], now: i64, bar: Option<Bar>) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in rows {
        let error = row.error.as_ref().map(|failure| safe(&failure.message).into_owned());
        lines.push(Line::Row(vec![
            safe(&row.profile).into_owned().into(),
            Cell { text: safe(&row.state).into_owned(), colour: colour(&row.state) },
            left(row, now, bar).into(),
            seen_from(row.next_at, now).into(),
            ago(row.last_used_at, now).into(),
            error.unwrap_or_default().into(),
        ]));
        lines.extend(row.members.iter().map(|member| self::member(member, now)));
        for warning in &row.warnings {
            lines.push(Line::Note(format!("  warning: {}", safe(warning))));
        }
    }
    lines
}

/// A member of the pool above it.
fn member(member: &Member, now: i64) -> Line {
    let (state, colour) = match (member.free, member.uses_left) {
        (true, _) => ("free", Some(GREEN)),
        (false, Some(0)) => ("used", Some(YELLOW)),
        (false, _) => ("out", Some(YELLOW)),
    };
    let uses = match member.uses_left {
        None => String::new(),
        Some(1) => "1 use left".to_owned(),
        Some(count) => format!("{count} uses left"),
    };
    Line::Row(vec![
        format!("  {}", safe(&member.profile)).into(),
        Cell { text: state.to_owned(), colour },
        "-".to_owned().into(),
        seen_from(member.free_at, now).into(),
        "-".to_owned().into(),
        uses.into(),
    ])
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn colour(state: &str) -> Option<&'static str> {
    match state {
        "valid" | "stored" => Some(GREEN),
        "failing" | "cooling" | "sealed" => Some(YELLOW),
        "login" | "expired" | "orphan" => Some(RED),
        _ => None,
    }
}

fn left(row: &Row, now: i64, bar: Option<Bar>) -> String {
    let Some(left) = row.left(now) else {
        // A token that does not say when it ends, or no token.
        return if row.issued_at.is_some() { "no end".to_owned() } else { "-".to_owned() };
    };
    match (bar, row.issued_at, row.expires_at) {
        (Some(bar), Some(issued_at), Some(expires_at)) => {
            format!("{} {left}", bar.draw(issued_at, expires_at, now))
        }
        _ => left.to_string(),
    }
}

/// A time as seen from now.
fn seen_from(at: Option<i64>, now: i64) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let apart = Spoken(Duration::from_secs(at.abs_diff(now)));
    match at >= now {
        true => format!("in {apart}"),
        false => format!("{apart} ago"),
    }
}

/// A time that has passed; what the clocks of client and agent differ by does not make it one to come.
fn ago(at: Option<i64>, now: i64) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let since = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
    format!("{} ago", Spoken(Duration::from_secs(since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_never_to_come() {
        for (at, text) in
            [(None, "-"), (Some(1001), "0s ago"), (Some(1000), "0s ago"), (Some(940), "1m ago")]
        {
            assert_eq!(ago(at, 1000), text);
        }
    }

    #[test]
    fn times_are_seen_from_now() {
        for (at, text) in [
            (None, "-"),
            (Some(1000), "in 0s"),
            (Some(1061), "in 1m 1s"),
            (Some(940), "1m ago"),
            (Some(i64::MIN), "106751991167300d 15h ago"),
        ] {
            assert_eq!(seen_from(at, 1000), text);
        }
    }

    #[test]
    fn a_bar_shows_what_is_left_of_the_lifetime() {
        for (issued_at, expires_at, bar) in [
            (1000, 1800, "########"),
            (999, 1800, "########"),
            (600, 1400, "####----"),
            (200, 1001, "#-------"),
            (200, 1000, "--------"),
            (200, 900, "--------"),
            // A clock that was set back, and nonsense.
            (2000, 2800, "########"),
            (2000, 1500, "########"),
            (i64::MIN, i64::MAX, "####----"),
        ] {
            let drawn = Bar::ASCII.draw(issued_at, expires_at, 1000);
            assert_eq!(drawn, bar, "{issued_at} {expires_at}");
        }
        assert_eq!(Bar::BLOCKS.draw(600, 1400, 1000), "████░░░░");
    }

    #[test]
    fn blocks_are_for_locales_that_have_them() {
        for (locale, bar) in [
            (Some("de_DE.UTF-8"), Bar::BLOCKS),
            (Some("C.utf8"), Bar::BLOCKS),
            (Some("en_US.UTF-8@euro"), Bar::BLOCKS),
            (Some("de_DE.ISO-8859-1"), Bar::ASCII),
            (Some("C"), Bar::ASCII),
            (None, Bar::ASCII),
        ] {
            assert_eq!(Bar::of(locale), bar, "{locale:?}");
        }
    }

    #[test]
    fn a_narrow_page_has_no_bars_and_notes_below() {
        let failure = tokctl_client::proto::Failure::new(
            tokctl_client::proto::Kind::ProviderFailed,
            "the provider failed\x1b[2J",
        );
        let row = Row {
            state: "failing".to_owned(),
            issued_at: Some(600),
            expires_at: Some(1400),
            next_at: Some(1012),
            last_used_at: Some(940),
            error: Some(tokctl_client::proto::error::WireFailure::from(&failure).into_owned()),
            exit: 7,
            warnings: vec!["the client secret ends in 12d".to_owned()],
            ..Row::unknown("acme")
        };
        let shown = |width| {
            let page = Page { width, is_coloured: false };
            table(std::slice::from_ref(&row), 1000, Some(Bar::ASCII), page)
        };
        assert_eq!(
            shown(Some(100)),
            [
                "PROFILE  STATE    LEFT             NEXT    USED    NOTE",
                "acme     failing  ####---- 6m 40s  in 12s  1m ago  the provider failed\\u{1b}[2J",
                "  warning: the client secret ends in 12d",
            ]
        );
        assert_eq!(
            shown(Some(44)),
            [
                "PROFILE  STATE    LEFT    NEXT    USED    NOTE",
                "acme     failing  6m 40s  in 12s  1m ago",
                "  the provider failed\\u{1b}[2J",
                "  warning: the client secret ends in 12d",
            ]
        );
    }
}
