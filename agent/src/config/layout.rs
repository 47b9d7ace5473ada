//! Where tables and the comments between them stand.
//!
//! toml_edit hangs all text between two tables on the later one. To a reader, a comment directly
//! above a header belongs to it, and one with a blank line below it to the file; so the two are
//! kept apart here.

use toml_edit::visit_mut::{VisitMut, visit_table_mut};
use toml_edit::{Decor, DocumentMut, Item, RawString, Table};

/// A table that stands last in the document, after whatever comments are there.
pub(super) fn last_table(document: &mut DocumentMut) -> Table {
    let mut last = Positions::default();
    last.visit_document_mut(document);
    let trailing = text_of(Some(document.trailing()));
    document.set_trailing("");
    let gap = match trailing.trim_end() {
        "" if document.is_empty() => String::new(),
        "" => "\n".to_owned(),
        comments => format!("{comments}\n\n"),
    };
    let mut table = Table::new();
    table.set_position(Some(last.highest + 1));
    table.decor_mut().set_prefix(gap);
    table
}

/// Puts the comments of the file, not those of the table, where the next table begins or the
/// document ends.
pub(super) fn keep_comments(document: &mut DocumentMut, removed: &Item) {
    let Some(table) = removed.as_table() else { return };
    let (Some(position), kept) = (first_position(table), comments_of_file(table.decor())) else {
        return;
    };
    if kept.is_empty() {
        return;
    }
    let mut next = Next { after: position, nearest: None };
    next.visit_document_mut(document);
    match next.nearest {
        Some(position) => {
            Prepend { position, text: kept }.visit_document_mut(document);
        }
        None => {
            let trailing = kept + &text_of(Some(document.trailing()));
            document.set_trailing(trailing);
        }
    }
}

/// The part of a header's comment that a blank line parts from the header.
fn comments_of_file(decor: &Decor) -> String {
    let prefix = text_of(decor.prefix());
    let mut kept = 0;
    let mut at = 0;
    for line in prefix.split_inclusive('\n') {
        at += line.len();
        if line.trim().is_empty() {
            kept = at;
        }
    }
    let kept = prefix[..kept].trim_end();
    if kept.is_empty() { String::new() } else { format!("{kept}\n") }
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

fn first_position(table: &Table) -> Option<isize> {
    if !table.is_implicit() {
        return table.position();
    }
    table.iter().filter_map(|(_, item)| item.as_table().and_then(first_position)).min()
}

#[derive(Default)]
struct Positions {
    highest: isize,
}

impl VisitMut for Positions {
    fn visit_table_mut(&mut self, table: &mut Table) {
        self.highest = self.highest.max(table.position().unwrap_or_default());
        visit_table_mut(self, table);
    }
}

/// Finds the position of the first table with a header after another.
struct Next {
    after: isize,
    nearest: Option<isize>,
}

impl VisitMut for Next {
    fn visit_table_mut(&mut self, table: &mut Table) {
        let position = table.position().filter(|_| !table.is_implicit() && !table.is_dotted());
        if let Some(position) = position.filter(|&position| position > self.after) {
            self.nearest = Some(self.nearest.map_or(position, |nearest| nearest.min(position)));
        }
        visit_table_mut(self, table);
    }
}

/// Puts text before the header at a position.
struct Prepend {
    position: isize,
    text: String,
}

impl VisitMut for Prepend {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if table.position() == Some(self.position) && !table.is_implicit() {
            let prefix = std::mem::take(&mut self.text) + &text_of(table.decor().prefix());
            table.decor_mut().set_prefix(prefix);
        }
        visit_table_mut(self, table);
    }
}
