//! Values to hand over in tests: what a token may be, and what would spoil a log, a file or a shell if it could be one.

/// How many values a test is run with: what a variable says, as `cargo xtask sweep` does, or some thousands.
pub(super) fn count() -> usize {
    let number = std::env::var("TOKCTL_EXPORT_VALUES").ok().and_then(|text| text.parse().ok());
    number.unwrap_or(3_000)
}

/// What means something to somebody, all of it VSCHAR.
const VISIBLE: &[&str] = &[
    "%",
    "%0A",
    "%0D",
    "%25",
    "%250A",
    "%AZP25",
    "%AZP0A",
    "%3B",
    "%5D",
    "%%",
    ";",
    "]",
    "[",
    "'",
    "''",
    "\"",
    "|",
    "||",
    "|n",
    "|'",
    "|0x0041",
    "=",
    "==",
    "<<",
    "<<<",
    "<<EOF",
    "$",
    "$(",
    "$(id)",
    "${HOME}",
    "$$",
    "`id`",
    "`",
    "!",
    "!!",
    "\\",
    "\\'",
    "\\n",
    "\\\\",
    "\\u0041",
    "#",
    " #",
    " ",
    "  ",
    "::",
    "::add-mask::",
    "::set-env name=X::",
    "::stop-commands::",
    "##vso[task.setvariable variable=X]",
    "##[add-mask]",
    "##teamcity[",
    "ghadelimiter_",
    "ghadelimiter_00",
    "EOF",
    "NODE_OPTIONS=x",
    "~",
    "*",
    "?",
    "{}",
    "{a,b}",
    "&&",
    "(",
    ")",
    "<",
    ">",
    "@",
    "^",
    ",",
    ":",
    "/",
    "-",
    "--",
    "eyJhbGciOi",
    "a",
    "Z9",
    "_",
    ".",
    "+",
    "{\"a\":\"b\"}",
];

/// What no token has in it. No environment can hold the first.
const FORBIDDEN: &[&str] = &[
    "\0",
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\nEOF\n",
    "\nghadelimiter_00\n",
    "\nNODE_OPTIONS=x\n",
    "\n::add-mask::x\n",
    "\t",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{9b}2J",
    "ä",
    "€",
    "\u{1f600}",
    "\u{2018}",
    "\u{2019}",
    "\u{201b}",
    "\u{202e}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
];

/// The same values in each run. One in two is a token; of the others one in sixteen has a NUL.
pub(super) fn values(count: usize) -> impl Iterator<Item = String> {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    (0..count).map(move |_| draw.value())
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn value(&mut self) -> String {
        let is_token = self.below(2) == 0;
        let has_nul = !is_token && self.below(16) == 0;
        let mut value = String::new();
        // Mostly short, where ends and beginnings meet; now and then long.
        let pieces = if self.below(50) == 0 { 200 } else { 1 + self.below(12) };
        for _ in 0..pieces {
            let forbidden = usize::from(!has_nul);
            let piece = match self.below(4) {
                0 if !is_token => FORBIDDEN[forbidden + self.below(FORBIDDEN.len() - forbidden)],
                1 => {
                    let byte = b' ' + u8::try_from(self.below(95)).unwrap();
                    value.push(char::from(byte));
                    ""
                }
                _ => VISIBLE[self.below(VISIBLE.len())],
            };
            value.push_str(piece);
        }
        value
    }
}

#[test]
fn the_values_are_of_every_kind() {
    let values: Vec<String> = values(3_000).collect();
    for piece in VISIBLE.iter().chain(FORBIDDEN) {
        assert!(values.iter().any(|value| value.contains(piece)), "{piece:?}");
    }
    let tokens = values.iter().filter(|value| tokctl_client::proto::token::is_vschar(value));
    assert!(tokens.count() > 1_000);
}
