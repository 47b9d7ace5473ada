//! Listings for people: columns as wide as what stands in them.

/// What stands in one column of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// The number of an SGR colour. It repeats what the text says.
    pub(crate) colour: Option<&'static str>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, colour: None }
    }
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Row(Vec<Cell>),
    /// Stands below a row, outside of the columns.
    Note(String),
}

/// Where a listing is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    /// Characters of a line; `None` where nobody looks at it.
    pub(crate) width: Option<usize>,
    pub(crate) is_coloured: bool,
}

/// Lays rows out under their headings. Widths are counted in characters; line ends carry no spaces.
pub(crate) fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: &Vec<String>| Line::Row(cells.iter().cloned().map(Cell::from).collect());
    let lines: Vec<Line> = rows.iter().map(row).collect();
    layout(headings, &lines, Page::default()).iter().map(|line| format!("{line}\n")).collect()
}

/// Lays lines out under their headings. What stands in the last column goes below its row where the page is too
/// narrow for both.
pub(crate) fn layout(headings: &[&str], lines: &[Line], page: Page) -> Vec<String> {
    let widths = widths(headings, lines);
    let before_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
    let headings: Vec<Cell> =
        headings.iter().map(|&heading| Cell::from(heading.to_owned())).collect();
    let mut out = vec![row(&headings, &widths, page.is_coloured)];
    for line in lines {
        match line {
            Line::Note(text) => out.push(text.clone()),
            Line::Row(cells) => {
                let last = cells.last().map_or(0, |cell| cell.text.chars().count());
                let fits = page.width.is_none_or(|width| last == 0 || before_last + last <= width);
                match cells.split_last() {
                    Some((last, before)) if !fits => {
                        out.push(row(before, &widths, page.is_coloured));
                        out.push(format!("  {}", last.text));
                    }
                    _ => out.push(row(cells, &widths, page.is_coloured)),
                }
            }
        }
    }
    out
}

/// How wide the columns are that stand before the last one.
pub(crate) fn width_before_last(headings: &[&str], lines: &[Line]) -> usize {
    let widths = widths(headings, lines);
    widths.iter().rev().skip(1).map(|width| width + 2).sum::<usize>().saturating_sub(2)
}

fn widths(headings: &[&str], lines: &[Line]) -> Vec<usize> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for line in lines {
        let Line::Row(cells) = line else { continue };
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    widths
}

fn row(cells: &[Cell], widths: &[usize], is_coloured: bool) -> String {
    let mut row = String::new();
    let mut gap = 0;
    for (cell, &width) in cells.iter().zip(widths) {
        let length = cell.text.chars().count();
        if length > 0 {
            row.extend(std::iter::repeat_n(' ', gap));
            match cell.colour {
                Some(colour) if is_coloured => {
                    row.push_str(&format!("\x1b[{colour}m{}\x1b[0m", cell.text));
                }
                _ => row.push_str(&cell.text),
            }
            gap = 0;
        }
        gap += width.saturating_sub(length) + 2;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "valid", ""], ["längst", "x", "no"], ["", "y", "z"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| cell.to_string()).collect()).collect();
        assert_eq!(
            render(&["PROFILE", "STATE", "E"], &rows),
            "PROFILE  STATE  E\na        valid\nlängst   x      no\n         y      z\n"
        );
    }

    #[test]
    fn without_rows_there_are_headings() {
        assert_eq!(render(&["A", "B"], &[]), "A  B\n");
    }

    #[test]
    fn what_does_not_fit_goes_below() {
        let cells = |texts: [&str; 2]| {
            Line::Row(texts.iter().map(|text| Cell::from((*text).to_owned())).collect())
        };
        let lines = [cells(["ab", "long"]), Line::Note("  note".to_owned()), cells(["b", "x"])];
        for (width, expected) in [
            (Some(8), &["A   B", "ab  long", "  note", "b   x"][..]),
            (Some(7), &["A   B", "ab", "  long", "  note", "b   x"]),
            (None, &["A   B", "ab  long", "  note", "b   x"]),
        ] {
            let page = Page { width, is_coloured: false };
            assert_eq!(layout(&["A", "B"], &lines, page), expected, "{width:?}");
        }
        assert_eq!(width_before_last(&["A", "B"], &lines), 2);
    }

    #[test]
    fn colour_takes_no_room() {
        let red = Cell { text: "bad".to_owned(), colour: Some("31") };
        let lines = [Line::Row(vec![red, Cell::from("x".to_owned())])];
        let page = Page { width: None, is_coloured: true };
        assert_eq!(layout(&["STATE", "B"], &lines, page)[1], "\x1b[31mbad\x1b[0m    x");
    }
}
