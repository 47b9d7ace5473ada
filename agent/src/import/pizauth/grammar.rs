//! The grammar of `pizauth.conf`, as `config.l` and `config.y` of pizauth 1.1 have it.
//!
//! Names of settings are not checked here: what is unknown is read past, so that a newer pizauth's file is read too.
//! An error names the line and never quotes it.

use tokctl_proto::Secret;

use crate::import::ImportError;

const KIND: &str = "pizauth.conf";
/// Settings of the deepest account that a person writes are a few dozen.
const ITEMS_MAX: usize = 4096;

/// What stands behind a `=`.
#[derive(Debug)]
pub(super) enum Value {
    Text(Secret),
    /// A time, or `none`.
    Word,
    List(Vec<Secret>),
    Table(Vec<(Secret, Secret)>),
}

/// `account "NAME" { KEY = VALUE; … }`
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) fields: Vec<(String, Value)>,
}

impl Account {
    fn value(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.secret(key).map(Secret::expose).unwrap_or_default()
    }

    pub(super) fn secret(&self, key: &str) -> Option<&Secret> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> &[Secret] {
        match self.value(key) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    pub(super) fn table(&self, key: &str) -> &[(Secret, Secret)] {
        match self.value(key) {
            Some(Value::Table(table)) => table,
            _ => &[],
        }
    }
}

/// Reads the whole file: its accounts, and the names of the settings beside them.
pub(super) fn parse(text: &str) -> Result<(Vec<Account>, Vec<String>), ImportError> {
    let mut parser = Parser { rest: text, line: 1, items: 0 };
    let (mut accounts, mut globals) = (Vec::new(), Vec::new());
    while let Some(word) = parser.word()? {
        if word == "account" {
            let name = parser.string()?.expose().to_owned();
            parser.symbol('{')?;
            let mut fields = Vec::new();
            while let Some(key) = parser.word()? {
                fields.push((key.to_owned(), parser.setting()?));
            }
            parser.symbol('}')?;
            accounts.push(Account { name, fields });
        } else {
            globals.push(word.to_owned());
            parser.setting()?;
        }
    }
    match parser.is_over() {
        true => Ok((accounts, globals)),
        false => Err(parser.expected("an account or a setting")),
    }
}

struct Parser<'a> {
    rest: &'a str,
    line: usize,
    items: usize,
}

impl<'a> Parser<'a> {
    fn expected(&self, what: &str) -> ImportError {
        ImportError::not_this(KIND, format!("line {} has not {what} where it should be", self.line))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Past blanks and comments.
    fn skip(&mut self) {
        loop {
            let blank =
                self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.take(blank);
            if !self.rest.starts_with("//") {
                return;
            }
            let comment = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(comment);
        }
    }

    fn is_over(&mut self) -> bool {
        self.skip();
        self.rest.is_empty()
    }

    /// A name, if one is next.
    fn word(&mut self) -> Result<Option<&'a str>, ImportError> {
        self.skip();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let length = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        if length == 0 {
            return Ok(None);
        }
        self.items += 1;
        match self.items > ITEMS_MAX {
            true => Err(ImportError::not_this(KIND, "it has more settings than anybody writes")),
            false => Ok(Some(self.take(length))),
        }
    }

    fn is_next(&mut self, symbol: char) -> bool {
        self.skip();
        self.rest.starts_with(symbol)
    }

    fn symbol(&mut self, symbol: char) -> Result<(), ImportError> {
        match self.is_next(symbol) {
            true => {
                self.take(symbol.len_utf8());
                Ok(())
            }
            false => Err(self.expected(&format!("`{symbol}`"))),
        }
    }

