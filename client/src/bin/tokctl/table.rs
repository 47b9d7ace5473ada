//! Listings for people: columns as wide as what stands in them.

/// Lays rows out under their headings. Widths are counted in characters; line ends carry no spaces.
pub(crate) fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&headings).chain(rows).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..headings.len()).filter_map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, &width) in line.iter().zip(&widths) {
            row.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "valid", ""], ["längst", "x", "no"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| cell.to_string()).collect()).collect();
        assert_eq!(
            render(&["PROFILE", "STATE", "E"], &rows),
            "PROFILE  STATE  E\na        valid\nlängst   x      no\n"
        );
    }

    #[test]
    fn without_rows_there_are_headings() {
        assert_eq!(render(&["A", "B"], &[]), "A  B\n");
    }
}
