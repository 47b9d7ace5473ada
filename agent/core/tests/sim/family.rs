//! Refresh tokens as a provider sees them: which one works, what a use does to it, what a second use costs.

use tokctl_core::Rotation;

use super::dice::Dice;

/// What becomes of a refresh token that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotates {
    Never,
    Always,
    EveryThird,
    /// Always; the previous one works again until its successor was used.
    Grace,
    /// Never, but the answer names the presented one as its own successor.
    Itself,
}

const ROTATES: [Rotates; 5] =
    [Rotates::Never, Rotates::Always, Rotates::EveryThird, Rotates::Grace, Rotates::Itself];

/// All refresh tokens that came of one login.
#[derive(Clone, Debug)]
pub(super) struct Family {
    id: u64,
    rotates: Rotates,
    /// A spent one that is presented again takes all of them with it (RFC 9700 section 4.14.2).
    strict: bool,
    generation: u64,
    uses: u64,
    /// The present one has worked.
    is_used: bool,
    pub(super) is_revoked: bool,
    /// A successor was issued that nobody has received, or that a person threw away.
    pub(super) is_broken: bool,
}

/// What a provider makes of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Granted {
        successor: Option<String>,
        /// The presented one is spent from now on.
        spent: bool,
    },
    Refused,
}

impl Family {
    pub(super) fn new(id: u64, rotates: Rotates, strict: bool) -> Self {
        Self {
            id,
            rotates,
            strict,
            generation: 1,
            uses: 0,
            is_used: false,
            is_revoked: false,
            is_broken: false,
        }
    }

    pub(super) fn any(id: u64, dice: &mut Dice, policy: Rotation) -> Self {
        let rotates = match policy {
            Rotation::Strict => *dice.pick(&ROTATES),
            Rotation::Grace => Rotates::Grace,
            Rotation::None => *dice.pick(&[Rotates::Never, Rotates::Itself]),
        };
        Self::new(id, rotates, dice.chance(70))
    }

    /// The one that works.
    pub(super) fn current(&self) -> String {
        self.text(self.generation)
    }

    fn text(&self, generation: u64) -> String {
        format!("rt|{}|{generation}", self.id)
    }

    /// Which family a refresh token is of.
    pub(super) fn of(token: &str) -> u64 {
        let id = token.split('|').nth(1).expect("a refresh token of ours");
        id.parse().expect("a family has a number")
    }

    /// Whether the provider has replaced this one.
    pub(super) fn has_spent(&self, token: &str) -> bool {
        token != self.current()
    }

    pub(super) fn present(&mut self, token: &str) -> Taken {
        if self.is_revoked {
            return Taken::Refused;
        }
        let previous = self.text(self.generation.saturating_sub(1));
        if self.rotates == Rotates::Grace && token == previous && !self.is_used {
            return Taken::Granted { successor: Some(self.current()), spent: false };
        }
        if self.has_spent(token) {
            self.is_revoked |= self.strict;
            return Taken::Refused;
        }
        self.uses += 1;
        let rotates = match self.rotates {
            Rotates::Never => false,
            Rotates::Itself => {
                return Taken::Granted { successor: Some(self.current()), spent: false };
            }
            Rotates::Always | Rotates::Grace => true,
            Rotates::EveryThird => self.uses.is_multiple_of(3),
        };
        self.is_used = !rotates;
        self.generation += u64::from(rotates);
        Taken::Granted { successor: rotates.then(|| self.current()), spent: rotates }
    }
}