    /// `"…"`, in which `\"` and `\\` are the only escapes.
    fn string(&mut self) -> Result<Secret, ImportError> {
        self.symbol('"').map_err(|_| self.expected("a text in quotes"))?;
        let length = quote(self.rest).ok_or_else(|| self.expected("the end of a text"))?;
        // It never grows, so it leaves no copy behind.
        let mut text = String::with_capacity(length);
        let mut letters = self.rest[..length].chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => match letters.next() {
                    Some(letter @ ('"' | '\\')) => text.push(letter),
                    _ => {
                        drop(Secret::new(text));
                        return Err(self.expected("`\\\"` or `\\\\`"));
                    }
                },
                letter => text.push(letter),
            }
        }
        self.take(length + 1);
        Ok(Secret::new(text))
    }

    /// `= VALUE ;`
    fn setting(&mut self) -> Result<Value, ImportError> {
        self.symbol('=')?;
        let value = match () {
            () if self.is_next('"') => Value::Text(self.string()?),
            () if self.is_next('[') => Value::List(self.list('[', ']', Self::string)?),
            () if self.is_next('{') => Value::Table(self.list('{', '}', Self::pair)?),
            () if self.word()?.is_some() => Value::Word,
            () => return Err(self.expected("a value")),
        };
        self.symbol(';')?;
        Ok(value)
    }

    fn pair(&mut self) -> Result<(Secret, Secret), ImportError> {
        let name = self.string()?;
        self.symbol(':')?;
        Ok((name, self.string()?))
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Result<T, ImportError>,
    ) -> Result<Vec<T>, ImportError> {
        self.symbol(open)?;
        let mut items = Vec::new();
        while !self.is_next(close) {
            items.push(item(self)?);
            if !self.is_next(close) {
                self.symbol(',')?;
            }
        }
        self.symbol(close)?;
        Ok(items)
    }
}

/// Where the text ends whose first quote was taken.
fn quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_its_text() {
        for (text, words) in [
            ("account \"a\" {\n  client_id = \"x\"\n}", "line 3 has not `;`"),
            ("account a { }", "line 1 has not a text in quotes"),
            ("account \"a\" {\n", "line 2 has not `}`"),
            ("\n\naccount \"a\" { client_secret = \"s3cret", "line 3 has not the end of a text"),
            ("account \"a\" { x = \"s3\\cret\"; }", "has not `\\\"` or `\\\\`"),
            ("account \"a\" { x = ; }", "line 1 has not a value"),
            ("account \"a\" { x = [\"a\" \"b\"]; }", "line 1 has not `,`"),
            ("account \"a\" { x = {\"a\" = \"b\"}; }", "line 1 has not `:`"),
            ("[section]", "line 1 has not an account or a setting"),
            ("{\"a\": 1}", "line 1 has not an account or a setting"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
            assert!(!message.contains("s3"), "{message}");
        }
    }

    #[test]
    fn values_are_what_pizauth_takes_them_for() {
        let text = "// a comment\nrefresh_retry = 40s; http_listen = none;\n\
            account \"a \\\"b\\\" \\\\\" { scopes = [\"x\", \"y\"]; auth_uri_fields = {\"k\": \"v\"}; // c = d;\n\
            auth_uri = \"https://as.example/?a=//b\"; scopes2 = []; }";
        let (accounts, globals) = parse(text).unwrap();
        assert_eq!(globals, ["refresh_retry", "http_listen"]);
        let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
        assert_eq!(account.name, "a \"b\" \\");
        assert_eq!(account.text("auth_uri"), "https://as.example/?a=//b");
        let scopes: Vec<_> = account.list("scopes").iter().map(Secret::expose).collect();
        assert_eq!(scopes, ["x", "y"]);
        let fields = account.table("auth_uri_fields");
        assert_eq!((fields[0].0.expose(), fields[0].1.expose()), ("k", "v"));
        assert!(account.list("scopes2").is_empty() && account.secret("c").is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(account|\"|\\\\|\\{|\\}|=|;|a|//|\n|,|:|\\[|\\]|ä| ){0,40}") {
            let _read = parse(&text);
        }
    }
}
