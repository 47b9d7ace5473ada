//! What somebody makes of a good file or reply who wants a parser to fall over: the same for everybody, by its seed.

/// Longer than anything that is read whole here: a file comes in a frame of 64 KiB.
const BYTES_MAX: usize = 64 * 1024;
/// What parsers trip over, in the languages that are read here.
const WORDS: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{feff}",
    "\u{202e}",
    "\\ud800",
    "\\u0000",
    "\u{fffd}",
    "\u{10ffff}",
    "[",
    "{",
    "]",
    "}",
    "\"",
    "'",
    "\\",
    "\n",
    "\r",
    "\t",
    " ",
    "=",
    "==",
    "&",
    "&x=",
    "%00",
    "%",
    "%zz",
    "+",
    "#",
    ";",
    "//",
    ":",
    ": ",
    "- ",
    "? ",
    "!!binary ",
    "&a ",
    "*a",
    "<<: *a\n",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "<",
    "<!DOCTYPE x [<!ENTITY a \"b\">]>",
    "&a;",
    "&#0;",
    "&#x110000;",
    "<![CDATA[",
    "<!--",
    "</",
    "<a>",
    "-----BEGIN ",
    "-----END ",
    "-----",
    "null",
    "true",
    "-0",
    "1e999",
    "-1e999",
    "99999999999999999999999",
    "0x7f",
    "NaN",
    ".",
    "..",
    "account \"",
    "$(",
    "${",
];

/// Draws as many as are asked for.
pub(crate) struct Mutants {
    state: u64,
    sample: Vec<u8>,
}

/// So many of a sample, always the same ones.
pub(crate) fn mutants(
    seed: u64,
    sample: impl AsRef<[u8]>,
    count: usize,
) -> impl Iterator<Item = Vec<u8>> {
    Mutants {
        state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        sample: sample.as_ref().to_vec(),
    }
    .take(count)
}

/// As [`mutants`], where text is read.
pub(crate) fn texts(seed: u64, sample: &str, count: usize) -> impl Iterator<Item = String> {
    mutants(seed, sample, count).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// One word over and over, for each word: deep, or long.
pub(crate) fn floods() -> impl Iterator<Item = String> {
    WORDS.iter().map(|word| word.repeat(BYTES_MAX / word.len()))
}

impl Mutants {
    /// xorshift64* (Vigna 2014).
    fn draw(&mut self, below: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let drawn = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % below.max(1)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let from = self.draw(bytes.len() + 1);
        let to = (from + self.draw(40)).min(bytes.len());
        let word = WORDS[self.draw(WORDS.len())].as_bytes();
        match self.draw(8) {
            0 if from < bytes.len() => bytes[from] ^= 1 << self.draw(8),
            1 => drop(bytes.drain(from..to)),
            2 => bytes.truncate(from),
            3 => {
                let again = bytes[from..to].repeat(1 + self.draw(30));
                drop(bytes.splice(from..from, again));
            }
            4 => {
                let many = word.repeat(1 + self.draw(300));
                drop(bytes.splice(from..from, many));
            }
            5 => bytes[from..to].reverse(),
            6 => drop(bytes.splice(from..to, word.iter().copied())),
            _ => drop(bytes.splice(from..from, word.iter().copied())),
        }
        bytes.truncate(BYTES_MAX);
    }
}

impl Iterator for Mutants {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.sample.clone();
        for _ in 0..=self.draw(4) {
            self.change(&mut bytes);
        }
        Some(bytes)
    }
}

#[test]
fn a_seed_has_its_mutants_and_they_differ() {
    let sample = "{\"a\":[1,2,3]}";
    let made: Vec<_> = mutants(1, sample, 100).collect();
    assert_eq!(made, mutants(1, sample, 100).collect::<Vec<_>>());
    let different: std::collections::BTreeSet<_> = made.iter().collect();
    assert!(different.len() > 90, "{}", different.len());
}
