//! Refresh tokens that are exchanged at each use. One that is presented again takes its family along (RFC 9700
//! section 4.14.2).

use std::collections::BTreeMap;

/// Every refresh token that was ever given out.
#[derive(Debug, Default)]
pub(super) struct RefreshTokens {
    known: BTreeMap<String, Known>,
    families: Vec<Family>,
}

#[derive(Debug)]
struct Known {
    family: usize,
    is_used: bool,
}

#[derive(Debug, Default)]
struct Family {
    is_revoked: bool,
    rotations: u64,
}

impl RefreshTokens {
    /// The first of a family, as a login brings it.
    pub(super) fn first(&mut self) -> String {
        self.families.push(Family::default());
        self.next_of(self.families.len() - 1)
    }

    /// The successor, or `None` where this token is refused.
    pub(super) fn exchange(&mut self, presented: &str) -> Option<String> {
        let known = self.known.get_mut(presented)?;
        let family = known.family;
        if std::mem::replace(&mut known.is_used, true) {
            self.families[family].is_revoked = true;
        }
        if self.families[family].is_revoked {
            return None;
        }
        self.families[family].rotations += 1;
        Some(self.next_of(family))
    }

    /// How many families were revoked.
    pub(super) fn revoked(&self) -> usize {
        self.families.iter().filter(|family| family.is_revoked).count()
    }

    pub(super) fn rotations(&self) -> u64 {
        self.families.iter().map(|family| family.rotations).sum()
    }

    fn next_of(&mut self, family: usize) -> String {
        let token = format!("rt-{:04}-{:016x}", self.known.len(), super::token::unguessable());
        self.known.insert(token.clone(), Known { family, is_used: false });
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_used_twice_takes_its_family_along() {
        let mut tokens = RefreshTokens::default();
        let (first, other) = (tokens.first(), tokens.first());
        let second = tokens.exchange(&first).unwrap();
        assert_eq!(tokens.exchange(&first), None);
        assert_eq!((tokens.exchange(&second), tokens.exchange("unknown")), (None, None));
        assert!(tokens.exchange(&other).is_some());
        assert_eq!((tokens.revoked(), tokens.rotations()), (1, 2));
    }
}
